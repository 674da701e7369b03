import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Endpoint } from '../load/run-spec.js';
import { Child, freePorts } from './children.js';
import {
  answersPing,
  infoOf,
  type Launcher,
  type RunningServers,
  startOrStop,
  untilReady,
} from './server.js';

const HOST = '127.0.0.1';
const COMMAND = fileURLToPath(new URL('../../bin/tandis.js', import.meta.url));
const PACKAGE = new URL('../../../package.json', import.meta.url);

export interface TandisOptions {
  /** Options for node itself, such as `--cpu-prof`. */
  readonly nodeArgs: readonly string[];
  /** More options for `tandis server`. */
  readonly serverArgs: readonly string[];
  /** The binary of Node that runs it; absent: the one that runs this. */
  readonly node?: string;
  /** Path of what is run; absent: the program as it is installed. */
  readonly program?: string;
}

/**
 * Tandis of the build that this file belongs to: one node alone, or a cluster of some on this
 * machine.
 */
export function tandisLauncher(options: TandisOptions): Launcher {
  return {
    name: 'tandis',
    version: version(options.node),
    start: (nodes) => start(options, nodes),
  };
}

function version(node: string | undefined): string | null {
  if (!existsSync(COMMAND)) return null;
  const text = existsSync(PACKAGE) ? readFileSync(PACKAGE, 'utf8') : '{}';
  const own = (JSON.parse(text) as { version?: string }).version ?? 'unknown';
  if (node === undefined) return `${own}, Node ${process.version}`;
  const found = spawnSync(node, ['--version'], { encoding: 'utf8' });
  if (found.status !== 0) throw new Error(`${node} is no Node: ${found.error?.message ?? ''}`);
  return `${own}, Node ${found.stdout.trim()}`;
}

/** One more node, which joins the cluster of a running one; resolves when it answers, long before all is settled. */
export async function startJoiner(busPort: number): Promise<RunningServers> {
  return startOrStop(async (children) => {
    const [port, own] = (await freePorts(2)) as [number, number];
    const ports = ['--port', `${port}`, '--cluster-port', `${own}`, '--bind', HOST];
    const args = [COMMAND, 'server', ...ports, '--join', `${HOST}:${busPort}`];
    children.push(new Child(process.execPath, args));
    return [{ host: HOST, port }];
  });
}

function start(options: TandisOptions, nodes: number) {
  return startOrStop(async (children) => {
    const ports = await freePorts(2 * nodes);
    const endpoints = ports.slice(0, nodes).map((port): Endpoint => ({ host: HOST, port }));
    for (let i = 0; i < nodes; i++) {
      const join = i === 0 ? [] : ['--join', `${HOST}:${ports[nodes]}`];
      const own = [
        '--port',
        `${ports[i]}`,
        '--cluster-port',
        `${ports[nodes + i]}`,
        '--bind',
        HOST,
      ];
      const command = [...options.nodeArgs, options.program ?? COMMAND, 'server'];
      const args = [...command, ...own, ...join, ...options.serverArgs];
      children.push(new Child(options.node ?? process.execPath, args));
      await untilReady(children, 'tandis', () => answersPing(endpoints[i]!));
    }
    await untilReady(children, 'tandis cluster', async () => {
      const infos = await Promise.all(endpoints.map(infoOf));
      return infos.every((info) => nodes === 1 || isWhole(info, nodes));
    });
    return endpoints;
  });
}

export function isWhole(info: Map<string, string>, nodes: number): boolean {
  return info.get('members') === String(nodes) && info.get('keys_without_backup') === '0';
}
