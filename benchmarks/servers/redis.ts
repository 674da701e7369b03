import { spawnSync } from 'node:child_process';
import type { Endpoint } from '../load/run-spec.js';
import { Child, freePorts } from './children.js';
import { answersPing, infoOf, type Launcher, startOrStop, untilReady } from './server.js';

const HOST = '127.0.0.1';

/**
 * Nothing is written to disk, as a cache is run; a replica is synchronised at once, over its
 * socket.
 */
const OPTIONS = [
  ...['--bind', HOST, '--save', '', '--appendonly', 'no', '--loglevel', 'warning'],
  ...['--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0'],
  ...['--repl-diskless-load', 'swapdb'],
];

/** redis-server or valkey-server: one node alone, or a primary and its replica. */
export function redisLauncher(name: string, command: string): Launcher {
  return { name, version: versionOf(command), start: (nodes) => start(name, command, nodes) };
}

/** Text of the version, null where it is not installed. */
export function versionOf(command: string): string | null {
  const found = spawnSync(command, ['--version'], { encoding: 'utf8' });
  if (found.error !== undefined || found.status !== 0) return null;
  return /v=(\S+)/.exec(found.stdout)?.[1] ?? found.stdout.trim();
}

function start(name: string, command: string, nodes: number) {
  return startOrStop(async (children) => {
    const ports = await freePorts(nodes);
    const endpoints = ports.map((port): Endpoint => ({ host: HOST, port }));
    for (const port of ports) {
      const isReplica = port !== ports[0];
      const role = isReplica ? ['--replicaof', HOST, String(ports[0])] : [];
      children.push(new Child(command, [...OPTIONS, '--port', String(port), ...role]));
      await untilReady(children, name, () => answersPing({ host: HOST, port }));
    }
    await untilReady(children, `${name} replica`, async () => {
      const info = await infoOf(endpoints[0]!);
      const online = [...info].filter(
        ([key, value]) => /^slave\d/.test(key) && /state=online/.test(value),
      );
      return online.length === nodes - 1;
    });
    // Writes go to the primary only.
    return endpoints.slice(0, 1);
  });
}
