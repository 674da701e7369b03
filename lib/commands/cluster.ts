import { type ClusterEvent, EVENTS_MAX } from '../cluster/cluster-events.js';
import type { Member } from '../cluster/member.js';
import type { ForgetOutcome } from '../cluster/membership/forgetting.js';
import { keySlot, SLOTS } from '../protocol/crc16.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { integerOrReply, rangeOrReply } from './arguments.js';
import { Errors } from './errors.js';
import { helpHandler } from './help.js';
import type { ClusterFacts, KeyLocation, SlotRange } from './services.js';
import { type CommandContext, type Handlers, QueueMode } from './spec.js';

/** The port of a member that a client can speak with. */
function portOf(member: Member, usesTls: boolean): number {
  return usesTls ? (member.tlsPort ?? member.port) : member.port;
}

function addressOf(member: Member, usesTls: boolean): string {
  return `${member.host}:${portOf(member, usesTls)}`;
}

/** The same, with the bus port of a member without a port for clients: it is in somebody else's process. */
function placeOf(member: Member, usesTls: boolean): string {
  const address = addressOf(member, usesTls);
  return member.port === 0 ? `${address}@${member.busPort}` : address;
}

/** Where clients find a member: in the place of one without a port for them stands the one asked, as any serves any key. */
const reached = (member: Member, self: Member): Member =>
  member.port === 0 || member.id === self.id ? self : member;

/** The ranges of each member, under the id of the one that `place` puts in its place. */
function rangesByAnchor(
  cluster: ClusterFacts,
  place: (member: Member) => Member = (member) => member,
): Map<string, SlotRange[]> {
  const byAnchor = new Map<string, SlotRange[]>();
  for (const member of cluster.members) byAnchor.set(place(member).id, []);
  for (const range of cluster.slotRanges()) {
    const ranges = byAnchor.get(place(range.anchor).id);
    const last = ranges?.at(-1);
    // Neighbours with different backups are one range here.
    if (ranges && last && last.last + 1 === range.first) {
      ranges[ranges.length - 1] = { ...last, last: range.last };
    } else {
      ranges?.push(range);
    }
  }
  return byAnchor;
}

function info(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { cluster } = context.services;
  const slots = cluster.viewId === null ? 0 : SLOTS;
  const epoch = cluster.viewId?.number ?? 0;
  const tandis = cluster.tandis();
  let sent = 0;
  for (const count of tandis.busMessages.values()) sent += count;
  const lines = [
    `cluster_state:${cluster.serving ? 'ok' : 'fail'}`,
    `cluster_slots_assigned:${slots}`,
    `cluster_slots_ok:${cluster.serving ? slots : 0}`,
    'cluster_slots_pfail:0',
    'cluster_slots_fail:0',
    `cluster_known_nodes:${Math.max(cluster.members.length, 1)}`,
    `cluster_size:${cluster.members.length}`,
    `cluster_current_epoch:${epoch}`,
    `cluster_my_epoch:${epoch}`,
    `cluster_stats_messages_sent:${sent}`,
    'cluster_stats_messages_received:0',
    'total_cluster_links_buffer_limit_exceeded:0',
  ];
  reply.verbatim('txt', lines.map((line) => `${line}\r\n`).join(''));
}

function nodes(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { cluster } = context.services;
  const epoch = cluster.viewId?.number ?? 0;
  const ranges = rangesByAnchor(cluster);
  let text = '';
  for (const member of cluster.members.length > 0 ? cluster.members : [cluster.self]) {
    const role = member.id === cluster.self.id ? 'myself,master' : 'master';
    const flags = member.leaving ? `${role},leaving` : role;
    const slots = (ranges.get(member.id) ?? []).map(({ first, last }) =>
      first === last ? ` ${first}` : ` ${first}-${last}`,
    );
    const address = `${addressOf(member, context.client.usesTls)}@${member.busPort}`;
    text += `${member.id} ${address} ${flags} - 0 0 ${epoch} connected${slots.join('')}\n`;
  }
  for (const member of cluster.missingMembers) {
    const address = `${addressOf(member, context.client.usesTls)}@${member.busPort}`;
    text += `${member.id} ${address} master,fail - 0 0 ${epoch} disconnected\n`;
  }
  reply.verbatim('txt', text);
}

