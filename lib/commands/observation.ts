import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { rangeOrReply } from './arguments.js';
import { cString, Errors } from './errors.js';
import { helpHandler } from './help.js';
import type { CommandContext, Handlers } from './spec.js';

const LONG_MAX = 2n ** 63n - 1n;
const SHOWN = 10;

function slowlogGet(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { entries } = context.slowLog;
  if (request.argc > 3) {
    reply.error(Errors.syntax);
    return;
  }
  const error = 'ERR count should be greater than or equal to -1';
  const given = request.argc < 3 ? SHOWN : rangeOrReply(request, 2, -1n, LONG_MAX, reply, error);
  if (given === undefined) return;
  const count = given < 0 ? entries.length : Math.min(Number(given), entries.length);
  reply.array(count);
  for (const entry of entries.slice(0, count)) {
    reply.array(6);
    reply.integer(entry.id);
    reply.integer(entry.at);
    reply.integer(entry.microseconds);
    reply.array(entry.args.length);
    for (const arg of entry.args) reply.bulk(arg, 0, arg.length);
    reply.bulkUtf8(entry.address);
    reply.bulkUtf8(entry.name);
  }
}

function slowlogLen(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.integer(context.slowLog.entries.length);
}

function slowlogReset(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  context.slowLog.entries = [];
  reply.ok();
}

const SLOWLOG_HELP = [
  'GET [<count>]',
  '    Return top <count> entries from the slowlog (default: 10, -1 mean all).',
  '    Entries are made of:',
  '    id, timestamp, time in microseconds, arguments array, client IP and port,',
  '    client name',
  'LEN',
  '    Return the length of the slowlog.',
  'RESET',
  '    Reset the slowlog.',
];

function latencyLatest({ latency }: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { events } = latency;
  reply.array(events.length);
  for (const event of events) {
    const { at, milliseconds } = latency.history(event).at(-1)!;
    reply.array(4);
    reply.bulkUtf8(event);
    reply.integer(at);
    reply.integer(milliseconds);
    reply.integer(latency.longest(event));
  }
}

function latencyHistory({ latency }: CommandContext, request: Request, reply: ReplyWriter): void {
  const samples = latency.history(request.latin1(2));
  reply.array(samples.length);
  for (const { at, milliseconds } of samples) {
    reply.array(2);
    reply.integer(at);
    reply.integer(milliseconds);
  }
}

/** Without events, all. */
function latencyReset({ latency }: CommandContext, request: Request, reply: ReplyWriter): void {
  const named = Array.from({ length: request.argc - 2 }, (_, i) => request.latin1(i + 2));
  const events: readonly string[] = named.length > 0 ? named : latency.events;
  reply.integer(events.filter((event) => latency.reset(event)).length);
}

/** Columns of the longest bar. */
const BAR_MAX = 40;

function latencyGraph(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const event = request.latin1(2);
  const samples = context.latency.history(event);
  if (samples.length === 0) {
    reply.error(`ERR No samples available for event '${cString(event)}'`);
    return;
  }
  const now = Math.floor(context.services.now() / 1000);
  const most = Math.max(...samples.map(({ milliseconds }) => milliseconds));
  const lines = samples.map(({ at, milliseconds }) => {
    const bar = '#'.repeat(Math.max(1, Math.round((milliseconds / most) * BAR_MAX)));
    return `${`${now - at}s ago`.padStart(12)} ${bar} ${milliseconds} ms`;
  });
  reply.verbatim('txt', `${lines.join('\n')}\n`);
}

function latencyDoctor({ latency }: CommandContext, _request: Request, reply: ReplyWriter): void {
  const lines = latency.events.map((event) => {
    const samples = latency.history(event);
    const sum = samples.reduce((total, { milliseconds }) => total + milliseconds, 0);
    const mean = Math.round(sum / samples.length);
    return `${event}: ${samples.length} seconds, ${mean} ms in the mean, ${latency.longest(event)} ms at most. SLOWLOG GET tells which.\n`;
  });
  const none =
    latency.threshold === 0
      ? 'Latency is not monitored: CONFIG SET latency-monitor-threshold 100. SLOWLOG GET tells of slow commands.\n'
      : `No command has taken ${latency.threshold} ms.\n`;
  reply.verbatim('txt', lines.length === 0 ? none : lines.join(''));
}

/** Of the commands named, or of all; of a command with subcommands, those. Who was not used is left out, and who is unknown. */
function latencyHistogram(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { commands } = context.services.statistics;
  const named = Array.from({ length: request.argc - 2 }, (_, i) => request.latin1(i + 2));
  const isWanted = (name: string): boolean =>
    named.length === 0 ||
    named.some((one) => {
      const wanted = one.toLowerCase();
      return name === wanted || name.startsWith(`${wanted}|`);
    });
  const used = [...commands].filter(([name, { timed }]) => timed > 0 && isWanted(name));
  reply.map(used.length);
  for (const [name, { calls, histogram }] of used) {
    reply.bulkUtf8(name);
    reply.map(2);
    reply.bulkUtf8('calls');
    reply.integer(calls);
    reply.bulkUtf8('histogram_usec');
    reply.map(histogram.length);
    for (const bucket of histogram) {
      reply.integer(bucket.upToMicroseconds);
      reply.integer(bucket.calls);
    }
  }
}

const LATENCY_HELP = [
  'DOCTOR',
  '    Return a human readable latency analysis report.',
  'GRAPH <event>',
  '    Return an ASCII latency graph for the <event> class.',
  'HISTORY <event>',
  '    Return time-latency samples for the <event> class.',
  'LATEST',
  '    Return the latest latency samples for all events.',
  'RESET [<event> ...]',
  '    Reset latency data of one or more <event> classes.',
  '    (default: reset all data for all event classes)',
  'HISTOGRAM [COMMAND ...]',
  '    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.',
  '    If no commands are specified then all histograms are replied.',
];

function lolwut(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const members = Math.max(context.services.cluster.members.length, 1);
  const pairs = Array.from({ length: Math.min(members, 16) }, () => 'o=o').join('  ');
  reply.verbatim('txt', `${pairs}\nTandis ver. ${context.services.version}\n`);
}

/** Whoever monitors already is told nothing, as in Redis. */
function monitor(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { client, services } = context;
  if (context.isInStep) reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
  else if (!client.monitors) {
    services.monitors.add(client);
    reply.ok();
  }
}

/** Nothing is written to a disk. Tools that ask for it are told so in a way that lets them go on. */
function save(_context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.ok();
}

function bgsave(_context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc > 2 || (request.argc === 2 && !request.is(1, 'SCHEDULE'))) {
    reply.error(Errors.syntax);
  } else reply.simple('Background saving started');
}

function bgrewriteaof(_context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.simple('Background append only file rewriting started');
}

export const observationHandlers: Handlers = {
  'slowlog|get': { run: slowlogGet },
  'slowlog|len': { run: slowlogLen },
  'slowlog|reset': { run: slowlogReset },
  'slowlog|help': { run: helpHandler(SLOWLOG_HELP) },
  'latency|latest': { run: latencyLatest },
  'latency|history': { run: latencyHistory },
  'latency|reset': { run: latencyReset },
  'latency|graph': { run: latencyGraph },
  'latency|doctor': { run: latencyDoctor },
  'latency|histogram': { run: latencyHistogram },
  'latency|help': { run: helpHandler(LATENCY_HELP) },
  monitor: { run: monitor },
  lolwut: { run: lolwut },
  save: { run: save },
  bgsave: { run: bgsave },
  bgrewriteaof: { run: bgrewriteaof },
};
