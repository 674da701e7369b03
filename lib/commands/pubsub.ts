import { Kind } from '../cluster/announcements.js';
import type { ChannelKind, TopicKind } from '../cluster/interest.js';
import { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { unknownSubcommandOrArity } from './errors.js';
import { helpHandler } from './help.js';
import type { CommandContext, Handler, Handlers } from './spec.js';

function confirm(writer: ReplyWriter, word: string, name: string | null, count: number): void {
  writer.push(3);
  writer.bulkLatin1(word);
  if (name === null) writer.nil();
  else writer.bulkLatin1(name);
  writer.integer(count);
}

const bytesOf = (writer: ReplyWriter): Buffer => writer.buffer.subarray(0, writer.length);

/** Answers with what is no reply, and comes to a client that has silenced its replies too. */
function answer(context: CommandContext, confirmations: ReplyWriter, reply: ReplyWriter): void {
  if (context.muted) context.client.push(bytesOf(confirmations));
  else reply.raw(confirmations.buffer, 0, confirmations.length);
}

/**
 * The confirmation is given once every member knows of the subscription: what is published after it, wherever, comes to
 * its client.
 */
const subscribing =
  (kind: TopicKind, word: string): Handler =>
  (context, request, reply) => {
    const { client } = context;
    const { subscriptions } = context.services;
    let longest = 0;
    for (let i = 1; i < request.argc; i++) longest = Math.max(longest, request.length(i));
    const refusal = subscriptions.refusal(client, request.argc - 1, longest);
    if (refusal !== null) {
      context.services.statistics.limits.add('subscriptions');
      reply.error(refusal);
      return;
    }
    const confirmations = new ReplyWriter();
    confirmations.proto = client.reply.proto;
    for (let i = 1; i < request.argc; i++) {
      const name = request.latin1(i);
      confirm(confirmations, word, name, subscriptions.subscribe(client, kind, name));
    }
    // A step waits for nobody: what is published elsewhere before all know of it does not come.
    if (context.muted || context.isInStep || subscriptions.isTold) {
      answer(context, confirmations, reply);
      return;
    }
    const write = context.defer();
    subscriptions.whenTold(() =>
      write((late) => late.raw(confirmations.buffer, 0, confirmations.length)),
    );
  };

const unsubscribing =
  (kind: TopicKind, word: string): Handler =>
  (context, request, reply) => {
    const { client } = context;
    const { subscriptions } = context.services;
    const names =
      request.argc > 1
        ? Array.from({ length: request.argc - 1 }, (_, i) => request.latin1(i + 1))
        : [...(client.subscriptions?.[kind] ?? [])];
    const confirmations = new ReplyWriter();
    confirmations.proto = client.reply.proto;
    for (const name of names) {
      confirm(confirmations, word, name, subscriptions.unsubscribe(client, kind, name));
    }
    if (names.length === 0) {
      confirm(confirmations, word, null, client.subscriptions?.counted(kind) ?? 0);
    }
    answer(context, confirmations, reply);
  };

const publishing =
  (kind: ChannelKind): Handler =>
  (context, request, reply) => {
    const { subscriptions } = context.services;
    reply.integer(subscriptions.publish(kind, request.bytes(1), request.bytes(2)));
  };

const channels =
  (kind: ChannelKind): Handler =>
  (context, request, reply) => {
    if (request.argc > 3) {
      reply.error(unknownSubcommandOrArity(request));
      return;
    }
    const pattern = request.argc === 3 ? request.bytes(2) : null;
    const names = context.services.subscriptions.channels(kind, pattern);
    reply.array(names.length);
    for (const name of names) reply.bulkLatin1(name);
  };

const numsub =
  (kind: ChannelKind): Handler =>
  (context, request, reply) => {
    reply.array((request.argc - 2) * 2);
    for (let i = 2; i < request.argc; i++) {
      reply.bulk(request.buffer, request.start[i]!, request.end[i]!);
      reply.integer(context.services.subscriptions.subscribers(kind, request.latin1(i)));
    }
  };

function numpat(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.integer(context.services.subscriptions.patterns());
}

const HELP = [
  'CHANNELS [<pattern>]',
  "    Return the currently active channels matching a <pattern> (default: '*').",
  'NUMPAT',
  '    Return number of subscriptions to patterns.',
  'NUMSUB [<channel> ...]',
  '    Return the number of subscribers for the specified channels, excluding',
  '    pattern subscriptions(default: no channels).',
  'SHARDCHANNELS [<pattern>]',
  "    Return the currently active shard level channels matching a <pattern> (default: '*').",
  'SHARDNUMSUB [<shardchannel> ...]',
  '    Return the number of subscribers for the specified shard level channel(s)',
];

export const pubsubHandlers: Handlers = {
  subscribe: { run: subscribing(Kind.Channel, 'subscribe'), whileSubscribed: true },
  psubscribe: { run: subscribing(Kind.Pattern, 'psubscribe'), whileSubscribed: true },
  ssubscribe: { run: subscribing(Kind.ShardChannel, 'ssubscribe'), whileSubscribed: true },
  unsubscribe: { run: unsubscribing(Kind.Channel, 'unsubscribe'), whileSubscribed: true },
  punsubscribe: { run: unsubscribing(Kind.Pattern, 'punsubscribe'), whileSubscribed: true },
  sunsubscribe: { run: unsubscribing(Kind.ShardChannel, 'sunsubscribe'), whileSubscribed: true },
  publish: { run: publishing(Kind.Channel) },
  spublish: { run: publishing(Kind.ShardChannel) },
  'pubsub|channels': { run: channels(Kind.Channel) },
  'pubsub|shardchannels': { run: channels(Kind.ShardChannel) },
  'pubsub|numsub': { run: numsub(Kind.Channel) },
  'pubsub|shardnumsub': { run: numsub(Kind.ShardChannel) },
  'pubsub|numpat': { run: numpat },
  'pubsub|help': { run: helpHandler(HELP) },
};
