import { setTimeout as delay } from 'node:timers/promises';
import { type Access, ask } from './asking.js';
import { pairsOf } from './text-table.js';

/** A node keeps so many. */
const EVENTS_MAX = 512;
/** Between two questions whether something has happened, milliseconds. */
const FOLLOW_MS = 500;

export interface EventsOptions extends Access {
  readonly host: string;
  readonly port: number;
  readonly count: number;
  readonly follow: boolean;
  readonly json: boolean;
}

/** What has happened, as one node says: `id` is 1, 2, ... in the life of its process. */
export interface EventLine {
  readonly id: number;
  /** Unix milliseconds. */
  readonly time: number;
  readonly kind: string;
  readonly text: string;
}

/** The last events that a node has seen, newest last, with all fields that CLUSTER EVENTS answers. */
export async function lastEvents(
  { host, port, ...access }: Access & { readonly host: string; readonly port: number },
  count: number,
): Promise<EventLine[]> {
  const reply = await ask(host, port, access, (client) => {
    return client.call('CLUSTER', 'EVENTS', Math.min(count, EVENTS_MAX));
  });
  return (reply as unknown[]).map((one) => {
    return Object.fromEntries(pairsOf(one)) as unknown as EventLine;
  });
}

export function eventText({ time, kind, text }: EventLine): string {
  return `${new Date(time).toISOString()}  ${kind.padEnd(11)}  ${text}`;
}

/**
 * `tandis events`: what the node asked has seen happen, newest last. With --follow until the reader ends it; exit status 1
 * when the node does not answer, or not any more.
 */
export async function showEvents(options: EventsOptions): Promise<number> {
  const { host, port, count, follow, json } = options;
  const print = (events: readonly EventLine[]): void => {
    for (const event of events) {
      process.stdout.write(`${json ? JSON.stringify(event) : eventText(event)}\n`);
    }
  };
  try {
    let seen = await lastEvents(options, follow ? EVENTS_MAX : count);
    print(count === 0 ? [] : seen.slice(-count));
    while (follow) {
      await delay(FOLLOW_MS);
      const now = await lastEvents(options, EVENTS_MAX);
      print(now.slice(firstNew(now, seen)));
      seen = now;
    }
    return 0;
  } catch (error) {
    process.stderr.write(`tandis: ${host}:${port}: ${(error as Error).message}\n`);
    return 1;
  }
}

/** Where what was not seen begins. A node that was started again counts from 1, and all that it says is new. */
function firstNew(now: readonly EventLine[], seen: readonly EventLine[]): number {
  const last = seen.at(-1);
  if (last === undefined) return 0;
  return now.findIndex(({ id, time }) => id === last.id && time === last.time) + 1;
}
