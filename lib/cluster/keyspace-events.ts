import { EventClass } from '../base/event-classes.js';
import type { Request } from '../protocol/request.js';
import type { EventNaming } from './keyspace-contract.js';
import type { ReplySink } from './operation.js';
import type { ReplyWaits } from './reply-waits.js';

const EITHER_FORM = EventClass.Keyspace | EventClass.Keyevent;

/** What the changes that a command makes are called. */
export interface CommandEvents {
  readonly eventClass: number;
  readonly name: string;
  /** A value that expires is told of by a second event. */
  readonly tellsExpiry: boolean;
  /** A key that it leaves empty, and deletes, is told of by its own event before "del". */
  readonly tellsRemoval: boolean;
  /** What it replaces it has deleted first: the key counts as new. */
  readonly makesAnew: boolean;
}

/** An event that is to be published; without a name: clients that track the key are to be told. */
export interface KeyspaceEvent {
  readonly name: string;
  readonly db: number;
  readonly key: Buffer;
  /** On whose behalf it was changed, where that matters. */
  readonly origin?: object | null;
}

const INVALIDATION = '';

interface Held {
  readonly events: readonly KeyspaceEvent[];
  acksMissing: number;
}

/** Where events go. */
export interface EventOutput {
  publish(channel: Buffer, message: Buffer): void;
  invalidate(keys: readonly Buffer[], origin: object | null): void;
}

/**
 * Keyspace events: noted by the primary as it changes a key, for the command that runs, and published when that command's
 * changes are acknowledged; so they tell of nothing that the death of one node could undo. What is in the hands of a node that
 * dies is lost, as its command's outcome is unknown. Bounded by the frames that wait for acks.
 */
export class KeyspaceEvents implements ReplySink, EventNaming {
  /** What is asked for, 0 for nothing: the one check of those that make changes. */
  classes = 0;
  /** The command that runs. */
  running: () => CommandEvents | null = () => null;
  /** On whose behalf it runs. */
  origin: () => object | null = () => null;
  readonly #output: EventOutput;
  #asked = 0;
  #isTracked = false;
  #noted: KeyspaceEvent[] = [];
  #last: KeyspaceEvent[] = [];
  /** The name of the next change, where that is not the command's. */
  #nextName: string | null = null;
  readonly #held = new Map<number, Held>();
  #lastToken = 0;

  constructor(output: EventOutput) {
    this.#output = output;
  }

  /** Takes the bits of the option; without a form to publish in nothing is asked for. */
  ask(classes: number): void {
    this.#asked = (classes & EITHER_FORM) === 0 ? 0 : classes;
    this.#refresh();
  }

  /** Somebody is to be told of all changes. */
  track(isTracked: boolean): void {
    this.#isTracked = isTracked;
    this.#refresh();
  }

