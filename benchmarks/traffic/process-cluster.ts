import { setTimeout as delay } from 'node:timers/promises';
import { AdminClient } from '../servers/admin-client.js';
import { parseInfo, stopAll } from '../servers/server.js';
import { tandisLauncher } from '../servers/tandis.js';
import { type BusCount, type LocationList, sumOf, type TrafficCluster } from './traffic-cluster.js';

/** Acks and confirmations of the last commands are on their way for less than this. */
const CALM_MS = 300;
/** What is sent without any command is watched for so long, whole rounds of the comparison of copies. */
const REST_MS = 2000;
const MESSAGES = 'bus_messages_';

/**
 * A cluster of real processes on this machine. What its nodes send at rest is measured first, and left out of the
 * counts.
 */
export async function startProcesses(nodes: number, list: LocationList): Promise<TrafficCluster> {
  const launcher = tandisLauncher({ nodeArgs: [], serverArgs: ['--location-list', list] });
  const servers = await launcher.start(nodes);
  const clients = servers.endpoints.map((endpoint) => new AdminClient(endpoint));
  const total = async (): Promise<TimedCount> => {
    const sum = sumOf(await Promise.all(clients.map(countOf)));
    return { ...sum, at: performance.now() };
  };
  const first = await total();
  await delay(REST_MS);
  const second = await total();
  return {
    nodes,
    run: async (commands) => {
      await Promise.all(clients.map((client, i) => sendEach(client, commands[i] ?? [])));
    },
    count: async () => {
      await delay(CALM_MS);
      return withoutRest(first, second, await total());
    },
    stop: async () => {
      for (const client of clients) client.close();
      await stopAll(servers.children);
    },
  };
}

interface TimedCount extends BusCount {
  readonly at: number;
}

/** `now` without what would have been sent anyway, going by the time between `first` and `second`. */
function withoutRest(first: TimedCount, second: TimedCount, now: TimedCount): BusCount {
  const times = (now.at - second.at) / (second.at - first.at);
  const rest = (before: number, after: number) => (after - before) * times;
  const messages = [...now.messages].map(([kind, count]): [string, number] => [
    kind,
    count - rest(first.messages.get(kind)!, second.messages.get(kind)!),
  ]);
  return { bytes: now.bytes - rest(first.bytes, second.bytes), messages: new Map(messages) };
}

async function sendEach(client: AdminClient, commands: readonly string[][]): Promise<void> {
  for (const command of commands) {
    const reply = await client.ask(...command);
    if (reply instanceof Error) throw reply;
  }
}

async function countOf(client: AdminClient): Promise<BusCount> {
  const reply = await client.ask('INFO', 'tandis');
  if (typeof reply !== 'string') throw new Error(`no INFO: ${String(reply)}`);
  const messages = new Map<string, number>();
  const facts = parseInfo(reply);
  for (const [name, value] of facts)
    if (name.startsWith(MESSAGES)) messages.set(name.slice(MESSAGES.length), Number(value));
  return { bytes: Number(facts.get('bus_output_bytes')), messages };
}
