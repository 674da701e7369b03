import { fileURLToPath } from 'node:url';
import type { Endpoint } from '../load/run-spec.js';
import { Child, freePorts } from './children.js';
import { answersPing, type Launcher, startOrStop, untilReady } from './server.js';

const HOST = '127.0.0.1';
const COMMAND = fileURLToPath(new URL('../bare/bare-server.js', import.meta.url));

/** The least server in Node: alone, or with a backup. */
export function bareLauncher(): Launcher {
  return launcher('bare', ['--is-backup'], '--backup');
}

/** The same; one keeps everything, and clients ask the other one. */
export function bareForwardLauncher(): Launcher {
  return launcher('bare-forward', [], '--forward-to');
}

function launcher(name: string, others: readonly string[], option: string): Launcher {
  return {
    name,
    version: `Node ${process.version}`,
    start: (nodes) => start(nodes, others, option),
  };
}

/** `others` are the options of the second one, which the first one is told of by `option`. */
function start(nodes: number, others: readonly string[], option: string) {
  return startOrStop(async (children) => {
    const [port, otherPort] = (await freePorts(2)) as [number, number];
    const begin = async (at: number, ...args: string[]): Promise<Endpoint> => {
      const endpoint = { host: HOST, port: at };
      children.push(new Child(process.execPath, [COMMAND, String(at), ...args]));
      await untilReady(children, 'bare server', () => answersPing(endpoint));
      return endpoint;
    };
    if (nodes === 1) return [await begin(port)];
    await begin(otherPort, ...others);
    return [await begin(port, option, String(otherPort))];
  });
}
