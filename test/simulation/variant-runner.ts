import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { applyEdits, type Variant } from './variant.js';

/** A variant that no seed of so many finds is a hole in the simulator. */
export const SEEDS_MAX = 300;

export interface Found {
  /** The first seed that failed, null when none did. */
  readonly seed: number | null;
  /** What did not hold. */
  readonly what: string;
}

const CHILD = fileURLToPath(new URL('./variant-child.js', import.meta.url));
const ROOT = new URL('../../', import.meta.url);

/** Throws when an edit of the variant does not fit the built tree exactly once. */
export function checkEdits({ edits }: Variant): void {
  for (const edit of edits) applyEdits(readFileSync(new URL(edit.file, ROOT), 'utf8'), [edit]);
}

/** Runs seeds of the variant's profile in a process of its own, until one fails; `whole`: without what it breaks. */
export function runVariant(
  { name }: Variant,
  firstSeed: number,
  seeds: number,
  how: 'broken' | 'whole' = 'broken',
): Promise<Found> {
  const options = ['--disable-warning=ExperimentalWarning', '--single-threaded-gc'];
  const args = [...options, CHILD, name, `${firstSeed}`, `${seeds}`, how];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`${name}: ${stderr || error.message}`));
      else resolve(JSON.parse(stdout) as Found);
    });
  });
}
