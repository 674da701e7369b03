import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import type { MemberQuestions } from '../../cluster/member-questions.js';
import type { PeekedValue } from '../../cluster/peeking.js';
import { versionMs } from '../../cluster/version-clock.js';
import { forgetError } from '../../commands/cluster.js';
import type { KeyLocation, NodeServices } from '../../commands/services.js';
import type { CommandTable } from '../../commands/table.js';
import { Assets } from './assets.js';
import { ClusterWatch } from './cluster-watch.js';
import { Feed } from './feed.js';
import type { PlaceFrame } from './frame.js';
import {
  type Answer,
  bodyOf,
  isFromPage,
  isOwnHost,
  json,
  SECURITY_HEADERS,
  send,
  text,
  tokenCookie,
  tokenOf,
} from './http.js';
import { Logins } from './logins.js';
import { addressOf, maskKey } from './names.js';
import { valueFrame } from './value.js';

/** "Precondition Required": CLUSTER FORGET would be done with FORCE only. */
const FORCE_NEEDED = 428;
/** Keys looked up at one time, and how long one may take, milliseconds. */
const LOOKUPS_MAX = 8;
const LOOKUP_MS_MAX = 5000;
const KEY_BYTES_MAX = 4096;

export const CONSOLE_PATH = '/console/';

export interface ConsoleParts {
  readonly services: NodeServices;
  readonly table: CommandTable;
  readonly questions: MemberQuestions;
  beginTurn(): number;
  /** Who is told that something has happened here, in the middle of a turn; null for nobody. */
  onNews(listener: (() => void) | null): void;
}

type Body = Readonly<Record<string, unknown>>;

/** The page that shows the cluster, and what it asks for: see docs/console.md. */
export class Console {
  readonly #parts: ConsoleParts;
  readonly #assets = new Assets();
  readonly #logins: Logins;
  readonly #feed: Feed;
  #lookups = 0;

