import { spawnSync } from 'node:child_process';

/** Debian's own Python, which has Debian's packages. */
export const PYTHON = '/usr/bin/python3';

/**
 * Why what needs these Debian packages cannot be run: `probe` does not end with status 0; false when it can. Under CI=true
 * missing ones are an error.
 */
export function skipWithout(
  packages: string,
  [program, ...args]: readonly string[],
): string | false {
  const { status } = spawnSync(program!, args, { stdio: 'ignore' });
  if (status === 0) return false;
  const reason = `not installed: ${packages} (Debian packages)`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}
