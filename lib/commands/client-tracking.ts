import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { integerOrReply } from './arguments.js';
import type { ClientSession } from './client-session.js';
import { cString, Errors } from './errors.js';
import type { CommandContext, Handlers } from './spec.js';
import type { ClientTracking, TrackingOptions } from './tracking.js';

interface Asked {
  readonly options: TrackingOptions;
  readonly prefixes: readonly string[];
}

/** The options behind ON or OFF, which are looked at in both cases; undefined after an error reply. */
function optionsOrReply(
  context: CommandContext,
  request: Request,
  reply: ReplyWriter,
): Asked | undefined {
  let redirect = 0;
  const prefixes: string[] = [];
  const options = { isBroadcast: false, optIn: false, optOut: false, noLoop: false };
  for (let i = 3; i < request.argc; i++) {
    const hasMore = i + 1 < request.argc;
    if (request.is(i, 'REDIRECT') && hasMore) {
      const id = redirectOrReply(context, request, ++i, redirect, reply);
      if (id === undefined) return undefined;
      redirect = id;
    } else if (request.is(i, 'PREFIX') && hasMore) prefixes.push(request.latin1(++i));
    else if (request.is(i, 'BCAST')) options.isBroadcast = true;
    else if (request.is(i, 'OPTIN')) options.optIn = true;
    else if (request.is(i, 'OPTOUT')) options.optOut = true;
    else if (request.is(i, 'NOLOOP')) options.noLoop = true;
    else {
      reply.error(Errors.syntax);
      return undefined;
    }
  }
  return { options: { redirect, ...options }, prefixes };
}

/** Undefined after an error reply. */
function redirectOrReply(
  context: CommandContext,
  request: Request,
  index: number,
  given: number,
  reply: ReplyWriter,
): number | undefined {
  if (given !== 0) {
    reply.error('ERR A client can only redirect to a single other client');
    return undefined;
  }
  const id = integerOrReply(request, index, reply);
  if (id === undefined) return undefined;
  if (context.services.tracking.find(Number(id)) !== undefined) return Number(id);
  reply.error('ERR The client ID you want redirect to does not exist');
  return undefined;
}

/** What does not go together with itself, or with how the client tracks already; null where all does. */
function conflict({ options, prefixes }: Asked, present: ClientTracking | null): string | null {
  const { isBroadcast, optIn, optOut } = options;
  if (!isBroadcast && prefixes.length > 0)
    return 'ERR PREFIX option requires BCAST mode to be enabled';
  if (present !== null && present.options.isBroadcast !== isBroadcast) {
    return "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.";
  }
  if (isBroadcast && (optIn || optOut)) return 'ERR OPTIN and OPTOUT are not compatible with BCAST';
  if (optIn && optOut) return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  const isOther =
    present !== null && ((optIn && present.options.optOut) || (optOut && present.options.optIn));
  if (isOther) {
    return "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.";
  }
  return overlap(prefixes, present);
}

/** Of prefixes one of which begins with the other a client would be told twice. */
function overlap(prefixes: readonly string[], present: ClientTracking | null): string | null {
  const areAlike = (a: string, b: string) => a.startsWith(b) || b.startsWith(a);
  for (const [at, prefix] of prefixes.entries()) {
    for (const own of [...(present?.prefixes ?? [])].sort()) {
      if (areAlike(own, prefix)) return overlapOf(prefix, `an existing prefix '${cString(own)}'`);
    }
    const other = prefixes.slice(at + 1).find((one) => areAlike(one, prefix));
    if (other !== undefined)
      return overlapOf(prefix, `another provided prefix '${cString(other)}'`);
  }
  return null;
}

const overlapOf = (prefix: string, other: string): string =>
  `ERR Prefix '${cString(prefix)}' overlaps with ${other}. Prefixes for a single client must not overlap.`;

/**
 * Replies when every member tells of changes, and runs the client's next commands after that: else a key that it reads could be changed
 * by a member which does not know that anybody is to be told.
 */
function tracking(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { client, services } = context;
  const asked = optionsOrReply(context, request, reply);
  if (asked === undefined) return;
  if (request.is(2, 'OFF')) {
    services.tracking.disable(client);
    reply.ok();
    return;
  }
  if (!request.is(2, 'ON')) {
    reply.error(Errors.syntax);
    return;
  }
  const error = conflict(asked, client.tracking);
  if (error !== null) reply.error(error);
  else if (!services.tracking.hasRoomFor(client, asked.prefixes.length)) {
    services.statistics.limits.add('tracking-prefixes');
    reply.error('ERR too many prefixes of one client');
  } else {
    services.tracking.enable(client, asked.options, asked.prefixes);
    replyWhenTold(context, reply);
  }
}

function replyWhenTold(context: CommandContext, reply: ReplyWriter): void {
  const { client, services } = context;
  if (services.tracking.isTold) {
    reply.ok();
    return;
  }
  if (context.isInStep || context.muted) {
    // A step waits for nobody: what the client reads before all members know counts as out of date.
    const { tracking } = client;
    services.tracking.whenTold(() => services.tracking.invalidateAllOf(tracking!));
    reply.ok();
    return;
  }
  const write = context.defer(true);
  services.tracking.whenTold(() => write((late) => late.ok()));
}

function caching(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { tracking } = context.client;
  if (tracking === null) {
    reply.error(
      'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
    );
    return;
  }
  const isYes = request.is(2, 'YES');
  if (!isYes && !request.is(2, 'NO')) {
    reply.error(Errors.syntax);
    return;
  }
  const { optIn, optOut } = tracking.options;
  if (isYes ? optIn : optOut) {
    tracking.isCachingGiven = true;
    reply.ok();
    return;
  }
  const given = isYes ? 'YES' : 'NO';
  const mode = isYes ? 'OPTIN' : 'OPTOUT';
  reply.error(
    `ERR CLIENT CACHING ${given} is only valid when tracking is enabled in ${mode} mode.`,
  );
}

/** Id of the client that is told instead, 0 for none, -1 where the client does not track. */
export const redirectOf = ({ tracking }: ClientSession): number =>
  tracking === null ? -1 : tracking.options.redirect;

function getredir(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.integer(redirectOf(context.client));
}

function flagsOf(tracking: ClientTracking | null): string[] {
  if (tracking === null) return ['off'];
  const { isBroadcast, optIn, optOut, noLoop } = tracking.options;
  const flags = ['on'];
  if (isBroadcast) flags.push('bcast');
  if (optIn) flags.push('optin');
  if (optIn && tracking.isCachingGiven) flags.push('caching-yes');
  if (optOut) flags.push('optout');
  if (optOut && tracking.isCachingGiven) flags.push('caching-no');
  if (noLoop) flags.push('noloop');
  if (tracking.isBroken) flags.push('broken_redirect');
  return flags;
}

function trackinginfo(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { client } = context;
  const flags = flagsOf(client.tracking);
  const prefixes = [...(client.tracking?.prefixes ?? [])].sort();
  reply.map(3);
  reply.bulkLatin1('flags');
  reply.set(flags.length);
  for (const flag of flags) reply.bulkLatin1(flag);
  reply.bulkLatin1('redirect');
  reply.integer(redirectOf(client));
  reply.bulkLatin1('prefixes');
  reply.array(prefixes.length);
  for (const prefix of prefixes) reply.bulkLatin1(prefix);
}

export const clientTrackingHandlers: Handlers = {
  'client|tracking': { run: tracking },
  'client|caching': { run: caching },
  'client|getredir': { run: getredir },
  'client|trackinginfo': { run: trackinginfo },
};
