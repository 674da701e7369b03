import { spawnSync } from 'node:child_process';
import { freemem } from 'node:os';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(import.meta.url);
const BLOCK_BYTES = 32 * 1024 * 1024;
const PAGE_BYTES = 4096;
/** More than any case takes. */
const TOUCHED_BYTES_MAX = 8 * 1024 ** 3;

/**
 * Uses memory, in a process of its own, and gives it back. A virtual machine gets its memory when it first uses it: a page
 * took 15 us then instead of 2, and now and then 100 ms and more, which the server that came first had to pay.
 */
export function touchMemory(): void {
  const bytes = Math.min(TOUCHED_BYTES_MAX, freemem() / 2);
  const { status } = spawnSync(process.execPath, [PROGRAM, String(bytes)], { stdio: 'inherit' });
  if (status !== 0) throw new Error('memory could not be used beforehand');
}

function touch(bytes: number): void {
  const kept: Uint8Array[] = [];
  while (kept.length * BLOCK_BYTES < bytes) {
    const block = new Uint8Array(BLOCK_BYTES);
    for (let at = 0; at < BLOCK_BYTES; at += PAGE_BYTES) block[at] = 1;
    kept.push(block);
  }
}

if (process.argv[1] === PROGRAM) touch(Number(process.argv[2]));
