import type { ServerResponse } from 'node:http';
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
/** News of this node is looked for this often, milliseconds; each so many looks members are asked, and told what they said. */
const LOOK_MS = 100;
const ASK_EVERY_LOOKS = 10;
const SEND_AFTER_LOOKS = 2;

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
  /** Id of the last event that this node has seen. */
  lastEvent(): number;
}

/** Server-sent events for the pages that are open. While there are none nobody is asked anything. */
export class Feed {
  readonly #parts: FeedParts;
  readonly #listeners = new Set<Listener>();
  #timer: NodeJS.Timeout | null = null;
  #looks = 0;
  #seenEvent = -1;

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
    if (this.#timer === null) {
      this.#looks = 0;
      this.#timer = setInterval(() => this.#look(), LOOK_MS);
      this.#timer.unref();
      this.#look();
    } else this.#send([listener]);
  }

  close(): void {
    for (const { response } of this.#listeners) response.destroy();
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #remove(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    const { watch, lastEvent } = this.#parts;
    this.#parts.beginTurn();
    const look = this.#looks++ % ASK_EVERY_LOOKS;
    const isNews = lastEvent() !== this.#seenEvent;
    this.#seenEvent = lastEvent();
    // This node answers itself at once: its news goes out with the frame.
    if (look === 0 || isNews) watch.ask();
    if (look === SEND_AFTER_LOOKS || isNews) this.#send([...this.#listeners]);
  }

  #send(listeners: readonly Listener[]): void {
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
