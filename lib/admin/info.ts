import { arch, release, totalmem, type } from 'node:os';
import { clientBuffers } from '../commands/client-buffers.js';
import { REDIS_VERSION } from '../commands/connection.js';
import { countedMemory } from '../commands/counted-memory.js';
import type { NodeServices } from '../commands/services.js';
import { limitsReached } from './limits-reached.js';
import { operatorLogs } from './operator-logs.js';

type Value = string | number;
type Fields = readonly (readonly [name: string, value: Value])[];

interface Section {
  readonly title: string;
  /** Not shown by default. */
  readonly onRequest?: true;
  /** In order. */
  readonly fields: (services: NodeServices) => Fields;
}

const SECONDS_PER_DAY = 24 * 3600;
const NO_REPLICATION_ID = '0'.repeat(40);

/** Bytes as Redis shows them to people. */
function human(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T', 'P'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${Math.floor(value)}B` : `${value.toFixed(2)}${units[unit]}`;
}

function server(services: NodeServices): Fields {
  const now = services.now();
  const uptime = Math.floor((now - services.startedAt) / 1000);
  return [
    ['redis_version', REDIS_VERSION],
    ['redis_git_sha1', '00000000'],
    ['redis_git_dirty', 0],
    ['redis_build_id', '0'],
    ['redis_mode', 'standalone'],
    ['tandis_version', services.version],
    ['os', `${type()} ${release()} ${arch()}`],
    ['arch_bits', 64],
    ['multiplexing_api', 'libuv'],
    ['node_version', process.versions.node],
    ['process_id', process.pid],
    ['process_supervised', 'no'],
    ['run_id', services.runId],
    ['tcp_port', services.cluster.self.port],
    ['server_time_usec', Math.floor(now * 1000)],
    ['uptime_in_seconds', uptime],
    ['uptime_in_days', Math.floor(uptime / SECONDS_PER_DAY)],
    ['hz', 10],
    ['configured_hz', 10],
    ['executable', process.execPath],
    ['config_file', services.configFile],
    ['io_threads_active', 0],
  ];
}

function clients(services: NodeServices): Fields {
  let blocked = 0;
  for (const client of services.clients.all())
    if (client.blocked?.isBlocked || client.isPostponed) blocked++;
  const { largestQuery, largestOutput } = clientBuffers(services.clients.all());
  return [
    ['connected_clients', services.clients.size],
    ['cluster_connections', Math.max(services.cluster.members.length - 1, 0)],
    ['maxclients', services.config.get('maxclients')],
    ['client_recent_max_input_buffer', largestQuery],
    ['client_recent_max_output_buffer', largestOutput],
    ['blocked_clients', blocked],
    ['tracking_clients', services.tracking.clientCount],
    ['clients_in_timeout_table', 0],
    ['tls_handshakes', services.statistics.tlsHandshakes],
    ['tls_handshakes_failed', services.statistics.tlsHandshakesFailed],
    ['tls_certificate_not_after', services.statistics.tlsCertificateEndsAt],
  ];
}

function memory(services: NodeServices): Fields {
  const { usedBytes, peakBytes, reservedBytes } = services.store();
  const { headroomBytes } = services.cluster.tandis();
  const counted = countedMemory(services);
  const { rss, heapTotal, heapUsed } = process.memoryUsage();
  const maxmemory = services.config.get('maxmemory');
  return [
    ['used_memory', usedBytes],
    ['used_memory_human', human(usedBytes)],
    ['used_memory_rss', rss],
    ['used_memory_rss_human', human(rss)],
    ['used_memory_peak', peakBytes],
    ['used_memory_peak_human', human(peakBytes)],
    ['used_memory_peak_perc', `${((usedBytes * 100) / Math.max(peakBytes, 1)).toFixed(2)}%`],
    ['used_memory_dataset', usedBytes],
    ['used_memory_primaries', counted.primaries],
    ['used_memory_backups', counted.backups],
    ['used_memory_tombstones', counted.tombstones],
    ['used_memory_reserved', reservedBytes],
    ['used_memory_heap', heapUsed],
    ['allocator_allocated', usedBytes + heapUsed],
    ['allocator_active', reservedBytes + heapTotal],
    ['allocator_resident', rss],
    ['total_system_memory', totalmem()],
    ['total_system_memory_human', human(totalmem())],
    ['used_memory_lua', services.scripts.usedBytes],
    ['used_memory_scripts', services.scripts.knownBytes],
    ['number_of_cached_scripts', services.scripts.count],
    ['scripts_running', services.scripts.runningCount],
    ['mem_clients_normal', counted.clientBuffers],
    ['mem_cluster_links', counted.busBacklog],
    ['mem_cluster_assembly', counted.assembly],
    ['maxmemory_counted', counted.total],
    ['maxmemory_headroom', headroomBytes ?? -1],
    ['maxmemory', maxmemory],
    ['maxmemory_human', human(maxmemory)],
    ['maxmemory_policy', services.config.get('maxmemory-policy')],
    ['mem_fragmentation_ratio', (reservedBytes / Math.max(usedBytes, 1)).toFixed(2)],
    ['mem_fragmentation_bytes', Math.max(reservedBytes - usedBytes, 0)],
    // Buffers of clients and members are no part of `used_memory`: all of it counts.
    ['mem_not_counted_for_evict', 0],
    ['mem_allocator', 'slab'],
    ['lazyfree_pending_objects', 0],
  ];
}

