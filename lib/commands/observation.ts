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

// No latency is sampled: the commands answer as a Redis does whose latency-monitor-threshold is 0.

const nothing = (_context: CommandContext, _request: Request, reply: ReplyWriter): void =>
  reply.array(0);

function latencyGraph(_context: CommandContext, request: Request, reply: ReplyWriter): void {
  reply.error(`ERR No samples available for event '${cString(request.latin1(2))}'`);
}

function latencyDoctor(_context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.verbatim('txt', 'Latency is not monitored here. SLOWLOG GET tells of slow commands.\n');
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
  'latency|latest': { run: nothing },
  'latency|history': { run: nothing },
  'latency|reset': { run: (_context, _request, reply) => reply.integer(0) },
  'latency|graph': { run: latencyGraph },
  'latency|doctor': { run: latencyDoctor },
  'latency|histogram': { run: (_context, _request, reply) => reply.map(0) },
  'latency|help': { run: helpHandler(LATENCY_HELP) },
  monitor: { run: monitor },
  lolwut: { run: lolwut },
  save: { run: save },
  bgsave: { run: bgsave },
  bgrewriteaof: { run: bgrewriteaof },
};
