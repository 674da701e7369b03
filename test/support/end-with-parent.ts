/**
 * For `node --import`: the process ends when the other end of its standard input is closed, so that nothing outlives a
 * test that was ended by force.
 */
process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL'));
process.stdin.on('error', () => process.kill(process.pid, 'SIGKILL'));
process.stdin.resume();
// It must not keep alive a process that is done.
(process.stdin as typeof process.stdin & { unref(): void }).unref();
