import { Agent, request as httpRequest } from 'node:http';
import { json } from 'node:stream/consumers';

/** Milliseconds between two requests of one user, and requests of all of them in a second at most. */
const PAUSE_MS = 1000;
const REQUESTS_PER_SECOND_MAX = 200;
/** The newest so many answers say how long an answer takes. */
const TIMES_KEPT = 1000;
/** A request without an answer by then is given up, milliseconds. */
const ANSWER_MS = 30_000;

interface Answer {
  readonly status: number;
  readonly body: { readonly user?: string; readonly views?: number };
  readonly cookies: readonly string[];
}

/** What has happened to the crowd so far. */
export interface CrowdStatus {
  readonly users: number;
  readonly loggedIn: number;
  readonly requests: number;
  /** Requests that got an error or none, and were made again: nobody was logged out by them. */
  readonly again: number;
  /** Sessions that were gone, or whose counter had gone back. */
  readonly lost: number;
  /** Milliseconds that the newest requests took. */
  readonly p50: number;
  readonly p99: number;
}

/** Somebody who logs in once, and asks for one page after the other. */
interface User {
  readonly name: string;
  readonly cookies: Map<string, string>;
  isLoggedIn: boolean;
  views: number;
}

/** Simulated users, each with cookies of its own; each one checks that its counter never goes back. */
export class Crowd {
  readonly #url: string;
  readonly #users: readonly User[];
  readonly #agent: Agent;
  readonly #times: number[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #requests = 0;
  #again = 0;
  #lost = 0;
  #isOver = false;

  constructor(count: number, url: string) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: count });
    this.#users = Array.from({ length: count }, (_, i) => {
      return { name: `user ${i + 1}`, cookies: new Map(), isLoggedIn: false, views: 0 };
    });
  }

  start(): void {
    const count = this.#users.length;
    const pauseMs = Math.max(PAUSE_MS, (count * 1000) / REQUESTS_PER_SECOND_MAX);
    this.#users.forEach((user, i) => {
      this.#later((i * pauseMs) / count, () => this.#live(user, pauseMs));
    });
  }

  end(): void {
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#agent.destroy();
  }

  status(): CrowdStatus {
    const sorted = [...this.#times].sort((a, b) => a - b);
    const percentile = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
    return {
      users: this.#users.length,
      loggedIn: this.#users.filter(({ isLoggedIn }) => isLoggedIn).length,
      requests: this.#requests,
      again: this.#again,
      lost: this.#lost,
      p50: percentile(0.5),
      p99: percentile(0.99),
    };
  }

  #later(ms: number, what: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void what();
    }, ms);
    this.#timers.add(timer);
  }

  async #live(user: User, pauseMs: number): Promise<void> {
    const since = performance.now();
    try {
      if (user.isLoggedIn) await this.#visit(user);
      else await this.#login(user);
    } catch {
      this.#again++;
    }
    if (this.#isOver) return;
    this.#later(Math.max(0, pauseMs - (performance.now() - since)), () => {
      return this.#live(user, pauseMs);
    });
  }

  async #login(user: User): Promise<void> {
    const { status } = await this.#ask(user, 'POST', '/app/login', { user: user.name });
    if (status !== 200) throw new Error(`login: ${status}`);
    user.views = 0;
    user.isLoggedIn = true;
  }

  async #visit(user: User): Promise<void> {
    const { status, body } = await this.#ask(user, 'GET', '/app/visit');
    if (status !== 200 && status !== 401) throw new Error(`visit: ${status}`);
    const { views = 0 } = body;
    const isLost = status === 401 || body.user !== user.name || views < user.views;
    if (isLost) {
      this.#lost++;
      user.isLoggedIn = false;
    }
    user.views = views;
  }

  async #ask(user: User, method: string, path: string, body?: object): Promise<Answer> {
    const since = performance.now();
    const answer = await this.#send(user, method, path, body);
    this.#requests++;
    this.#times.push(performance.now() - since);
    if (this.#times.length > TIMES_KEPT) this.#times.shift();
    for (const line of answer.cookies) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      user.cookies.set(name!, value!);
    }
    return answer;
  }

  #send(user: User, method: string, path: string, body?: object): Promise<Answer> {
    const cookie = [...user.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { cookie, 'content-type': 'application/json' };
    return new Promise((resolve, reject) => {
      const options = { method, headers, agent: this.#agent, timeout: ANSWER_MS };
      const sent = httpRequest(this.#url + path, options, (message) => {
        const cookies = message.headers['set-cookie'] ?? [];
        json(message).then(
          (read) => resolve({ status: message.statusCode!, body: read as Answer['body'], cookies }),
          reject,
        );
      });
      sent.on('timeout', () => sent.destroy(new Error('silent')));
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}