function slots(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { cluster } = context.services;
  const ranges = cluster.slotRanges();
  reply.array(ranges.length);
  for (const { first, last, anchor, backup } of ranges) {
    const members = new Set([anchor, backup ?? anchor].map((one) => reached(one, cluster.self)));
    reply.array(2 + members.size);
    reply.integer(first);
    reply.integer(last);
    for (const member of members) {
      reply.array(4);
      reply.bulkLatin1(member.host);
      reply.integer(portOf(member, context.client.usesTls));
      reply.bulkLatin1(member.id);
      reply.array(0);
    }
  }
}

function shards(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { cluster } = context.services;
  const place = (member: Member) => reached(member, cluster.self);
  const ranges = rangesByAnchor(cluster, place);
  const members = cluster.members.filter((member) => place(member).id === member.id);
  reply.array(members.length);
  for (const member of members) {
    const own = ranges.get(member.id)!;
    reply.map(2);
    reply.bulkLatin1('slots');
    reply.array(own.length * 2);
    for (const { first, last } of own) {
      reply.integer(first);
      reply.integer(last);
    }
    reply.bulkLatin1('nodes');
    reply.array(1);
    writeShardNode(member, reply);
  }
}

function writeShardNode(member: Member, reply: ReplyWriter): void {
  const ports: [string, number][] = [];
  const isPlain = member.port !== 0 && member.port !== member.tlsPort;
  if (isPlain) ports.push(['port', member.port]);
  if (member.tlsPort !== undefined) ports.push(['tls-port', member.tlsPort]);
  reply.map(6 + ports.length);
  reply.bulkLatin1('id');
  reply.bulkLatin1(member.id);
  for (const [name, port] of ports) {
    reply.bulkLatin1(name);
    reply.integer(port);
  }
  reply.bulkLatin1('ip');
  reply.bulkLatin1(member.host);
  reply.bulkLatin1('endpoint');
  reply.bulkLatin1(member.host);
  reply.bulkLatin1('role');
  reply.bulkLatin1('master');
  reply.bulkLatin1('replication-offset');
  reply.integer(0);
  reply.bulkLatin1('health');
  reply.bulkLatin1('online');
}

function myid(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.bulkLatin1(context.services.cluster.self.id);
}

function keyslot(_context: CommandContext, request: Request, reply: ReplyWriter): void {
  reply.integer(keySlot(request.buffer, request.start[2]!, request.end[2]!));
}

function countkeysinslot(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const slot = integerOrReply(request, 2, reply);
  if (slot === undefined) return;
  if (slot < 0 || slot >= SLOTS) reply.error('ERR Invalid slot');
  else reply.integer(context.services.cluster.keysInSlot(Number(slot)));
}

function locate(context: CommandContext, request: Request): void {
  const answer = context.defer();
  // When the answer comes another command may be the one that runs, or none.
  const { usesTls } = context.client;
  context.services.cluster.locate(context.db, request.bytes(2), (location) => {
    answer((reply) => {
      if (typeof location === 'string') reply.error(location);
      else writeLocation(location, usesTls, reply);
    });
  });
}

function writeLocation(location: KeyLocation, usesTls: boolean, reply: ReplyWriter): void {
  reply.map(6);
  reply.bulkLatin1('slot');
  reply.integer(location.slot);
  const members = [
    ['anchor', location.anchor],
    ['primary', location.primary],
    ['backup', location.backup],
  ] as const;
  for (const [name, member] of members) {
    reply.bulkLatin1(name);
    if (member === null) reply.nil();
    else reply.bulkLatin1(placeOf(member, usesTls));
  }
  reply.bulkLatin1('version');
  reply.integer(location.version);
  reply.bulkLatin1('settled');
  reply.integer(location.settled ? 1 : 0);
}

const EVENTS_SHOWN = 100;

/** CLUSTER EVENTS [count]: newest last. */
function events(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc > 3) {
    reply.error(Errors.syntax);
    return;
  }
  const error = `ERR count should be between 0 and ${EVENTS_MAX}`;
  const given =
    request.argc < 3
      ? EVENTS_SHOWN
      : rangeOrReply(request, 2, 0n, BigInt(EVENTS_MAX), reply, error);
  if (given === undefined) return;
  const found = context.services.cluster.events(Number(given));
  reply.array(found.length);
  for (const event of found) writeEvent(event, context.client.usesTls, reply);
}

