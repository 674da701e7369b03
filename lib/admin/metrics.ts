import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { clientBuffers } from '../commands/client-buffers.js';
import { countedMemory } from '../commands/counted-memory.js';
import type { NodeServices } from '../commands/services.js';
import { limitsReached } from './limits-reached.js';
import { operatorLogs } from './operator-logs.js';

type Samples = number | readonly (readonly [label: string, value: number])[];

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  /** Name of the one label, where values come with it. */
  readonly label?: string;
  readonly read: (services: NodeServices) => Samples;
}

const gauge = (name: string, help: string, read: Metric['read'], label?: string): Metric => ({
  name: `tandis_${name}`,
  help,
  type: 'gauge',
  read,
  ...(label === undefined ? {} : { label }),
});

const counter = (name: string, help: string, read: Metric['read'], label?: string): Metric => ({
  ...gauge(`${name}_total`, help, read, label),
  type: 'counter',
});

/** What /metrics shows of this node, beside what prom-client knows of the process. Names follow Prometheus: units in full, counters end in _total. */
const METRICS: readonly Metric[] = [
  gauge('up', 'Whether commands on keys are answered', ({ cluster }) => Number(cluster.serving)),
  gauge('members', 'Members of the view', ({ cluster }) => cluster.members.length),
  gauge('view', 'Number of the installed view', ({ cluster }) => cluster.viewId?.number ?? 0),
  gauge('settled', 'Whether every copy is where the view wants it', ({ cluster }) =>
    Number(cluster.tandis().settled),
  ),
  gauge('keys_without_backup', 'Keys of the whole cluster that have one copy', ({ cluster }) => {
    return cluster.tandis().keysWithoutBackup;
  }),
  gauge(
    'keys',
    'Copies held here',
    ({ cluster }) => {
      const { primaries, backups, tombstones } = cluster.tandis();
      return [
        ['primary', primaries],
        ['backup', backups],
        ['tombstone', tombstones],
      ];
    },
    'role',
  ),
  gauge(
    'members_missing',
    'Members that may serve on the other side of a partition',
    (services) => services.cluster.tandis().membersMissing,
  ),
  gauge(
    'merging_slots',
    'Slots that nobody serves until two sides have merged',
    (services) => services.cluster.tandis().mergingSlots,
  ),
  gauge('clients', 'Client connections', ({ clients }) => clients.size),
  gauge('clients_max', 'Client connections at most', ({ config }) => config.get('maxclients')),
  gauge('memory_used_bytes', 'Of keys and values', (services) => services.store().usedBytes),
  gauge('memory_reserved_bytes', 'For keys and values, with what is free inside', (services) => {
    return services.store().reservedBytes;
  }),
  gauge('memory_max_bytes', 'maxmemory; 0 for no limit', ({ config }) => config.get('maxmemory')),
  gauge(
    'memory_counted_bytes',
    'What is compared with maxmemory, by part',
    (services) => {
      const counted = countedMemory(services);
      return [
        ['primaries', counted.primaries],
        ['backups', counted.backups],
        ['tombstones', counted.tombstones],
        ['client_buffers', counted.clientBuffers],
        ['bus_backlog', counted.busBacklog],
        ['assembly', counted.assembly],
      ];
    },
    'part',
  ),
  gauge('memory_headroom_bytes', 'What the other members may still send here', (services) => {
    return services.cluster.tandis().headroomBytes ?? Number.POSITIVE_INFINITY;
  }),
  counter('commands', 'Commands run', ({ statistics }) => statistics.commandsProcessed),
  counter('connections', 'Client connections accepted', ({ statistics }) => {
    return statistics.connectionsReceived;
  }),
  counter(
    'connections_rejected',
    'Client connections above maxclients, or from elsewhere in protected mode',
    ({ statistics }) => statistics.connectionsRejected,
  ),
  counter(
    'clients_closed',
    'Clients closed for idling, for output that they do not take, for a query buffer that is full, or for what is no command',
    ({ statistics }) => Object.entries(statistics.clientsClosed),
    'reason',
  ),
  gauge(
    'client_buffer_bytes',
    'Of commands that have not come whole, and of replies that have not been taken',
    ({ clients }) => {
      const { query, output } = clientBuffers(clients.all());
      return [
        ['query', query],
        ['output', output],
      ];
    },
    'kind',
  ),
  gauge('subscriptions', 'Of clients here, to channels and patterns', ({ subscriptions }) => {
    return subscriptions.total;
  }),
  gauge('tls_handshakes', 'TLS handshakes under way, of clients and members', ({ statistics }) => {
    return statistics.tlsHandshakes;
  }),
  counter('tls_handshakes_failed', 'TLS handshakes that came to nothing', ({ statistics }) => {
    return statistics.tlsHandshakesFailed;
  }),
  gauge(
    'tls_certificate_not_after_timestamp_seconds',
    'When the certificate of this node ends; 0 without TLS',
    ({ statistics }) => statistics.tlsCertificateEndsAt,
  ),
  counter('client_input_bytes', 'Received from clients', ({ statistics }) => {
    return statistics.netInputBytes;
  }),
  counter('client_output_bytes', 'Sent to clients', ({ statistics }) => statistics.netOutputBytes),
  counter('keyspace_hits', 'Reads that found their key', ({ statistics }) => {
    return statistics.keyspaceHits;
  }),
  counter('keyspace_misses', 'Reads that did not', ({ statistics }) => statistics.keyspaceMisses),
  counter('expired_keys', 'Keys whose time was over', (services) => services.store().expiredKeys),
  counter('evicted_keys', 'Keys given up for memory', (services) => services.store().evictedKeys),
  counter(
    'error_replies',
    'Error replies by their first word',
    ({ statistics }) => [...statistics.errorsByKind],
    'kind',
  ),
  counter('lookups', 'Keys asked for at other members', ({ cluster }) => cluster.tandis().lookups),
  counter('forwards', 'Commands run by other members', ({ cluster }) => cluster.tandis().forwards),
  counter('take_overs', 'Sessions that followed their users here', ({ cluster }) => {
    return cluster.tandis().takeOvers;
  }),
  counter('promotions', 'Backups that became primaries', ({ cluster }) => {
    return cluster.tandis().promotions;
  }),
  gauge(
    'work_open',
    'Claims, look-ups and the like under way, by kind',
    ({ cluster }) => [...cluster.tandis().workOpen],
    'kind',
  ),
  gauge(
    'scripts',
    'Scripts that are known, and that run',
    ({ scripts }) => [
      ['known', scripts.count],
      ['running', scripts.runningCount],
    ],
    'state',
  ),
  gauge(
    'scripts_memory_bytes',
    'Of the interpreter of scripts, and of the scripts that are known',
    ({ scripts }) => [
      ['interpreter', scripts.usedBytes],
      ['known', scripts.knownBytes],
    ],
    'kind',
  ),
  gauge('clients_blocked', 'Clients that wait for a key', ({ clients }) => {
    let blocked = 0;
    for (const client of clients.all())
      if (client.blocked?.isBlocked || client.isPostponed) blocked++;
    return blocked;
  }),
  gauge(
    'wait_hints',
    'Pairs of a key and a member that waits for it, as their anchor',
    ({ cluster }) => cluster.tandis().waitHints,
  ),
  gauge(
    'tracking_keys',
    'Keys that clients which track have read',
    ({ tracking }) => tracking.keyCount,
  ),
  gauge('tracking_prefixes', 'Prefixes that clients track', ({ tracking }) => tracking.prefixCount),
  gauge(
    'locations',
    'Keys of other nodes whose primary is remembered',
    ({ cluster }) => cluster.tandis().locations,
  ),
  gauge('bus_connections', 'Connections with members and strangers', ({ statistics }) => {
    return statistics.busConnections;
  }),
  gauge(
    'bus_strangers',
    'Connections to the bus port of nobody knows whom',
    ({ statistics }) => statistics.busStrangers,
  ),
  counter(
    'published_messages_dropped',
    'Published messages that a member was not sent, as too much for it was waiting',
    ({ cluster }) => cluster.tandis().messagesDropped,
  ),
  counter(
    'wait_hints_refused',
    'Members that wait for a key and were not remembered',
    ({ cluster }) => cluster.tandis().waitHintsRefused,
  ),
  counter(
    'limit_reached',
    'How often a bound was reached, by its name in docs/limits.md',
    (services) => limitsReached(services),
    'limit',
  ),
  gauge(
    'log_entries',
    'Entries that are kept for operators: SLOWLOG, LATENCY, ACL LOG, CLUSTER EVENTS',
    (services) => operatorLogs(services).map(({ name, kept }) => [name, kept] as const),
    'log',
  ),
  counter(
    'log_entries_recorded',
    'Entries of these logs since the start, those that were forgotten too',
    (services) => operatorLogs(services).map(({ name, recorded }) => [name, recorded] as const),
    'log',
  ),
  gauge('bus_backlog_bytes', 'For members, and not acknowledged by them', ({ cluster }) => {
    return cluster.tandis().busBacklogBytes;
  }),
  counter('bus_input_bytes', 'Received from members', ({ cluster }) => {
    return cluster.tandis().busInputBytes;
  }),
  counter('bus_output_bytes', 'Sent to members', ({ cluster }) => {
    return cluster.tandis().busOutputBytes;
  }),
  counter(
    'bus_messages',
    'Messages sent to members, by kind',
    ({ cluster }) => [...cluster.tandis().busMessages],
    'kind',
  ),
];

