import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { DEFAULT_USER } from './acl/users.js';
import { intOrReply, readInteger } from './arguments.js';
import { nameProblem } from './client-name.js';
import type { ClientSession } from './client-session.js';
import { cString, Errors, wrongArity } from './errors.js';
import { type CommandContext, type Handlers, QueueMode } from './spec.js';
import { endTransaction } from './transactions.js';

/** Told to clients that adapt to the server's release. */
export const REDIS_VERSION = '7.0.15';

function ping(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc > 2) {
    reply.error(wrongArity('ping'));
  } else if (context.isInSubscriberMode) {
    reply.array(2);
    reply.bulkLatin1('pong');
    if (request.argc === 1) reply.bulkLatin1('');
    else reply.bulk(request.buffer, request.start[1]!, request.end[1]!);
  } else if (request.argc === 1) {
    reply.pong();
  } else {
    reply.bulk(request.buffer, request.start[1]!, request.end[1]!);
  }
}

function echo(_context: CommandContext, request: Request, reply: ReplyWriter): void {
  reply.bulk(request.buffer, request.start[1]!, request.end[1]!);
}

function quit(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.ok();
  context.client.closeAfterReplies();
}

function reset(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { client, services } = context;
  services.subscriptions.reset(client);
  services.tracking.disable(client);
  services.monitors.remove(client);
  client.db = 0;
  client.name = '';
  client.user = services.users.default;
  client.authenticated = !services.users.authRequired;
  client.noEvict = false;
  client.replyMode = 'on';
  endTransaction(client);
  client.reply.proto = 2;
  context.muted = false;
  reply.simple('RESET');
}

function select(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const db = intOrReply(request, 1, reply);
  if (db === undefined) return;
  if (db < 0 || db >= context.services.config.get('databases')) {
    reply.error(Errors.databaseRange);
    return;
  }
  context.client.db = db;
  reply.ok();
}

/** False after an error reply. */
function authenticate(
  context: CommandContext,
  request: Request,
  name: string,
  password: Buffer,
  reply: ReplyWriter,
): boolean {
  const { client, services } = context;
  const user = services.users.authenticate(name, password);
  if (user !== null) {
    client.user = user;
    client.authenticated = true;
    return true;
  }
  const place = client.transaction === null ? 'toplevel' : 'multi';
  const event = {
    reason: 'auth',
    context: place,
    object: request.latin1(0),
    username: name,
  } as const;
  services.users.log.add(event, client, services.now());
  reply.error(Errors.wrongPassword);
  return false;
}

function auth(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc > 3) {
    reply.error(Errors.syntax);
    return;
  }
  const named = request.argc === 3;
  if (!named && context.services.users.default.needsNoPassword) {
    reply.error(Errors.noPasswordSet);
    return;
  }
  const user = named ? request.latin1(1) : DEFAULT_USER;
  const password = request.bytes(named ? 2 : 1);
  if (authenticate(context, request, user, password, reply)) reply.ok();
}

function hello(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { client } = context;
  let proto: 2 | 3 | 0 = 0;
  if (request.argc >= 2) {
    const version = readInteger(request, 1);
    if (version === undefined) {
      reply.error('ERR Protocol version is not an integer or out of range');
      return;
    }
    if (version !== 2 && version !== 3) {
      reply.error(Errors.noProto);
      return;
    }
    proto = version;
  }
  for (let i = 2; i < request.argc; i++) {
    const more = request.argc - 1 - i;
    if (request.is(i, 'AUTH') && more >= 2) {
      const user = request.latin1(i + 1);
      if (!authenticate(context, request, user, request.bytes(i + 2), reply)) return;
      i += 2;
    } else if (request.is(i, 'SETNAME') && more >= 1) {
      // At once, as in Redis: what follows may still be refused.
      const name = request.latin1(++i);
      const problem = nameProblem(name, 'Client names');
      if (problem !== null) {
        reply.error(problem);
        return;
      }
      client.name = name;
    } else {
      reply.error(`ERR Syntax error in HELLO option '${cString(request.latin1(i))}'`);
      return;
    }
  }
  if (!client.authenticated) {
    reply.error(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO ' +
        'AUTH <user> <pass> option can be used to authenticate the client and select the ' +
        'RESP protocol version at the same time',
    );
    return;
  }
  if (proto !== 0) {
    client.reply.proto = proto;
    reply.proto = proto;
  }
  replyHello(client, reply);
}

function replyHello(client: ClientSession, reply: ReplyWriter): void {
  reply.map(7);
  reply.bulkLatin1('server');
  reply.bulkLatin1('redis');
  reply.bulkLatin1('version');
  reply.bulkLatin1(REDIS_VERSION);
  reply.bulkLatin1('proto');
  reply.integer(reply.proto);
  reply.bulkLatin1('id');
  reply.integer(client.id);
  reply.bulkLatin1('mode');
  reply.bulkLatin1('standalone');
  reply.bulkLatin1('role');
  reply.bulkLatin1('master');
  reply.bulkLatin1('modules');
  reply.array(0);
}

export const connectionHandlers: Handlers = {
  ping: { run: ping, whileSubscribed: true },
  echo: { run: echo },
  quit: { run: quit, whileSubscribed: true, queueMode: QueueMode.RunAtOnce },
  reset: { run: reset, whileSubscribed: true, queueMode: QueueMode.RunAtOnce },
  select: { run: select },
  auth: { run: auth },
  hello: { run: hello },
};
