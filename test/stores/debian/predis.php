<?php
/*
 * Sessions with Predis and with its session handler: before and after the node that listens on the second port is killed.
 *
 *     php predis.php before|after PORT PORT
 */
require 'Predis/autoload.php';
[, $phase, $first, $second] = $argv;

function check(string $what, mixed $got, mixed $wanted): void
{
    if ($got === $wanted) return;
    fprintf(STDERR, "%s: %s, not %s\n", $what, json_encode($got), json_encode($wanted));
    exit(1);
}

$home = new Predis\Client(['host' => '127.0.0.1', 'port' => (int) $first]);
$other = new Predis\Client("tcp://127.0.0.1:$second");

/* One request of a browser: what is in the session after $action. */
function request(Predis\Client $client, string $id, callable $action, int $lifetime = 3600): array
{
    session_set_save_handler(new Predis\Session\Handler($client, ['gc_maxlifetime' => $lifetime]), false);
    session_id($id);
    session_start(['use_cookies' => false, 'cache_limiter' => '']);
    $action();
    $values = $_SESSION;
    session_write_close();
    return $values;
}

$nothing = function () {};
$logIn = fn () => $_SESSION = ['user' => 'ann', 'views' => 0];
$view = fn () => $_SESSION['views']++;
if ($phase === 'before') {
    request($home, 'predis:ann', $logIn);
    check('read elsewhere', request($other, 'predis:ann', $nothing), ['user' => 'ann', 'views' => 0]);
    check('updated', request($other, 'predis:ann', $view)['views'], 1);
    $home->expire('predis:ann', 60);
    request($home, 'predis:ann', $nothing);
    check('touched', $other->ttl('predis:ann') > 3590, true);
    $newId = '';
    request($other, 'predis:ann', function () use (&$newId) {
        session_regenerate_id(true);
        $newId = session_id();
    });
    check('new id', request($home, $newId, $nothing)['views'], 1);
    check('old id', $other->get('predis:ann'), null);
    $home->rename($newId, 'predis:ben');
    $home->hmset('predis:hash', ['user' => 'ann', 'views' => '1']);
    check('hash', $other->hgetall('predis:hash'), ['user' => 'ann', 'views' => '1']);
    $found = iterator_to_array(new Predis\Collection\Iterator\Keyspace($other, 'predis:*'), false);
    sort($found);
    check('listed', $found, ['predis:ben', 'predis:hash']);
    check('cleared', $home->del($found), 2);
    $home->set('predis:ida', '0', 'PX', 300);
    usleep(350_000);
    check('expired', $other->get('predis:ida'), null);
    $replies = $home->pipeline(fn ($pipe) => $pipe->set('predis:p', 1)->incr('predis:p')->del('predis:p'));
    check('pipeline', [(string) $replies[0], $replies[1], $replies[2]], ['OK', 2, 1]);
    $replies = $home->transaction(fn ($multi) => $multi->set('predis:t', 1)->incr('predis:t')->del('predis:t'));
    check('transaction', [(string) $replies[0], $replies[1], $replies[2]], ['OK', 2, 1]);
    request($other, 'predis:zoe', $logIn);
} else {
    check('on a survivor', request($home, 'predis:zoe', $view), ['user' => 'ann', 'views' => 1]);
    check('on the other one', request($other, 'predis:zoe', $nothing)['views'], 1);
    request($other, 'predis:zoe', fn () => session_destroy());
    check('logged out', $home->get('predis:zoe'), null);
}
