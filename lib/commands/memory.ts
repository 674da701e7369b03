import { ENTRY_OVERHEAD_BYTES } from '../cluster/headroom.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { integerOrReply } from './arguments.js';
import { countedMemory } from './counted-memory.js';
import { Errors } from './errors.js';
import { helpHandler } from './help.js';
import { peekForRead } from './lookup.js';
import type { NodeServices } from './services.js';
import type { CommandContext, Handlers } from './spec.js';

/** Above this share of what is reserved being free MEMORY DOCTOR has something to say. */
const FREE_SHARE_MAX = 0.5;
/** Above this share of maxmemory being taken, too. */
const FULL_SHARE = 0.8;
/** Above so many bytes of buffers, of clients or for members, too. */
const BUFFER_BYTES_MAX = 32 * 1024 * 1024;
/** Below it there is nothing to say about what is free. */
const TALK_BYTES_MIN = 5 * 1024 * 1024;

/** What the key takes on one of its two nodes. SAMPLES is read, and of no use: a value is one piece of memory. */
function usage(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { keyspace } = context;
  for (let i = 3; i < request.argc; i += 2) {
    if (!request.is(i, 'SAMPLES') || i + 1 === request.argc) {
      reply.error(Errors.syntax);
      return;
    }
    const samples = integerOrReply(request, i + 1, reply);
    if (samples === undefined) return;
    if (samples < 0) {
      reply.error(Errors.syntax);
      return;
    }
  }
  const ref = peekForRead(context, request, 2);
  if (ref === 0) {
    reply.nil();
    return;
  }
  const index = keyspace.attached(ref)?.bytes ?? 0;
  reply.integer(ENTRY_OVERHEAD_BYTES + request.length(2) + keyspace.valueLength(ref) + index);
}

const megabytes = (bytes: number): number => Math.round(bytes / (1024 * 1024));

type Figure = readonly [name: string, value: number];

function writeFigures(figures: readonly Figure[], reply: ReplyWriter): void {
  for (const [name, value] of figures) {
    reply.bulkLatin1(name);
    if (Number.isInteger(value)) reply.integer(value);
    else reply.double(value);
  }
}

/** Of this node; names are those of Redis, as far as they mean something here. */
function stats(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { services } = context;
  const { scripts } = services;
  const { usedBytes, peakBytes, reservedBytes, databases } = services.store();
  const counted = countedMemory(services);
  const keys = databases.reduce((sum, one) => sum + one.keys, 0);
  const overhead = keys * ENTRY_OVERHEAD_BYTES;
  const dataset = Math.max(usedBytes - overhead, 0);
  const share = (part: number, whole: number): number => (part * 100) / Math.max(whole, 1);
  const before: Figure[] = [
    ['peak.allocated', peakBytes],
    ['total.allocated', usedBytes],
    ['startup.allocated', 0],
    ['replication.backlog', 0],
    ['clients.slaves', 0],
    ['clients.normal', counted.clientBuffers],
    ['cluster.links', counted.busBacklog],
    ['cluster.assembly', counted.assembly],
    ['aof.buffer', 0],
    ['lua.caches', scripts.knownBytes],
    ['functions.caches', 0],
  ];
  const after: Figure[] = [
    ['overhead.total', overhead],
    ['keys.count', keys],
    ['keys.bytes-per-key', keys === 0 ? 0 : Math.floor(usedBytes / keys)],
    ['dataset.bytes', dataset],
    ['dataset.percentage', share(dataset, usedBytes)],
    ['peak.percentage', share(usedBytes, peakBytes)],
    ['allocator.allocated', usedBytes],
    ['allocator.active', reservedBytes],
    ['allocator.resident', reservedBytes],
    ['fragmentation', reservedBytes / Math.max(usedBytes, 1)],
    ['fragmentation.bytes', reservedBytes - usedBytes],
  ];
  reply.map(before.length + databases.length + after.length);
  writeFigures(before, reply);
  for (const { db, keys: inDatabase } of databases) {
    reply.bulkLatin1(`db.${db}`);
    reply.map(2);
    writeFigures([['overhead.hashtable.main', inDatabase * ENTRY_OVERHEAD_BYTES]], reply);
    // An expiry is a field of its entry.
    writeFigures([['overhead.hashtable.expires', 0]], reply);
  }
  writeFigures(after, reply);
}

/** What an operator may want to know of the memory of this node, one sentence each. */
function* findings(services: NodeServices): Generator<string> {
  const { config } = services;
  const { usedBytes, reservedBytes, evictedKeys } = services.store();
  const { clientBuffers, busBacklog, assembly, total } = countedMemory(services);
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const free = (reservedBytes - usedBytes) / Math.max(reservedBytes, 1);
  if (usedBytes > TALK_BYTES_MIN && free > FREE_SHARE_MAX)
    yield `${percent(free)} of the memory that is reserved is free. It is given back step by step when keys have gone.`;
  const limit = config.get('maxmemory');
  const share = total / limit;
  if (limit > 0 && share > FULL_SHARE)
    yield `${percent(share)} of maxmemory is taken. Above it new sessions are refused, or others evicted: maxmemory-policy is ${config.get('maxmemory-policy')}.`;
  if (evictedKeys > 0)
    yield `${evictedKeys} keys were evicted since the start, and who owned them was logged out.`;
  if (clientBuffers > BUFFER_BYTES_MAX)
    yield `Clients have ${megabytes(clientBuffers)} MB in buffers: CLIENT LIST shows who (qbuf, omem).`;
  if (busBacklog > BUFFER_BYTES_MAX)
    yield `${megabytes(busBacklog)} MB wait for other members: their machines, or the network, are too slow.`;
  if (assembly > BUFFER_BYTES_MAX)
    yield `Large values that are coming in from other members take ${megabytes(assembly)} MB until they are here.`;
}

function doctor(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const found = [...findings(context.services)];
  const text =
    found.length === 0 ? 'There is nothing odd about the memory of this node.' : found.join('\n');
  reply.verbatim('txt', `${text}\n`);
}

function mallocStats(_context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.verbatim('txt', 'Stats not supported for the current allocator');
}

function purge(_context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.ok();
}

const HELP = [
  'DOCTOR',
  '    Return memory problems reports.',
  'MALLOC-STATS',
  '    Return internal statistics report from the memory allocator.',
  'PURGE',
  '    Attempt to purge dirty pages for reclamation by the allocator.',
  'STATS',
  '    Return information about the memory usage of the server.',
  'USAGE <key> [SAMPLES <count>]',
  '    Return memory in bytes used by <key> and its value. Nested values are',
  '    sampled up to <count> times (default: 5, 0 means sample all).',
];

export const memoryHandlers: Handlers = {
  'memory|usage': { run: usage, observes: true },
  'memory|stats': { run: stats },
  'memory|doctor': { run: doctor },
  'memory|malloc-stats': { run: mallocStats },
  'memory|purge': { run: purge },
  'memory|help': { run: helpHandler(HELP) },
};
