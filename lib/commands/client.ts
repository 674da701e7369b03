import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import type { AclUser } from './acl/user.js';
import { integerOrReply, readInteger } from './arguments.js';
import { clientLine } from './client-line.js';
import { nameProblem } from './client-name.js';
import type { ClientSession } from './client-session.js';
import { cString, Errors, unknownSubcommandOrArity } from './errors.js';
import { helpHandler } from './help.js';
import type { CommandContext, Handlers } from './spec.js';

const CLIENT_TYPES = ['normal', 'master', 'replica', 'slave', 'pubsub'];
/** A later end of a pause, Unix milliseconds, is this one: timers take no larger delay. */
const PAUSE_MS_MAX = 2 ** 31 - 1;
const INT64_MAX = 2n ** 63n - 1n;
const UNBLOCKED = 'UNBLOCKED client unblocked via CLIENT UNBLOCK';

/** One line of CLIENT LIST. */
const describe = (client: ClientSession, now: number) => `${clientLine(client, now)}\n`;

function id(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.integer(context.client.id);
}

function setname(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const name = request.latin1(2);
  const problem = nameProblem(name, 'Client names');
  if (problem !== null) {
    reply.error(problem);
    return;
  }
  context.client.name = name;
  reply.ok();
}

function getname(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { name } = context.client;
  if (name === '') reply.nil();
  else reply.bulkLatin1(name);
}

function setinfo(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { client } = context;
  const option = request.latin1(2);
  const attribute = option.toLowerCase();
  if (attribute !== 'lib-name' && attribute !== 'lib-ver') {
    reply.error(`ERR Unrecognized option '${cString(option)}'`);
    return;
  }
  const value = request.latin1(3);
  const problem = nameProblem(value, attribute);
  if (problem !== null) {
    reply.error(problem);
    return;
  }
  if (attribute === 'lib-name') client.libraryName = value;
  else client.libraryVersion = value;
  reply.ok();
}

function info(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.verbatim('txt', describe(context.client, context.services.now()));
}

function byId(context: CommandContext, wanted: number | bigint): ClientSession | undefined {
  return context.services.clients.find(Number(wanted));
}

/** There are no replicas. */
function isOfType(client: ClientSession, type: string): boolean {
  return type === (client.subscriptions === null ? 'normal' : 'pubsub');
}

function list(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const now = context.services.now();
  let text = '';
  if (request.argc === 4 && request.is(2, 'TYPE')) {
    const type = typeOrReply(request, 3, reply);
    if (type === undefined) return;
    for (const client of context.services.clients.all()) {
      if (isOfType(client, type)) text += describe(client, now);
    }
  } else if (request.argc > 3 && request.is(2, 'ID')) {
    for (let i = 3; i < request.argc; i++) {
      const wanted = integerOrReply(request, i, reply, 'ERR Invalid client ID');
      if (wanted === undefined) return;
      const client = byId(context, wanted);
      if (client !== undefined) text += describe(client, now);
    }
  } else if (request.argc !== 2) {
    reply.error(Errors.syntax);
    return;
  } else {
    for (const client of context.services.clients.all()) text += describe(client, now);
  }
  reply.verbatim('txt', text);
}

function typeOrReply(request: Request, index: number, reply: ReplyWriter): string | undefined {
  const type = request.latin1(index).toLowerCase();
  if (CLIENT_TYPES.includes(type)) return type;
  reply.error(`ERR Unknown client type '${cString(request.latin1(index))}'`);
  return undefined;
}

/** Whom CLIENT KILL is to close; what is null does not matter. */
interface KillFilter {
  id: number | bigint | null;
  type: string | null;
  address: string | null;
  localAddress: string | null;
  user: AclUser | null;
  skipSelf: boolean;
}

/** Undefined after an error reply. */
function killFilter(
  context: CommandContext,
  request: Request,
  reply: ReplyWriter,
): KillFilter | undefined {
  const filter: KillFilter = {
    id: null,
    type: null,
    address: null,
    localAddress: null,
    user: null,
    skipSelf: true,
  };
  for (let i = 2; i < request.argc; i += 2) {
    const error = i + 1 < request.argc ? readFilter(context, filter, request, i) : Errors.syntax;
    if (error === null) continue;
    reply.error(error);
    return undefined;
  }
  return filter;
}