function writeEvent(event: ClusterEvent, usesTls: boolean, reply: ReplyWriter): void {
  const { member } = event;
  reply.map(8);
  reply.bulkLatin1('id');
  reply.integer(event.id);
  reply.bulkLatin1('time');
  reply.integer(event.at);
  reply.bulkLatin1('kind');
  reply.bulkLatin1(event.kind);
  reply.bulkLatin1('member');
  reply.bulkLatin1(member?.id ?? '');
  reply.bulkLatin1('address');
  reply.bulkLatin1(member === null ? '' : addressOf(member, usesTls));
  reply.bulkLatin1('view');
  reply.integer(event.view);
  reply.bulkLatin1('count');
  reply.integer(event.count);
  reply.bulkLatin1('text');
  reply.bulkUtf8(event.text);
}

/** CLUSTER COPIES: with which other members this node shares how many keys. */
function copies(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { cluster } = context.services;
  const shared = cluster.copies();
  reply.array(shared.size);
  for (const [id, { primaries, backups }] of shared) {
    const member = cluster.members.find((one) => one.id === id);
    reply.map(4);
    reply.bulkLatin1('member');
    reply.bulkLatin1(id);
    reply.bulkLatin1('address');
    reply.bulkLatin1(member === undefined ? '' : addressOf(member, context.client.usesTls));
    reply.bulkLatin1('primaries');
    reply.integer(primaries);
    reply.bulkLatin1('backups');
    reply.integer(backups);
  }
}

const FORCE = 'force';
const DRAIN = 'send SHUTDOWN to it, or use `tandis drain`, and it leaves with nothing lost';

/** Null when it is forgotten. */
export function forgetError(outcome: ForgetOutcome, id: string): string | null {
  switch (outcome) {
    case 'forgotten':
      return null;
    case 'self':
      return "ERR I tried hard but I can't forget myself...";
    case 'unknown':
      return `ERR Unknown node ${id}`;
    case 'alive':
      return `ERR Node ${id} is alive: ${DRAIN}`;
    case 'silent':
      return `ERR Node ${id} is silent, and about to be left out without a word: try again in a moment`;
    case 'unproven':
      return `ERR Too few members are reached to go on without node ${id}. Make sure that its process does not run and never will, as else both serve and changes are lost; then CLUSTER FORGET ${id} FORCE`;
  }
}

function forget(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const isForced = request.argc === 4 && request.latin1(3).toLowerCase() === FORCE;
  if (request.argc > 3 && !isForced) {
    reply.error(Errors.syntax);
    return;
  }
  const id = request.latin1(2);
  const error = forgetError(context.services.cluster.forget(id.toLowerCase(), isForced), id);
  if (error === null) reply.ok();
  else reply.error(error);
}

/** Any node serves any key, so there is nothing to switch: drivers made for Redis Cluster send these and expect OK. */
function accept(_context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.ok();
}

const HELP = [
  'COPIES',
  '    Return how many keys this node holds together with each other node.',
  'COUNTKEYSINSLOT <slot>',
  '    Return the number of keys in <slot>.',
  'EVENTS [<count>]',
  '    Return the last <count> events of the cluster as this node has seen them, newest last (default: 100).',
  'FORGET <node-id> [FORCE]',
  '    Remove a node that is gone for good from the cluster. With FORCE also where too few',
  '    members are left to go on without it (partition-policy majority).',
  'INFO',
  '    Return information about the cluster.',
  'KEYSLOT <key>',
  '    Return the hash slot for <key>.',
  'LOCATE <key>',
  '    Return the nodes that hold <key>: its anchor, its primary and its backup.',
  'MYID',
  '    Return the node id.',
  'NODES',
  '    Return cluster configuration seen by node. Output format:',
  '    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...',
  'SLOTS',
  '    Return information about slots range mappings. Each range is made of:',
  '    start, end, master and replicas IP addresses, ports and ids',
  'SHARDS',
  '    Return information about slot range mappings and the nodes associated with them.',
];

export const clusterHandlers: Handlers = {
  'cluster|info': { run: info },
  'cluster|nodes': { run: nodes },
  'cluster|slots': { run: slots },
  'cluster|shards': { run: shards },
  'cluster|myid': { run: myid },
  'cluster|keyslot': { run: keyslot },
  'cluster|countkeysinslot': { run: countkeysinslot },
  'cluster|locate': { queueMode: QueueMode.NotAlone, run: locate },
  'cluster|events': { run: events },
  'cluster|copies': { run: copies },

  'cluster|forget': { queueMode: QueueMode.NotAlone, run: forget },
  'cluster|help': { run: helpHandler(HELP) },
  readonly: { run: accept },
  readwrite: { run: accept },
  asking: { run: accept },
};