function persistence(services: NodeServices): Fields {
  return [
    ['loading', services.cluster.loading ? 1 : 0],
    ['async_loading', 0],
    ['rdb_changes_since_last_save', 0],
    ['rdb_bgsave_in_progress', 0],
    ['rdb_last_save_time', Math.floor(services.startedAt / 1000)],
    ['rdb_last_bgsave_status', 'ok'],
    ['rdb_last_bgsave_time_sec', -1],
    ['rdb_current_bgsave_time_sec', -1],
    ['aof_enabled', 0],
    ['aof_rewrite_in_progress', 0],
    ['aof_rewrite_scheduled', 0],
    ['aof_last_rewrite_time_sec', -1],
    ['aof_current_rewrite_time_sec', -1],
    ['aof_last_bgrewrite_status', 'ok'],
    ['aof_last_write_status', 'ok'],
  ];
}

function stats(services: NodeServices): Fields {
  const { statistics } = services;
  const { expiredKeys, evictedKeys } = services.store();
  return [
    ['total_connections_received', statistics.connectionsReceived],
    ['total_commands_processed', statistics.commandsProcessed],
    ['instantaneous_ops_per_sec', statistics.operationsPerSecond()],
    ['total_net_input_bytes', statistics.netInputBytes],
    ['total_net_output_bytes', statistics.netOutputBytes],
    ['instantaneous_input_kbps', (statistics.inputRate() / 1024).toFixed(2)],
    ['instantaneous_output_kbps', (statistics.outputRate() / 1024).toFixed(2)],
    ['rejected_connections', statistics.connectionsRejected],
    ['client_query_buffer_limit_disconnections', statistics.clientsClosed.query],
    ['client_output_buffer_limit_disconnections', statistics.clientsClosed.output],
    ['client_idle_disconnections', statistics.clientsClosed.idle],
    ['client_protocol_error_disconnections', statistics.clientsClosed.protocol],
    ['sync_full', 0],
    ['sync_partial_ok', 0],
    ['sync_partial_err', 0],
    ['expired_keys', expiredKeys],
    ['evicted_keys', evictedKeys],
    ['keyspace_hits', statistics.keyspaceHits],
    ['keyspace_misses', statistics.keyspaceMisses],
    ['pubsub_channels', services.subscriptions.channelCount],
    ['pubsub_patterns', services.subscriptions.patternCount],
    ['pubsub_subscriptions', services.subscriptions.total],
    ['latest_fork_usec', 0],
    ['total_forks', 0],
    ['tracking_total_keys', services.tracking.keyCount],
    ['tracking_total_items', services.tracking.itemCount],
    ['tracking_total_prefixes', services.tracking.prefixCount],
    ['acl_access_denied_auth', services.users.log.refused.auth],
    ['acl_access_denied_cmd', services.users.log.refused.command],
    ['acl_access_denied_key', services.users.log.refused.key],
    ['acl_access_denied_channel', services.users.log.refused.channel],
    ['unexpected_error_replies', 0],
    ['total_error_replies', statistics.errorReplies],
  ];
}

/** To clients every node is a master without replicas: any of them serves any key. */
function replication(services: NodeServices): Fields {
  return [
    ['role', 'master'],
    ['connected_slaves', 0],
    ['master_failover_state', 'no-failover'],
    ['master_replid', services.runId],
    ['master_replid2', NO_REPLICATION_ID],
    ['master_repl_offset', 0],
    ['second_repl_offset', -1],
    ['repl_backlog_active', 0],
    ['repl_backlog_size', 0],
    ['repl_backlog_first_byte_offset', 0],
    ['repl_backlog_histlen', 0],
  ];
}

function cpu(): Fields {
  const { system, user } = process.cpuUsage();
  const seconds = (microseconds: number) => (microseconds / 1e6).toFixed(6);
  return [
    ['used_cpu_sys', seconds(system)],
    ['used_cpu_user', seconds(user)],
    ['used_cpu_sys_children', seconds(0)],
    ['used_cpu_user_children', seconds(0)],
  ];
}