/** Reads one option of CLIENT KILL with its value; the error text where it is none. */
function readFilter(
  context: CommandContext,
  filter: KillFilter,
  request: Request,
  i: number,
): string | null {
  const value = request.latin1(i + 1);
  if (request.is(i, 'ID')) {
    const id = readInteger(request, i + 1);
    if (id === undefined || id < 1) return 'ERR client-id should be greater than 0';
    filter.id = id;
  } else if (request.is(i, 'TYPE')) {
    filter.type = value.toLowerCase();
    if (!CLIENT_TYPES.includes(filter.type)) return `ERR Unknown client type '${cString(value)}'`;
  } else if (request.is(i, 'ADDR')) {
    filter.address = value;
  } else if (request.is(i, 'LADDR')) {
    filter.localAddress = value;
  } else if (request.is(i, 'USER')) {
    filter.user = context.services.users.get(value) ?? null;
    if (filter.user === null) return `ERR No such user '${cString(value)}'`;
  } else if (request.is(i, 'SKIPME')) {
    const skip = value.toLowerCase();
    if (skip !== 'yes' && skip !== 'no') return Errors.syntax;
    filter.skipSelf = skip === 'yes';
  } else {
    return Errors.syntax;
  }
  return null;
}

function isMeant(client: ClientSession, filter: KillFilter): boolean {
  if (filter.address !== null && client.address !== filter.address) return false;
  if (filter.localAddress !== null && client.localAddress !== filter.localAddress) return false;
  if (filter.user !== null && client.user !== filter.user) return false;
  if (filter.type !== null && !isOfType(client, filter.type)) return false;
  return filter.id === null || BigInt(client.id) === BigInt(filter.id);
}

function kill(context: CommandContext, request: Request, reply: ReplyWriter): void {
  // The old form, with nothing but an address, may close its own connection too.
  const old = request.argc === 3;
  const filter = old
    ? {
        id: null,
        type: null,
        address: request.latin1(2),
        localAddress: null,
        user: null,
        skipSelf: false,
      }
    : killFilter(context, request, reply);
  if (filter === undefined) return;
  let killed = 0;
  let killSelf = false;
  for (const client of [...context.services.clients.all()]) {
    const self = client === context.client;
    if ((self && filter.skipSelf) || !isMeant(client, filter)) continue;
    killed++;
    if (self) killSelf = true;
    else client.kill();
  }
  if (!old) reply.integer(killed);
  else if (killed === 0) reply.error('ERR No such client');
  else reply.ok();
  if (killSelf) context.client.closeAfterReplies();
}

function pause(context: CommandContext, request: Request, reply: ReplyWriter): void {
  let writesOnly = false;
  if (request.argc === 4) {
    writesOnly = request.is(3, 'WRITE');
    if (!writesOnly && !request.is(3, 'ALL')) {
      reply.error('ERR CLIENT PAUSE mode must be WRITE or ALL');
      return;
    }
  } else if (request.argc > 4) {
    reply.error(unknownSubcommandOrArity(request));
    return;
  }
  const timeout = timeoutOrReply(context, request, 2, reply);
  if (timeout === undefined) return;
  context.pause(context.services.now() + timeout, writesOnly);
  reply.ok();
}

/** Milliseconds, at most what timers take; undefined after an error reply. */
export function timeoutOrReply(
  context: CommandContext,
  request: Request,
  index: number,
  reply: ReplyWriter,
): number | undefined {
  const error = 'ERR timeout is not an integer or out of range';
  const timeout = integerOrReply(request, index, reply, error);
  if (timeout === undefined) return undefined;
  if (timeout < 0) {
    reply.error('ERR timeout is negative');
    return undefined;
  }
  if (BigInt(timeout) > INT64_MAX - BigInt(Math.trunc(context.services.now()))) {
    reply.error('ERR timeout is out of range');
    return undefined;
  }
  return timeout > PAUSE_MS_MAX ? PAUSE_MS_MAX : Number(timeout);
}

function unpause(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  context.unpause();
  reply.ok();
}

