import type { ServerResponse } from 'node:http';
import { performance } from 'node:perf_hooks';
import type { AclUser } from '../../commands/acl/user.js';
import type { ClusterWatch } from './cluster-watch.js';
import type { Frame } from './frame.js';
import type { Logins, Right } from './logins.js';
import { maskKey } from './names.js';

/** Pages that are open at one time. */
export const LISTENERS_MAX = 16;
/** A listener that has not taken so many bytes is sent nothing more until it has. */
const BUFFER_BYTES_MAX = 64 * 1024;
/** One that takes nothing for so many frames is closed. */
const STUCK_FRAMES_MAX = 30;
/** Members are asked this often, and pages told so long after what they said. Milliseconds. */
const ASK_MS = 1000;
const ANSWERED_MS = 200;
/** What happens here is told at once, and what follows it so long after the last time. Milliseconds. */
const NEWS_MS = 100;

const RIGHTS: readonly Right[] = ['drain', 'forget', 'keys'];

interface Listener {
  readonly response: ServerResponse;
  readonly token: string | null;
  /** Number of the first event of the timeline that it was not sent. */
  nextEvent: number;
  stuckFrames: number;
}

export interface FeedParts {
  readonly watch: ClusterWatch;
  readonly logins: Logins;
  /** Reads the clocks: what follows is a turn. Returns the wall clock, Unix milliseconds. */
  beginTurn(): number;
  /** Who is told that something has happened here, in the middle of a turn; null for nobody. */
  onNews(listener: (() => void) | null): void;
}

/** Server-sent events for the pages that are open. While there are none nobody is asked anything. */
export class Feed {
  readonly #parts: FeedParts;
  readonly #listeners = new Set<Listener>();
  #asking: NodeJS.Timeout | null = null;
  #answered: NodeJS.Timeout | null = null;
  #news: NodeJS.Timeout | null = null;
  /** When news was told last; monotonic milliseconds. */
  #newsAt = Number.NEGATIVE_INFINITY;

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  get isFull(): boolean {
    return this.#listeners.size >= LISTENERS_MAX;
  }

  /** `response`: its head is written. */
  add(response: ServerResponse, token: string | null): void {
    const listener: Listener = { response, token, nextEvent: 0, stuckFrames: 0 };
    this.#listeners.add(listener);
    response.on('error', () => undefined);
    response.on('close', () => this.#remove(listener));
    if (this.#asking === null) this.#begin();
    this.#send([listener]);
  }

  close(): void {
    for (const { response } of this.#listeners) response.destroy();
    this.#end();
  }

  #remove(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) this.#end();
  }

  #begin(): void {
    this.#asking = setInterval(() => this.#ask(), ASK_MS).unref();
    this.#parts.onNews(() => this.#happened());
    this.#ask();
  }

  #end(): void {
    for (const timer of [this.#asking, this.#answered, this.#news])
      clearTimeout(timer ?? undefined);
    this.#asking = null;
    this.#news = null;
    this.#parts.onNews(null);
  }

  #ask(): void {
    this.#parts.beginTurn();
    this.#parts.watch.ask();
    this.#answered = setTimeout(() => this.#send(this.#listeners), ANSWERED_MS).unref();
  }

  #happened(): void {
    if (this.#news !== null) return;
    const wait = Math.max(0, this.#newsAt + NEWS_MS - performance.now());
    this.#news = setTimeout(() => this.#tellNews(), wait).unref();
  }

  /** This node answers itself at once: its news goes out with the frame. */
  #tellNews(): void {
    this.#news = null;
    this.#newsAt = performance.now();
    this.#parts.beginTurn();
    this.#parts.watch.ask();
    this.#send(this.#listeners);
  }

  #send(listeners: Iterable<Listener>): void {
    const { watch } = this.#parts;
    const frame = watch.frame(this.#parts.beginTurn());
    for (const listener of listeners) {
      const { response } = listener;
      if (response.writableLength > BUFFER_BYTES_MAX) {
        if (++listener.stuckFrames > STUCK_FRAMES_MAX) response.destroy();
        continue;
      }
      listener.stuckFrames = 0;
      const own = this.#frameFor(listener, frame);
      listener.nextEvent = watch.timeline.end;
      response.write(`data: ${JSON.stringify(own)}\n\n`);
    }
  }

  #frameFor({ token, nextEvent }: Listener, frame: Omit<Frame, 'events' | 'user' | 'may'>): Frame {
    const { logins, watch } = this.#parts;
    const user: AclUser | null = logins.user(token);
    const may = RIGHTS.filter((right) => logins.may(user, right));
    const shown = may.includes('keys') ? (key: string) => key : maskKey;
    return {
      ...frame,
      slow: frame.slow.map((one) => ({ ...one, key: shown(one.key) })),
      hot: frame.hot.map((one) => ({ ...one, key: shown(one.key) })),
      events: watch.timeline.from(nextEvent),
      user: user?.name ?? null,
      may,
    };
  }
}
