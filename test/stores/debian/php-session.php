<?php
/*
 * PHP's own sessions with the handler of phpredis, locking on: before and after the node that listens on the second port is
 * killed.
 *
 *     php php-session.php before|after PORT PORT
 */
[, $phase, $first, $second] = $argv;

function check(string $what, mixed $got, mixed $wanted): void
{
    if ($got === $wanted) return;
    fprintf(STDERR, "%s: %s, not %s\n", $what, json_encode($got), json_encode($wanted));
    exit(1);
}

ini_set('session.save_handler', 'redis');
ini_set('redis.session.locking_enabled', '1');

/* One request of a browser: what is in the session after $action. */
function request(string $port, string $id, callable $action, int $lifetime = 3600): array
{
    ini_set('session.save_path', "tcp://127.0.0.1:$port?prefix=phps:");
    ini_set('session.gc_maxlifetime', (string) $lifetime);
    session_id($id);
    session_start(['use_cookies' => false, 'use_strict_mode' => false, 'cache_limiter' => '']);
    $action();
    $values = $_SESSION;
    session_write_close();
    return $values;
}

$redis = new Redis();
$redis->connect('127.0.0.1', (int) $second);
$nothing = function () {};
$logIn = fn () => $_SESSION = ['user' => 'ann', 'views' => 0];
$view = fn () => $_SESSION['views']++;
if ($phase === 'before') {
    check('nobody', request($first, 'ann', $nothing), []);
    request($first, 'ann', $logIn);
    check('read elsewhere', request($second, 'ann', $nothing), ['user' => 'ann', 'views' => 0]);
    check('updated', request($second, 'ann', $view)['views'], 1);
    request($first, 'ann', fn () => check('locked', $redis->exists('phps:ann_LOCK'), 1));
    check('unlocked', $redis->exists('phps:ann_LOCK'), 0);
    $redis->expire('phps:ann', 60);
    request($first, 'ann', $nothing);
    check('touched', $redis->ttl('phps:ann') > 3590, true);
    $newId = '';
    request($second, 'ann', function () use (&$newId) {
        session_regenerate_id(true);
        $newId = session_id();
    });
    check('new id', request($first, $newId, $nothing), ['user' => 'ann', 'views' => 1]);
    check('old id', $redis->exists('phps:ann'), 0);
    check('listed', $redis->keys('phps:*'), ["phps:$newId"]);
    check('cleared', $redis->del("phps:$newId"), 1);
    check('gone', request($first, $newId, $nothing), []);
    request($first, 'ben', $logIn);
    request($second, 'ben', fn () => session_destroy());
    check('logged out', request($first, 'ben', $nothing), []);
    request($first, 'ida', $logIn, 1);
    usleep(1_050_000);
    check('expired', request($second, 'ida', $nothing), []);
    request($second, 'zoe', $logIn);
} else {
    check('on a survivor', request($first, 'zoe', $view), ['user' => 'ann', 'views' => 1]);
    check('on the other one', request($second, 'zoe', $view)['views'], 2);
    request($second, 'zoe', fn () => session_destroy());
    check('logged out', request($first, 'zoe', $nothing), []);
}
