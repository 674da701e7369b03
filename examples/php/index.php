<?php
/*
 * A page that counts its visits in a session, with stock packages: only the address of the store is Tandis's.
 *
 *     STORE=tcp://127.0.0.1:7001 php -S 127.0.0.1:3000 examples/php/index.php
 */
ini_set('session.save_handler', 'redis');
ini_set('session.save_path', (getenv('STORE') ?: 'tcp://127.0.0.1:7001') . '?prefix=php:');
// Two requests of one visitor at a time would overwrite one another's session.
ini_set('redis.session.locking_enabled', '1');
session_start();
$_SESSION['views'] = ($_SESSION['views'] ?? 0) + 1;
header('Content-Type: text/plain');
echo "You have been here {$_SESSION['views']} times.\n";