function pairsOf(samples: Samples): readonly (readonly [string | null, number])[] {
  return typeof samples === 'number' ? [[null, samples]] : samples;
}

/** Registers a metric whose values are read when somebody asks for them. */
function register(registry: Registry, metric: Metric, services: NodeServices): void {
  const { name, help, label } = metric;
  const base = {
    name,
    help,
    registers: [registry],
    labelNames: label === undefined ? [] : [label],
  };
  const each = (add: (labels: Record<string, string>, value: number) => void): void => {
    for (const [text, value] of pairsOf(metric.read(services))) {
      add(label === undefined || text === null ? {} : { [label]: text }, value);
    }
  };
  if (metric.type === 'gauge') {
    const one: Gauge = new Gauge({
      ...base,
      collect: () => each((labels, value) => one.set(labels, value)),
    });
    return;
  }
  const one: Counter = new Counter({
    ...base,
    collect: () => {
      one.reset();
      each((labels, value) => one.inc(labels, value));
    },
  });
}

/** The metrics of one node. `render` gives the text that Prometheus scrapes. */
export class Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #registry = new Registry();

  constructor(services: NodeServices) {
    collectDefaultMetrics({ register: this.#registry });
    for (const metric of METRICS) register(this.#registry, metric, services);
  }

  render(): Promise<string> {
    return this.#registry.metrics();
  }
}
