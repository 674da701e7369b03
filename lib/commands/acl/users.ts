import type { Config } from '../../base/config.js';
import { Kind } from '../../cluster/announcements.js';
import type { ClientSession } from '../client-session.js';
import type { CommandTable } from '../table.js';
import { AclLog } from './acl-log.js';
import { applyRule, type RuleContext } from './rules.js';
import type { Selector } from './selector.js';
import { AclUser, hashOfPassword } from './user.js';

/** Users of a node. */
export const USERS_MAX = 10_000;
/** Bytes of a user's name. */
export const USER_NAME_BYTES_MAX = 1024;
/** The user that clients are before they authenticate themselves. */
export const DEFAULT_USER = 'default';

/** The clients that a change of users may close; `current`, who asked for it, after the reply to its command. */
export interface Connected {
  readonly clients: Iterable<ClientSession>;
  readonly current: ClientSession | null;
}

export const NOBODY: Connected = { clients: [], current: null };

/** The users of a node, and what was refused to them. Names have one character per byte. */
export class Users {
  readonly log: AclLog;
  readonly default: AclUser;
  readonly #table: CommandTable;
  readonly #config: Config;
  readonly #users = new Map<string, AclUser>();
  #requirepass = '';

  constructor(config: Config, table: CommandTable) {
    this.#config = config;
    this.#table = table;
    this.log = new AclLog(config);
    this.default = this.newDefault();
    this.#users.set(DEFAULT_USER, this.default);
    config.watch(['requirepass'], () => this.#passwordSet());
  }

  /** What a user is read with. */
  get rules(): RuleContext {
    const allChannels = this.#config.get('acl-pubsub-default') === 'allchannels';
    return { table: this.#table, allChannels };
  }

  /** Whether clients have to authenticate themselves. */
  get authRequired(): boolean {
    return !this.default.needsNoPassword || !this.default.isEnabled;
  }

  get(name: string): AclUser | undefined {
    return this.#users.get(name);
  }

  /** In the order of their names. */
  all(): AclUser[] {
    return [...this.#users.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Whether there is more than what requirepass says. */
  get areSet(): boolean {
    return this.#users.size > 1 || this.default.describe() !== this.newDefault().describe();
  }

  get isFull(): boolean {
    return this.#users.size >= USERS_MAX;
  }

  /** One that may do nothing. */
  newUser(name: string): AclUser {
    return new AclUser(name, this.#table, this.rules.allChannels);
  }

  /** The default user as it is where nothing is said of it: it may do everything, with the password that requirepass says. */
  newDefault(): AclUser {
    const user = this.newUser(DEFAULT_USER);
    for (const rule of ['+@all', '~*', '&*', 'on', 'nopass']) applyRule(user, rule, this.rules);
    setPassword(user, this.#requirepass);
    user.changed();
    return user;
  }

  /** The user that a client proves to be; null for a wrong password, for one that is off, and for none. */
  authenticate(name: string, password: Buffer): AclUser | null {
    // Before anything is known of the name, so that the time tells nothing of it.
    const hash = hashOfPassword(password);
    const user = this.#users.get(name);
    if (user === undefined || !user.isEnabled) return null;
    return user.needsNoPassword || user.hasPassword(hash) ? user : null;
  }

  /** A user is from now on as `next`, whether there was one of that name or not; who may not hear its channels any more is closed. */
  put(next: AclUser, connected: Connected): void {
    let user = this.#users.get(next.name);
    if (user === undefined) {
      user = new AclUser(next.name, this.#table, false);
      this.#users.set(next.name, user);
    } else closeSubscribers(user, next, connected);
    user.takeFrom(next);
  }

  /** False when there is no such user. Its clients are closed. */
  remove(name: string, connected: Connected): boolean {
    const user = this.#users.get(name);
    if (user === undefined) return false;
    this.#users.delete(name);
    // What they have sent before, and is still to be run, is run as a user who may do nothing.
    user.disarm();
    for (const client of [...connected.clients]) {
      if (client.user !== user) continue;
      client.authenticated = false;
      close(client, connected);
    }
    return true;
  }

  /** ACL LOAD: these are all users from now on. Clients of users that are gone, or are others than before, are closed. */
  replaceAll(next: ReadonlyMap<string, AclUser>, connected: Connected): void {
    for (const user of this.all()) {
      if (user === this.default) continue;
      if (next.get(user.name)?.describe() !== user.describe()) this.remove(user.name, connected);
    }
    for (const user of next.values()) this.put(user, connected);
    if (!next.has(DEFAULT_USER)) this.put(this.newDefault(), connected);
  }

  /** requirepass is another one: it takes the place of all passwords of the default user. */
  #passwordSet(): void {
    const password = this.#config.get('requirepass');
    if (password === this.#requirepass) return;
    this.#requirepass = password;
    setPassword(this.default, password);
  }
}

function setPassword(user: AclUser, password: string): void {
  user.needsNoPassword = password === '';
  user.passwords = password === '' ? [] : [hashOfPassword(Buffer.from(password, 'utf8'))];
}

const channelsOf = (user: AclUser): Set<string> =>
  new Set(user.selectors.flatMap((selector) => selector.channels));

function maySubscribe(selectors: readonly Selector[], client: ClientSession): boolean {
  const { subscriptions } = client;
  if (subscriptions === null) return true;
  const allows = (names: ReadonlySet<string>, isPattern: boolean): boolean => {
    for (const name of names) {
      if (!selectors.some((selector) => selector.allowsChannel(name, isPattern))) return false;
    }
    return true;
  };
  return (
    allows(subscriptions[Kind.Pattern], true) &&
    allows(subscriptions[Kind.Channel], false) &&
    allows(subscriptions[Kind.ShardChannel], false)
  );
}

function close(client: ClientSession, { current }: Connected): void {
  if (client === current) client.closeAfterReplies();
  else client.kill();
}

/** Closes the clients of `user` that hear of a channel which is not theirs any more when it is as `next`. */
function closeSubscribers(user: AclUser, next: AclUser, connected: Connected): void {
  if (next.selectors.some((selector) => selector.allowsAllChannels)) return;
  const had = user.selectors.some((selector) => selector.allowsAllChannels);
  const channels = channelsOf(next);
  if (!had && [...channelsOf(user)].every((channel) => channels.has(channel))) return;
  for (const client of [...connected.clients]) {
    if (client.user === user && !maySubscribe(next.selectors, client)) close(client, connected);
  }
}