  #refresh(): void {
    this.classes = this.#asked | (this.#isTracked ? EventClass.Invalidation : 0);
  }

  // --- EventNaming

  nameNext(name: string): void {
    if (this.classes !== 0) this.#nextName = name;
  }

  missed(db: number, request: Request, index: number): void {
    if (this.classes !== 0) this.note(EventClass.KeyMiss, 'keymiss', db, request.bytes(index));
  }

  tell(db: number, request: Request, index: number, name: string): void {
    const command = this.classes === 0 ? null : this.running();
    if (command !== null) this.note(command.eventClass, name, db, request.bytes(index));
  }

  tellLast(changes: () => void): void {
    const before = this.take();
    changes();
    this.#last = this.take();
    this.give(before);
  }

  // --- noting

  note(eventClass: number, name: string, db: number, key: Buffer): void {
    if ((this.classes & eventClass) !== 0) this.#noted.push({ name, db, key });
  }

  /** The value or the expiry of a key has changed, or the key is gone. */
  touched(db: number, key: Buffer): void {
    if (this.#isTracked) this.#noted.push({ name: INVALIDATION, db, key, origin: this.origin() });
  }

  /** The same of a change that is nobody's. */
  touchedAside(db: number, key: Buffer): KeyspaceEvent[] {
    return this.#isTracked ? [{ name: INVALIDATION, db, key }] : [];
  }

  /** One event that is not the running command's; none where it is not asked for. */
  of(eventClass: number, name: string, db: number, key: Buffer): KeyspaceEvent[] {
    return (this.classes & eventClass) === 0 ? [] : [{ name, db, key }];
  }

  /** A value was set or changed. */
  changed(db: number, key: Buffer, isNew: boolean, expires: boolean): void {
    const command = this.#command();
    if (isNew || command?.makesAnew) this.note(EventClass.New, 'new', db, key);
    if (command === null) return;
    this.note(command.eventClass, command.name, db, key);
    if (expires && command.tellsExpiry) this.note(EventClass.Generic, 'expire', db, key);
  }

  removed(db: number, key: Buffer): void {
    const command = this.#command();
    if (command?.tellsRemoval) this.note(command.eventClass, command.name, db, key);
    this.note(EventClass.Generic, 'del', db, key);
  }

  #command(): CommandEvents | null {
    const command = this.running();
    const name = this.#nextName;
    this.#nextName = null;
    return name === null || command === null ? command : { ...command, name };
  }

  /** Takes what was noted, to give it back, or to publish it, later. */
  take(): KeyspaceEvent[] {
    if (this.#noted.length + this.#last.length === 0) return [];
    const taken = [...this.#noted, ...this.#last];
    this.#noted = [];
    this.#last = [];
    return taken;
  }

  /** The same of changes that were made on behalf of `origin`, whoever has run a command last. */
  takeOf(origin: object | null): KeyspaceEvent[] {
    return this.take().map((event) => ({ ...event, origin }));
  }

  give(events: readonly KeyspaceEvent[]): void {
    for (const event of events) this.#noted.push(event);
  }

  /** Publishes what was noted when all is acknowledged that the running command waits for. */
  release(waits: ReplyWaits): void {
    this.hold(this.take(), waits);
  }

  hold(events: readonly KeyspaceEvent[], waits: ReplyWaits): void {
    if (events.length === 0) return;
    const { count } = waits;
    if (count === 0) {
      this.publish(events);
      return;
    }
    const token = ++this.#lastToken;
    this.#held.set(token, { events, acksMissing: count });
    waits.register(this, token);
  }

  publish(events: readonly KeyspaceEvent[]): void {
    this.#invalidate(events);
    for (const { name, db, key } of events) {
      if (name === INVALIDATION) continue;
      if ((this.classes & EventClass.Keyspace) !== 0) {
        const channel = Buffer.concat([Buffer.from(`__keyspace@${db}__:`, 'latin1'), key]);
        this.#output.publish(channel, Buffer.from(name, 'latin1'));
      }
      if ((this.classes & EventClass.Keyevent) !== 0)
        this.#output.publish(Buffer.from(`__keyevent@${db}__:${name}`, 'latin1'), key);
    }
  }

  /** Those of one command together. */
  #invalidate(events: readonly KeyspaceEvent[]): void {
    let keys: Buffer[] = [];
    let of: object | null = null;
    for (const { name, key, origin = null } of events) {
      if (name !== INVALIDATION) continue;
      if (keys.length > 0 && origin !== of) {
        this.#output.invalidate(keys, of);
        keys = [];
      }
      of = origin;
      keys.push(key);
    }
    if (keys.length > 0) this.#output.invalidate(keys, of);
  }

  acknowledged(token: number): void {
    const held = this.#held.get(token);
    if (held === undefined || --held.acksMissing > 0) return;
    this.#held.delete(token);
    this.publish(held.events);
  }

  complete(): void {}

  /** Nobody knows whether the change has outlived this node's place in the cluster: copies of what was before are out of date. */
  fail(token: number): void {
    const held = this.#held.get(token);
    this.#held.delete(token);
    if (held !== undefined) this.#invalidate(held.events);
  }
}