/** Times of commands that take next to none are those of a few, and stand for all. */
function commandstats(services: NodeServices): Fields {
  const used = [...services.statistics.commands].filter(
    ([, { calls, rejected, failed }]) => calls + rejected + failed > 0,
  );
  return used.map(([name, { calls, rejected, failed, microsecondsPerCall }]) => [
    `cmdstat_${name}`,
    `calls=${calls},usec=${Math.round(microsecondsPerCall * calls)}` +
      `,usec_per_call=${microsecondsPerCall.toFixed(2)}` +
      `,rejected_calls=${rejected},failed_calls=${failed}`,
  ]);
}

function errorstats(services: NodeServices): Fields {
  const counts = services.statistics.errorsByKind;
  return [...counts].map(([kind, count]) => [`errorstat_${kind}`, `count=${count}`]);
}

function keyspace(services: NodeServices): Fields {
  return services.store().databases.map(({ db, keys, expires, averageTtlMs }) => {
    return [`db${db}`, `keys=${keys},expires=${expires},avg_ttl=${Math.round(averageTtlMs)}`];
  });
}

function tandis(services: NodeServices): Fields {
  const { cluster } = services;
  const facts = cluster.tandis();
  const { self } = cluster;
  return [
    ['node_id', self.id],
    ['bus_port', self.busPort],
    ['zone', self.zone],
    ['view', cluster.viewId?.number ?? 0],
    ['view_coordinator', cluster.viewId?.coordinator ?? ''],
    ['members', cluster.members.length],
    ['serving', cluster.serving ? 1 : 0],
    ['settled', facts.settled ? 1 : 0],
    ['primaries', facts.primaries],
    ['backups', facts.backups],
    ['keys_without_backup', facts.keysWithoutBackup],
    ['lookups', facts.lookups],
    ['forwards', facts.forwards],
    ['take_overs', facts.takeOvers],
    ['promotions', facts.promotions],
    ['tombstones', facts.tombstones],
    ['tombstones_max', facts.tombstonesMax],
    ['members_missing', facts.membersMissing],
    ['deletes_forgotten', facts.deletesForgotten ? 1 : 0],
    ['merging_slots', facts.mergingSlots],
    ['merge_dropped_copies', facts.mergeDropped],
    ['published_messages_dropped', facts.messagesDropped],
    ['awaited_keys', facts.awaitedKeys],
    ['wait_hints', facts.waitHints],
    ['wait_hints_refused', facts.waitHintsRefused],
    ['locations', facts.locations],
    ['bus_connections', services.statistics.busConnections],
    ['bus_strangers', services.statistics.busStrangers],
    ['bus_backlog_bytes', facts.busBacklogBytes],
    ['bus_input_bytes', facts.busInputBytes],
    ['bus_output_bytes', facts.busOutputBytes],
    ...[...facts.busMessages].map(([kind, count]) => [`bus_messages_${kind}`, count] as const),
    ...[...facts.workOpen].map(([kind, count]) => [`work_open_${kind}`, count] as const),
    ...operatorLogs(services).flatMap(({ name, kept, recorded }) => [
      [`log_${name}_entries`, kept] as const,
      [`log_${name}_recorded`, recorded] as const,
    ]),
    ...limitsReached(services).map(
      ([name, count]) => [`limit_${name.replaceAll('-', '_')}`, count] as const,
    ),
  ];
}

const none = (): Fields => [];

/** By the names that INFO takes, in the order of its reply. */
const SECTIONS: Readonly<Record<string, Section>> = {
  server: { title: 'Server', fields: server },
  clients: { title: 'Clients', fields: clients },
  memory: { title: 'Memory', fields: memory },
  persistence: { title: 'Persistence', fields: persistence },
  stats: { title: 'Stats', fields: stats },
  replication: { title: 'Replication', fields: replication },
  cpu: { title: 'CPU', fields: cpu },
  modules: { title: 'Modules', fields: none },
  commandstats: { title: 'Commandstats', fields: commandstats, onRequest: true },
  errorstats: { title: 'Errorstats', fields: errorstats },
  cluster: { title: 'Cluster', fields: () => [['cluster_enabled', 0]] },
  keyspace: { title: 'Keyspace', fields: keyspace },
  tandis: { title: 'Tandis', fields: tandis },
};

/** The text of INFO for sections named in lower case, the usual ones when none is; unknown names are passed over. */
export function renderInfo(services: NodeServices, wanted: readonly string[]): string {
  const everything = wanted.includes('all') || wanted.includes('everything');
  const usual = wanted.length === 0 || wanted.includes('default');
  const blocks: string[] = [];
  for (const [name, section] of Object.entries(SECTIONS)) {
    const isShown = everything || (usual && section.onRequest !== true) || wanted.includes(name);
    if (!isShown) continue;
    const lines = section.fields(services).map(([field, value]) => `${field}:${value}\r\n`);
    blocks.push(`# ${section.title}\r\n${lines.join('')}`);
  }
  return blocks.join('\r\n');
}
