<?php
/*
 * Sessions with phpredis: before and after the node that listens on the second port is killed.
 *
 *     php php-redis.php before|after PORT PORT
 */
[, $phase, $first, $second] = $argv;

function connect(int $port): Redis
{
    $redis = new Redis();
    $redis->connect('127.0.0.1', $port);
    return $redis;
}

function check(string $what, mixed $got, mixed $wanted): void
{
    if ($got === $wanted) return;
    fprintf(STDERR, "%s: %s, not %s\n", $what, json_encode($got), json_encode($wanted));
    exit(1);
}

$home = connect((int) $first);
$other = connect((int) $second);
if ($phase === 'before') {
    $home->setex('php:ann', 3600, '0');
    check('read elsewhere', $other->get('php:ann'), '0');
    $other->set('php:ann', '1', ['ex' => 1800]);
    check('updated', $home->get('php:ann'), '1');
    check('touched', $home->expire('php:ann', 3600), true);
    check('new id', $home->rename('php:ann', 'php:ben'), true);
    check('old id', $other->get('php:ann'), false);
    $home->hMSet('php:hash', ['user' => 'ann', 'views' => '1']);
    check('hash', $other->hGetAll('php:hash'), ['user' => 'ann', 'views' => '1']);
    $found = [];
    $cursor = null;
    while (($keys = $other->scan($cursor, 'php:*')) !== false) array_push($found, ...$keys);
    sort($found);
    check('listed', $found, ['php:ben', 'php:hash']);
    check('cleared', $home->del('php:ben', 'php:hash'), 2);
    $home->set('php:ida', '0', ['px' => 300]);
    usleep(350_000);
    check('expired', $other->get('php:ida'), false);
    check('pipeline', $home->pipeline()->set('php:p', 1)->incr('php:p')->del('php:p')->exec(), [true, 2, 1]);
    check('transaction', $home->multi()->set('php:t', 1)->incr('php:t')->del('php:t')->exec(), [true, 2, 1]);
    $home->watch('php:t');
    $other->set('php:t', 'other');
    check('watched', $home->multi()->del('php:t')->exec(), false);
    check('not deleted', $other->del('php:t'), 1);
    $other->setex('php:zoe', 3600, '0');
} else {
    check('on a survivor', $home->get('php:zoe'), '0');
    check('counted', $home->incr('php:zoe'), 1);
    check('on the other one', $other->get('php:zoe'), '1');
    check('logged out', $other->del('php:zoe'), 1);
}
