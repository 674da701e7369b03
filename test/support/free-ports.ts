import { freePorts as anyFreePorts, anyPort, isFree } from '../../lib/demo/ports.js';

/** Ports of a block go to one test file. A block and the one 10000 above, where bus ports are, go to the same one. */
const BLOCK = 16;
/** So many test files run at a time at most (`run-tests.js`). */
const SLOTS = 5;
const SLOT = Number(process.env['TEST_SLOT'] ?? 0);

/**
 * Whether no other test file takes this port: two that found the same port free at the same moment made one cluster of two.
 */
const isOwn = (port: number): boolean => Math.floor(port / BLOCK) % SLOTS === SLOT;

/** Ports of this machine that nobody listens on, and no other test file takes. */
export const freePorts = (count: number): Promise<number[]> => anyFreePorts(count, isOwn);

/** The first of `count` ports in a row that are free, with the bus ports 10000 above; at most BLOCK. */
export async function freeRow(count: number): Promise<number> {
  for (;;) {
    const first = anyPort();
    if (!isOwn(first) || (first % BLOCK) + count > BLOCK) continue;
    const ports = Array.from({ length: count }, (_, i) => [first + i, first + i + 10_000]).flat();
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return first;
  }
}