function unblock(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc > 4) {
    reply.error(unknownSubcommandOrArity(request));
    return;
  }
  const isError = request.argc === 4 && request.is(3, 'ERROR');
  if (request.argc === 4 && !isError && !request.is(3, 'TIMEOUT')) {
    reply.error('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
    return;
  }
  const wanted = integerOrReply(request, 2, reply);
  if (wanted === undefined) return;
  const blocked = byId(context, wanted)?.blocked ?? null;
  blocked?.unblock(isError ? UNBLOCKED : null);
  reply.integer(blocked === null ? 0 : 1);
}

/** ON or OFF at argument 2; undefined after an error reply. */
function switchOrReply(request: Request, reply: ReplyWriter): boolean | undefined {
  if (request.is(2, 'ON')) return true;
  if (request.is(2, 'OFF')) return false;
  reply.error(Errors.syntax);
  return undefined;
}

function noEvict(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const on = switchOrReply(request, reply);
  if (on === undefined) return;
  context.client.noEvict = on;
  reply.ok();
}

/** Accepted only: that a client's reads count as no use of a key would be a harmless wish to ignore. */
function noTouch(_context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (switchOrReply(request, reply) !== undefined) reply.ok();
}

function replyMode(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { client } = context;
  if (request.is(2, 'ON')) {
    client.replyMode = 'on';
    context.muted = false;
    reply.ok();
  } else if (request.is(2, 'OFF')) {
    client.replyMode = 'off';
    context.muted = true;
  } else if (request.is(2, 'SKIP')) {
    if (client.replyMode !== 'off') client.replyMode = 'skip';
    context.muted = true;
  } else {
    reply.error(Errors.syntax);
  }
}

const HELP = [
  'CACHING (YES|NO)',
  '    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.',
  'GETREDIR',
  '    Return the client ID we are redirecting to when tracking is enabled.',
  'GETNAME',
  '    Return the name of the current connection.',
  'ID',
  '    Return the ID of the current connection.',
  'INFO',
  '    Return information about the current client connection.',
  'KILL <ip:port>',
  '    Kill connection made from <ip:port>.',
  'KILL <option> <value> [<option> <value> [...]]',
  '    Kill connections. Options are:',
  '    * ADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made from the specified address',
  '    * LADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made to specified local address',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Kill connections by type.',
  '    * USER <username>',
  '      Kill connections authenticated by <username>.',
  '    * SKIPME (YES|NO)',
  '      Skip killing current connection (default: yes).',
  'LIST [options ...]',
  '    Return information about client connections. Options:',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Return clients of specified type.',
  'UNPAUSE',
  '    Stop the current client pause, resuming traffic.',
  'PAUSE <timeout> [WRITE|ALL]',
  '    Suspend all, or just write, clients for <timeout> milliseconds.',
  'REPLY (ON|OFF|SKIP)',
  '    Control the replies sent to the current connection.',
  'SETNAME <name>',
  '    Assign the name <name> to the current connection.',
  'SETINFO <option> <value>',
  '    Set client meta attr. Options are:',
  '    * LIB-NAME: the client lib name.',
  '    * LIB-VER: the client lib version.',
  'UNBLOCK <clientid> [TIMEOUT|ERROR]',
  '    Unblock the specified blocked client.',
  'TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]',
  '         [OPTIN] [OPTOUT] [NOLOOP]',
  '    Control server assisted client side caching.',
  'TRACKINGINFO',
  '    Report tracking status for the current connection.',
  'NO-EVICT (ON|OFF)',
  '    Protect current client connection from eviction.',
  'NO-TOUCH (ON|OFF)',
  '    Will not touch LRU/LFU stats when this mode is on.',
];

export const clientHandlers: Handlers = {
  'client|id': { run: id },
  'client|setname': { run: setname },
  'client|getname': { run: getname },
  'client|setinfo': { run: setinfo },
  'client|info': { run: info },
  'client|list': { run: list },
  'client|kill': { run: kill },
  'client|pause': { run: pause },
  'client|unpause': { run: unpause },
  'client|unblock': { run: unblock },
  'client|no-evict': { run: noEvict },
  'client|no-touch': { run: noTouch },
  'client|reply': { run: replyMode },
  'client|help': { run: helpHandler(HELP) },
};
