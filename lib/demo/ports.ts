import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the range from which systems take the ports of outgoing connections: the port of a node that was killed must stay
 * free until it is started again, and a dial to it must not meet itself. Above 10080, which browsers and fetch refuse.
 */
const RANGE = { first: 10_100, count: 21_900 };

export async function isFree(port: number): Promise<boolean> {
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

export const anyPort = (): number => RANGE.first + Math.floor(Math.random() * RANGE.count);

/** Ports of this machine that nobody listens on, of those that `mayTake` says. */
export async function freePorts(
  count: number,
  mayTake: (port: number) => boolean = () => true,
): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = anyPort();
    if (mayTake(port) && !ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}
