/**
 * For `node --import`: each line `clock <ms>` on standard input sets the wall clock of this process, as it sees it, by so
 * many milliseconds. The monotonic clock goes on, as it does when the clock of a machine is set.
 */
const systemNow = Date.now.bind(Date);
let offsetMs = 0;
Date.now = () => systemNow() + offsetMs;

process.stdin.on('data', (chunk: Buffer) => {
  for (const [, step] of chunk.toString().matchAll(/^clock (-?\d+)$/gm)) offsetMs += Number(step);
});