  constructor(parts: ConsoleParts) {
    const { services, table, questions } = parts;
    this.#parts = parts;
    this.#logins = new Logins(services.users, table);
    this.#feed = new Feed({
      watch: new ClusterWatch(services.cluster, questions),
      logins: this.#logins,
      beginTurn: () => parts.beginTurn(),
      onNews: (listener) => parts.onNews(listener),
    });
  }

  close(): void {
    this.#feed.close();
  }

  /** Answers a request below CONSOLE_PATH; `path` is what follows. */
  async answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const { method } = request;
    const names = this.#parts.services.config.get('admin-host').toLowerCase();
    if (!isOwnHost(request.headers.host, names.split(/\s+/))) {
      return send(response, method, text(421, 'this node has another name: see admin-host'));
    }
    if (method === 'POST') {
      return send(response, method, await this.#post(request, path));
    }
    if (method !== 'GET' && method !== 'HEAD') {
      return send(response, method, text(405, 'GET, HEAD or POST', { Allow: 'GET, HEAD, POST' }));
    }
    if (path === 'events' && method === 'GET') return this.#listen(request, response);
    const asset = await this.#assets.get(path === '' ? 'index.html' : path);
    send(response, method, asset === null ? text(404, 'no such file') : { status: 200, ...asset });
  }

  #listen(request: IncomingMessage, response: ServerResponse): void {
    if (this.#feed.isFull) {
      this.#parts.services.statistics.limits.add('console-pages');
      send(response, 'GET', text(503, 'too many consoles are open', { 'Retry-After': '10' }));
      return;
    }
    response.writeHead(200, { ...SECURITY_HEADERS, 'Content-Type': 'text/event-stream' });
    this.#feed.add(response, tokenOf(request));
  }

  async #post(request: IncomingMessage, path: string): Promise<Answer> {
    if (!isFromPage(request)) return text(403, 'only from the page itself, as JSON');
    const body = await bodyOf(request);
    if (body === null) return text(400, 'no JSON object, or too long');
    const token = tokenOf(request);
    this.#logins.used(token);
    switch (path) {
      case 'login':
        return this.#login(body, request.socket.remoteAddress ?? '');
      case 'logout':
        this.#logins.end(token);
        return json(200, {}, { 'Set-Cookie': tokenCookie(null) });
      case 'locate':
        return this.#locate(body, token);
      case 'value':
        return this.#value(body, token);
      case 'drain':
        return this.#drain(body, token);
      case 'forget':
        return this.#forget(body, token);
      default:
        return text(404, 'no such thing to do');
    }
  }

  #login({ user = 'default', password }: Body, from: string): Answer {
    const { services } = this.#parts;
    if (typeof user !== 'string' || typeof password !== 'string') {
      return text(400, 'user and password are text');
    }
    if (services.users.default.needsNoPassword && user === 'default' && !isLoopback(from)) {
      return text(403, 'the default user has no password: log in from this machine, or set one');
    }
    const attempt = this.#logins.attempt(user, password, from);
    switch (attempt.outcome) {
      case 'ok':
        services.log('info', 'console: logged in', { user, from });
        return json(200, {}, { 'Set-Cookie': tokenCookie(attempt.token) });
      case 'refused':
        services.log('warn', 'console: login refused', { user: user.slice(0, 64), from });
        return text(401, 'wrong user or password');
      case 'too many':
        return text(429, `too many tries: wait ${attempt.retrySeconds} s`, {
          'Retry-After': String(attempt.retrySeconds),
        });
    }
  }

  /** Where a key is. Looking moves and touches nothing. */
  async #locate(body: Body, token: string | null): Promise<Answer> {
    const { cluster } = this.#parts.services;
    const key = this.#keyOf(body);
    if (typeof key === 'string') return text(400, key);
    return this.#look<KeyLocation>(
      (found) => cluster.locate(key.db, key.bytes, found),
      (location) => json(200, placeOf(location, this.#mayShow(key.bytes, token))),
    );
  }

  /** What a key is, for those who could read it as a client; no use of it either. */
  async #value(body: Body, token: string | null): Promise<Answer> {
    const { services } = this.#parts;
    const key = this.#keyOf(body);
    if (typeof key === 'string') return text(400, key);
    if (!this.#mayShow(key.bytes, token)) {
      return text(
        403,
        'values are for who is logged in and may GET the key: see admin-show-values',
      );
    }
    const user = this.#logins.user(token)?.name;
    services.log('info', 'console: value', { user, key: maskKey(key.bytes.toString('utf8')) });
    return this.#look<PeekedValue | null>(
      (found) => services.cluster.peek(key.db, key.bytes, found),
      (value) => (value === null ? text(404, 'no such key') : json(200, valueFrame(value))),
    );
  }

  #mayShow(key: Buffer, token: string | null): boolean {
    const isOn = this.#parts.services.config.get('admin-show-values') === 'yes';
    return isOn && this.#logins.mayRead(this.#logins.user(token), key);
  }

  /** What is wrong with it, as a text, where it is none. */
  #keyOf({ key, db = 0 }: Body): { readonly db: number; readonly bytes: Buffer } | string {
    if (typeof key !== 'string' || typeof db !== 'number') return 'key is text';
    const bytes = Buffer.from(key, 'utf8');
    const { config } = this.#parts.services;
    const isDb = Number.isInteger(db) && db >= 0 && db < config.get('databases');
    return isDb && bytes.length <= KEY_BYTES_MAX ? { db, bytes } : 'no such database or key';
  }

  /** `ask` is answered by the members; by a text when that failed. */
  async #look<Found>(
    ask: (found: (answer: Found | string) => void) => void,
    tell: (found: Found) => Answer,
  ): Promise<Answer> {
    if (this.#lookups >= LOOKUPS_MAX) return text(429, 'too many lookups', { 'Retry-After': '1' });
    this.#lookups++;
    try {
      const found = await this.#asked(ask);
      return typeof found === 'string' ? text(503, found) : tell(found);
    } finally {
      this.#lookups--;
    }
  }

  #asked<Found>(ask: (found: (answer: Found | string) => void) => void): Promise<Found | string> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve('a member did not answer'), LOOKUP_MS_MAX);
      this.#parts.beginTurn();
      ask((found) => {
        clearTimeout(timer);
        resolve(found);
      });
    });
  }

  /** What needs FORCE is told by a status of its own: the page asks once more then. */
  #forget({ member, force }: Body, token: string | null): Answer {
    const { services } = this.#parts;
    const user = this.#logins.user(token);
    if (user === null) return text(401, 'log in first');
    if (!this.#logins.may(user, 'forget')) return text(403, 'this user may not run CLUSTER FORGET');
    if (typeof member !== 'string') return text(400, 'member is an id');
    const isForced = force === true;
    this.#parts.beginTurn();
    const outcome = services.cluster.forget(member, isForced);
    const error = forgetError(outcome, member.slice(0, 8));
    services.log('info', 'console: forget', { user: user.name, member, isForced, error });
    if (error === null) return json(200, {});
    const status = outcome === 'unproven' ? FORCE_NEEDED : 409;
    return text(status, error.replace('ERR ', '').replace(FORCE_HINT, ''));
  }

  async #drain({ member }: Body, token: string | null): Promise<Answer> {
    const { services, questions } = this.#parts;
    const user = this.#logins.user(token);
    if (user === null) return text(401, 'log in first');
    if (!this.#logins.may(user, 'drain')) return text(403, 'this user may not run SHUTDOWN');
    const found = services.cluster.members.find(({ id }) => id === member);
    if (found === undefined) return text(404, 'no such member');
    services.log('info', 'console: drain', { user: user.name, member: addressOf(found) });
    const isBegun = await new Promise<boolean>((resolve) => {
      this.#parts.beginTurn();
      if (!questions.drain(found.id, resolve)) resolve(false);
    });
    return isBegun ? json(200, {}) : text(503, 'that member did not begin to leave');
  }
}

/** The page says itself what has to be certain before. */
const FORCE_HINT = / Make sure that.*/;

const isLoopback = (address: string): boolean =>
  /^(::ffff:)?127\./.test(address) || (isIP(address) === 6 && address === '::1');

function placeOf(location: KeyLocation, mayShow: boolean): PlaceFrame {
  const { slot, anchor, primary, backup, ...facts } = location;
  const name = (member: KeyLocation['anchor']) => (member === null ? null : addressOf(member));
  return {
    slot,
    anchor: name(anchor),
    primary: name(primary),
    backup: name(backup),
    version: facts.version,
    changedAt: primary === null && backup === null ? null : versionMs(facts.version),
    expireAt: facts.expireAt,
    settled: facts.settled,
    mayShow,
  };
}
