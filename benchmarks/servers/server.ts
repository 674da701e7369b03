import { setTimeout as delay } from 'node:timers/promises';
import type { Endpoint } from '../load/run-spec.js';
import { askOnce } from './admin-client.js';
import type { Child } from './children.js';

const READY_MS_MAX = 20_000;
const READY_CHECK_MS = 20;

/** One or more server processes that together serve one data set. */
export interface RunningServers {
  /** Where clients connect; the first is the one that is used when a case uses one. */
  readonly endpoints: readonly Endpoint[];
  readonly children: readonly Child[];
}

/** A server that can be started, or the reason why not. */
export interface Launcher {
  readonly name: string;
  /** Version text, or null where it is not installed. */
  readonly version: string | null;
  /** Throws when the processes do not become ready in time. Starts as many nodes as asked for. */
  start(nodes: number): Promise<RunningServers>;
}

/** The facts of an INFO reply. */
export function parseInfo(text: string): Map<string, string> {
  const facts = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) facts.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return facts;
}

export async function infoOf(endpoint: Endpoint): Promise<Map<string, string>> {
  const reply = await askOnce(endpoint, 'INFO');
  return typeof reply === 'string' ? parseInfo(reply) : new Map();
}

/** Waits until `isReady`; throws when a process ends first, or after 20 seconds. */
export async function untilReady(
  children: readonly Child[],
  what: string,
  isReady: () => Promise<boolean>,
): Promise<void> {
  const giveUpAt = performance.now() + READY_MS_MAX;
  while (!(await isReady())) {
    const ended = children.find((child) => child.hasEnded);
    if (ended !== undefined) throw new Error(`${what}: process ended: ${ended.lastOutput}`);
    if (performance.now() > giveUpAt)
      throw new Error(`${what}: not ready after ${READY_MS_MAX} ms: ${children[0]?.lastOutput}`);
    await delay(READY_CHECK_MS);
  }
}

export async function answersPing(endpoint: Endpoint): Promise<boolean> {
  return (await askOnce(endpoint, 'PING')) === 'PONG';
}

/** Stops what `start` began when it fails half-way. */
export async function startOrStop(
  start: (children: Child[]) => Promise<readonly Endpoint[]>,
): Promise<RunningServers> {
  const children: Child[] = [];
  try {
    return { endpoints: await start(children), children };
  } catch (error) {
    await stopAll(children);
    throw error;
  }
}

export async function stopAll(children: readonly Child[]): Promise<void> {
  await Promise.all(children.map((child) => child.stop()));
}
