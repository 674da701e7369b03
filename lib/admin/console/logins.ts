import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { AclUser } from '../../commands/acl/user.js';
import type { Users } from '../../commands/acl/users.js';
import type { CommandTable } from '../../commands/table.js';
import { Request } from '../../protocol/request.js';

/** Logins at one time; the oldest ends when there is one more. */
const LOGINS_MAX = 64;
/** A login ends after so long without a request, and after so long anyway. Milliseconds. */
const IDLE_MS = 30 * 60_000;
const LIFE_MS = 8 * 3_600_000;
/** Wrong passwords within a minute: from one address, and from all. */
const TRIES_MAX = 5;
const TRIES_OF_ALL_MAX = 30;
const TRIES_MS = 60_000;

/** What a user may do at a console, by what it may do at the node. */
const RIGHTS = {
  drain: [Request.of('SHUTDOWN')],
  forget: [Request.of('CLUSTER', 'FORGET', 'id')],
  keys: [Request.of('SLOWLOG', 'GET'), Request.of('SCAN', '0')],
} as const;
export type Right = keyof typeof RIGHTS;

interface Login {
  readonly user: AclUser;
  /** What its rules were then: when they change, the login ends. */
  readonly rules: string;
  readonly begunAt: number;
  usedAt: number;
}

export type Attempt =
  | { readonly outcome: 'ok'; readonly token: string }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'too many'; readonly retrySeconds: number };

/** Operators who have given a user's password. */
export class Logins {
  readonly #users: Users;
  readonly #table: CommandTable;
  readonly #now: () => number;
  readonly #logins = new Map<string, Login>();
  /** When passwords were wrong, of late, with from where. */
  #wrong: { readonly at: number; readonly from: string }[] = [];

  constructor(users: Users, table: CommandTable, now: () => number = () => performance.now()) {
    this.#users = users;
    this.#table = table;
    this.#now = now;
  }

  /** `from`: the address that the attempt comes from. */
  attempt(name: string, password: string, from: string): Attempt {
    const now = this.#now();
    this.#wrong = this.#wrong.filter(({ at }) => now - at < TRIES_MS);
    const ofThis = this.#wrong.filter((one) => one.from === from);
    const isTooMany = ofThis.length >= TRIES_MAX || this.#wrong.length >= TRIES_OF_ALL_MAX;
    if (isTooMany) {
      const [oldest] = ofThis.length >= TRIES_MAX ? ofThis : this.#wrong;
      const retrySeconds = Math.ceil((TRIES_MS - (now - oldest!.at)) / 1000);
      return { outcome: 'too many', retrySeconds };
    }
    const bytes = Buffer.from(name, 'utf8').toString('latin1');
    const user = this.#users.authenticate(bytes, Buffer.from(password, 'utf8'));
    if (user === null) {
      this.#wrong.push({ at: now, from });
      return { outcome: 'refused' };
    }
    return { outcome: 'ok', token: this.#begin(user, now) };
  }

  #begin(user: AclUser, now: number): string {
    const token = randomBytes(32).toString('base64url');
    this.#logins.set(token, { user, rules: user.describe(), begunAt: now, usedAt: now });
    if (this.#logins.size > LOGINS_MAX) {
      const [oldest] = this.#logins.keys();
      this.#logins.delete(oldest!);
    }
    return token;
  }

  /** Who that is; null for nobody, and when the login has ended. */
  user(token: string | null): AclUser | null {
    const login = token === null ? undefined : this.#logins.get(token);
    if (login === undefined) return null;
    const now = this.#now();
    const { user, rules, begunAt, usedAt } = login;
    const isOver = now - usedAt > IDLE_MS || now - begunAt > LIFE_MS;
    const isSame = this.#users.get(user.name) === user && user.isEnabled;
    if (isOver || !isSame || user.describe() !== rules) {
      this.#logins.delete(token!);
      return null;
    }
    return user;
  }

  /** A request of that login's: it is not idle. */
  used(token: string | null): void {
    const login = token === null ? undefined : this.#logins.get(token);
    if (login !== undefined) login.usedAt = this.#now();
  }

  end(token: string | null): void {
    if (token !== null) this.#logins.delete(token);
  }

  may(user: AclUser | null, right: Right): boolean {
    return user !== null && RIGHTS[right].every((request) => this.#allows(user, request));
  }

  mayRead(user: AclUser | null, key: Buffer): boolean {
    return user !== null && this.#allows(user, Request.of('GET', key));
  }

  #allows(user: AclUser, request: Request): boolean {
    const spec = this.#table.find(request);
    return spec !== null && user.refusal(spec, request) === null;
  }
}
