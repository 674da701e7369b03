import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the range from which systems take the ports of outgoing connections: a port whose node is dead must stay free
 * until it is started again, and a dial to it must not meet itself.
 */
const RANGE = { first: 10_000, count: 22_000 };
/** Ports of a block go to one test file. A block and the one 10000 above, where bus ports are, go to the same one. */
const BLOCK = 16;
/** So many test files run at a time at most (`run-tests.js`). */
const SLOTS = 5;
const SLOT = Number(process.env['TEST_SLOT'] ?? 0);

/**
 * Whether no other test file takes this port: two that found the same port free at the same moment made one cluster of two.
 */
const isOwn = (port: number): boolean => Math.floor(port / BLOCK) % SLOTS === SLOT;

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

const anyPort = (): number => RANGE.first + Math.floor(Math.random() * RANGE.count);

/** Ports of this machine that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = anyPort();
    if (isOwn(port) && !ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

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
