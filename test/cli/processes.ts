import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import type { Test } from 'tap';
import { withoutWarmUp } from '../support/without-warm-up.js';

export { freeRow as freePorts } from '../support/free-ports.js';

/** The built command line, beside the built tests. */
export const PROGRAM = fileURLToPath(new URL('../../bin/tandis.js', import.meta.url));

export interface Run {
  readonly child: ChildProcess;
  /** What was printed so far. */
  out: string;
  err: string;
  /** Exit status, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** Resolves to the match as soon as what was printed on stdout has one; rejects when the process ends without. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Runs `tandis <args>`; killed at the end of the test if it still runs. */
export function tandis(t: Test, ...args: string[]): Run {
  return spawnProgram(t, PROGRAM, args);
}

/** The same of another place where the command line is. */
export function spawnProgram(t: Test, program: string, args: readonly string[]): Run {
  const child = spawn(process.execPath, [program, ...args], {
    // By the channel a node notices when a test that was given up has gone, and ends.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: withoutWarmUp(),
  });
  const run: Run = {
    child,
    out: '',
    err: '',
    ended: once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string),
    printed: async (pattern) => {
      for (;;) {
        const match = pattern.exec(run.out);
        if (match !== null) return match;
        if (child.exitCode !== null || child.signalCode !== null) {
          throw new Error(`ended without printing ${pattern}:\n${run.out}\n${run.err}`);
        }
        await Promise.race([once(child.stdout!, 'data'), run.ended]);
      }
    },
  };
  child.stdout!.on('data', (chunk) => {
    run.out += chunk;
  });
  child.stderr!.on('data', (chunk) => {
    run.err += chunk;
  });
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await run.ended;
  });
  return run;
}

export interface Node {
  readonly run: Run;
  readonly port: number;
  readonly busPort: number;
}

/** Starts one node on ports of the system's choice. */
export async function startNode(t: Test, ...options: string[]): Promise<Node> {
  const ports = options.includes('--port') ? [] : ['--port', '0'];
  const log = ['--log-format', 'json', '--loglevel', 'verbose'];
  const run = tandis(t, 'server', ...ports, ...log, ...options);
  const line = await run.printed(/^\{.*"msg":"listening".*\}$/m);
  const { port, busPort } = JSON.parse(line[0]) as { port: number; busPort: number };
  return { run, port, busPort };
}

/** A client that gives up instead of trying again. */
export function clientOf(t: Test, port: number, password?: string): Redis {
  const client = new Redis({
    ...(password === undefined ? {} : { password }),
    port,
    host: '127.0.0.1',
    retryStrategy: null,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
  });
  client.on('error', () => undefined);
  t.teardown(() => client.disconnect());
  return client;
}

/** Waits until a node is in a view with so many members; needs the log level that startNode sets. */
export async function inView(node: Node, members: number): Promise<void> {
  const others = `(,"[^"]+"){${members - 1}}`;
  await node.run.printed(new RegExp(`"members":\\["[^"]+"${others}\\],"msg":"members"`));
}

/** Waits until a node that is in a view serves keys: it keeps a command waiting until it does. */
export async function serves(t: Test, port: number): Promise<Redis> {
  const client = clientOf(t, port);
  await client.ttl('none');
  return client;
}
