import type { Test } from 'tap';
import { freePorts, type Run, tandis } from '../cli/processes.js';

/** Starts the demo with so many users beside, on ports of the system's choice; ends with its test. */
export async function startDemo(t: Test, users: number): Promise<{ run: Run; url: string }> {
  const nodePort = await freePorts(3);
  const ports = ['--port', '0', '--node-port', String(nodePort)];
  const run = tandis(t, 'demo', ...ports, '--users', String(users));
  const [, url] = await run.printed(/Open (http:\S+)/);
  return { run, url: url! };
}
