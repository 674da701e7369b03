import { parseDouble } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { integerOrReply, intOrReply } from './arguments.js';
import { timeoutOrReply } from './client.js';
import { Errors, unknownSubcommandOrArity } from './errors.js';
import { helpHandler } from './help.js';
import { type CommandContext, type Handler, type Handlers, QueueMode } from './spec.js';

/** Longest DEBUG SLEEP, seconds. */
const SLEEP_SECONDS_MAX = 24 * 3600;

function info(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const sections: string[] = [];
  for (let i = 1; i < request.argc; i++) sections.push(request.latin1(i).toLowerCase());
  reply.verbatim('txt', context.services.info(sections));
}

function time(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const microseconds = Math.floor(context.services.now() * 1000);
  reply.array(2);
  reply.bulkInteger(Math.floor(microseconds / 1_000_000));
  reply.bulkInteger(microseconds % 1_000_000);
}

const flushHandler =
  (allDatabases: boolean): Handler =>
  (context, request, reply) => {
    const known = request.argc === 1 || request.is(1, 'ASYNC') || request.is(1, 'SYNC');
    if (request.argc > 2 || !known) reply.error(Errors.syntax);
    else context.clusterWide({ kind: 'flush', allDatabases });
  };

function swapdb(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const first = intOrReply(request, 1, reply, 'ERR invalid first DB index');
  if (first === undefined) return;
  const second = intOrReply(request, 2, reply, 'ERR invalid second DB index');
  if (second === undefined) return;
  const databases = context.services.config.get('databases');
  if (first < 0 || first >= databases || second < 0 || second >= databases) {
    reply.error(Errors.databaseRange);
  } else if (first === second) {
    reply.ok();
  } else {
    context.clusterWide({ kind: 'swapdb', first, second });
  }
}

function shutdown(context: CommandContext, request: Request, reply: ReplyWriter): void {
  let now = false;
  let force = false;
  let abort = false;
  let save: boolean | null = null;
  let valid = true;
  for (let i = 1; i < request.argc; i++) {
    if (request.is(i, 'NOSAVE') && save !== true) save = false;
    else if (request.is(i, 'SAVE') && save !== false) save = true;
    else if (request.is(i, 'NOW')) now = true;
    else if (request.is(i, 'FORCE')) force = true;
    else if (request.is(i, 'ABORT')) abort = true;
    else valid = false;
  }
  if (!valid || (abort && (now || force || save !== null))) {
    reply.error(Errors.syntax);
  } else if (abort) {
    if (context.services.abortShutdown()) reply.ok();
    else reply.error('ERR No shutdown in progress.');
  } else {
    const answer = context.defer();
    context.services.shutdown({ now, force, save: save !== false }, (error) => {
      // Who asked for it learns by the end of the connection that it is done.
      answer((writer) => {
        if (error !== null) writer.error(error);
      });
    });
  }
}

/**
 * Replies of a connection go out in order, and that of a write only when its backup has it: so all writes before WAIT
 * are acknowledged by the other holder when this reply can be sent.
 */
function wait(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (integerOrReply(request, 1, reply) === undefined) return;
  if (timeoutOrReply(context, request, 2, reply) === undefined) return;
  reply.integer(context.services.cluster.members.length > 1 ? 1 : 0);
}

function role(_context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.array(3);
  reply.bulkLatin1('master');
  reply.integer(0);
  reply.array(0);
}

/** Only SLEEP is there, and it holds up nobody but its own client. */
function debug(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc !== 3 || !request.is(1, 'SLEEP')) {
    reply.error(unknownSubcommandOrArity(request));
    return;
  }
  const given = parseDouble(request.buffer, request.start[2]!, request.end[2]!);
  const seconds = Number.isNaN(given) ? 0 : Math.min(Math.max(given, 0), SLEEP_SECONDS_MAX);
  const answer = context.defer();
  context.services.after(seconds * 1000, () => answer((writer) => writer.ok()));
}

function lastsave(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.integer(Math.floor(context.services.startedAt / 1000));
}

function moduleList(_context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.array(0);
}

const MODULE_HELP = ['LIST', '    Return a list of loaded modules.'];

export const serverHandlers: Handlers = {
  info: { run: info },
  time: { run: time },
  flushdb: { run: flushHandler(false) },
  flushall: { run: flushHandler(true) },
  swapdb: { run: swapdb },
  shutdown: { run: shutdown },
  wait: { run: wait },
  role: { run: role },
  debug: { run: debug, queueMode: QueueMode.NotAlone },
  lastsave: { run: lastsave },
  'module|list': { run: moduleList },
  'module|help': { run: helpHandler(MODULE_HELP) },
};
