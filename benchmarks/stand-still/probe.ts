import { writeFileSync } from 'node:fs';

/**
 * Loaded into a server by `--import`: the longest time that the process has worked between two fires of a timer of 1 ms,
 * in processor time of the whole process, so that what others do on the machine does not count. SIGUSR2 writes it to
 * `stand-still` in the working directory, in milliseconds, and begins anew.
 */
const TIMER_MS = 1;

const workedUs = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

let before = workedUs();
let longestUs = 0;

setInterval(() => {
  const now = workedUs();
  longestUs = Math.max(longestUs, now - before);
  before = now;
}, TIMER_MS).unref();

process.on('SIGUSR2', () => {
  writeFileSync('stand-still', `${longestUs / 1000}\n`);
  longestUs = 0;
  before = workedUs();
});
