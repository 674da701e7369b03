import { readFileSync } from 'node:fs';

/** /proc counts CPU time in these ticks on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU seconds (user and system) that a process has used; NaN where /proc does not tell. */
export function cpuSecondsOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold spaces: fields are counted from the last parenthesis on.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return Number.NaN;
  }
}

/**
 * CPU seconds that all processes of the machine have used, interrupts and idle time left out; NaN
 * without /proc.
 */
export function cpuSecondsOfMachine(): number {
  try {
    const [user, nice, system] = readFileSync('/proc/stat', 'latin1')
      .split('\n', 1)[0]!
      .replace('cpu', '')
      .trim()
      .split(/\s+/)
      .map(Number);
    return (user! + nice! + system!) / TICKS_PER_SECOND;
  } catch {
    return Number.NaN;
  }
}

/** Resident bytes of a process; NaN where /proc does not tell. */
export function residentBytesOf(pid: number): number {
  try {
    const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return line === null ? Number.NaN : Number(line[1]) * 1024;
  } catch {
    return Number.NaN;
  }
}
