import { FrameType, KeyFrame } from '../../lib/cluster/frames.js';
import { Inbox } from '../../lib/cluster/inbox.js';
import type { Peer } from '../../lib/cluster/peer.js';
import { Role } from '../../lib/store/store.js';
import { type Call, showCall } from './history.js';
import type { Process } from './process.js';
import type { Scheduler } from './scheduler.js';

const LINES_MAX = 20_000;
const ROLE_NAMES = ['primary', 'backup', 'record', 'tombstone'];
const FLAG_NAMES = ['full', 'reads', 'busy', 'moving', 'eager', 'streak', 'held'];
const FRAME_NAMES = new Map<number, string>(
  Object.entries(FrameType).map(([name, type]) => [type, name.toUpperCase()]),
);
const KEY_FRAMES = new Set<number>([
  FrameType.Set,
  FrameType.Expire,
  FrameType.Delete,
  FrameType.Claim,
  FrameType.Reject,
  FrameType.Defer,
  FrameType.Granted,
  FrameType.Revoke,
  FrameType.Copy,
  FrameType.Drop,
  FrameType.Grant,
  FrameType.Swap,
  FrameType.Forget,
  FrameType.Record,
]);

/** Told of everything that happens; this one keeps nothing. */
export class Trace {
  started(_process: Process): void {}
  ended(_process: Process): void {}
  turn(_process: Process, _label: string): void {}
  turnEnded(_process: Process): void {}
  note(_process: Process, _text: string): void {}
  log(_process: Process, _level: string, _event: string, _facts: Record<string, unknown>): void {}
  fault(_text: string): void {}
  command(_process: Process, _args: readonly string[]): void {}
  answered(_call: Call): void {}
}

/**
 * The story of one key, as lines: frames about it as each node processes them, what each turn made of its entry, views
 * and faults. The entry is looked at after every turn, so that no change is missed whatever made it.
 */
export class KeyTrace extends Trace {
  readonly lines: string[] = [];
  readonly #scheduler: Scheduler;
  readonly #key: string;
  readonly #bytes: Buffer;
  readonly #entries = new Map<Process, string>();
  readonly #names = new Map<string, string>();
  readonly #frame = new KeyFrame();
  #process: Process | null = null;
  #label = '';
  readonly #handle = Inbox.prototype.handle;

  constructor(scheduler: Scheduler, key: string) {
    super();
    this.#scheduler = scheduler;
    this.#key = key;
    this.#bytes = Buffer.from(key, 'latin1');
    this.#watchFrames();
  }

  /** Ends the watch over frames. */
  close(): void {
    Inbox.prototype.handle = this.#handle;
  }

  override started(process: Process): void {
    this.#name(process);
    this.#add(`${process.name} STARTED as ${process.incarnation.slice(0, 6)}`);
  }

  override ended(process: Process): void {
    this.#add(`${process.name} ENDED`);
    this.#entries.delete(process);
  }

  override turn(process: Process, label: string): void {
    this.#process = process;
    this.#label = label;
  }

  override turnEnded(process: Process): void {
    const entry = this.describe(process);
    const before = this.#entries.get(process) ?? 'nothing';
    if (entry === before) return;
    this.#entries.set(process, entry);
    this.#add(`${process.name} [${this.#label}] ${before} => ${entry}`);
  }

  override note(process: Process, text: string): void {
    this.#add(`${process.name} ${text}`);
  }

  override log(process: Process, _level: string, event: string, facts: object): void {
    this.#name(process);
    const text = JSON.stringify(facts).replace(/[0-9a-f]{40}/g, (id) => this.#names.get(id) ?? id);
    this.#add(`${process.name} ${event} ${text}`);
  }

  override fault(text: string): void {
    this.#add(`FAULT ${text}`);
  }

  override command(process: Process, args: readonly string[]): void {
    if (args.includes(this.#key))
      this.#add(`${process.name} COMMAND ${args.join(' ').slice(0, 60)}`);
  }

  override answered(call: Call): void {
    if (call.keys.includes(this.#key)) this.#add(showCall(call));
  }

  /** The entry of the key at that process. */
  describe(process: Process): string {
    const { store } = process;
    const ref = store.find(0, this.#bytes, 0, this.#bytes.length);
    if (ref === 0) return 'nothing';
    const role = store.role(ref);
    const flags = FLAG_NAMES.filter((_, bit) => (store.flags(ref) & (1 << bit)) !== 0).join('+');
    const start = store.valueStart(ref);
    const end = start + Math.min(16, store.valueLength(ref));
    const value = store.valueBuffer(ref).latin1Slice(start, end);
    const peer = process.node.state.peer(store.peer(ref));
    const peerName = peer === null ? '-' : this.#nameOf(peer.id);
    const offset = role === Role.Primary || role === Role.Tombstone ? store.changeOffset(ref) : 0;
    return (
      `${ROLE_NAMES[role]}(${flags}) peer ${peerName} ` +
      `v${shortVersion(store.version(ref))}${offset === 0 ? '' : ` @${offset}`}` +
      `${role < 2 ? ` ${JSON.stringify(value)}` : ''}` +
      `${store.expireAt(ref) === 0 ? '' : ` until ${store.expireAt(ref) % 1e7}`}`
    );
  }

  #watchFrames(): void {
    const handle = this.#handle;
    const trace = this;
    Inbox.prototype.handle = function (peer, type, buffer, start, end): boolean {
      const process = trace.#process;
      const text = trace.#describeFrame(type, buffer, start, end);
      if (process !== null && text !== null) trace.#frameSeen(process, peer, text);
      return handle.call(this, peer, type, buffer, start, end);
    };
  }

  #frameSeen(process: Process, peer: Peer, text: string): void {
    this.#name(process);
    this.#add(`${process.name} <- ${this.#nameOf(peer.id)} ${text}`);
  }

  /** Null for a frame that has nothing to do with the key. */
  #describeFrame(type: number, buffer: Buffer, start: number, end: number): string | null {
    const name = FRAME_NAMES.get(type) ?? String(type);
    const text = buffer.latin1Slice(start, end);
    if (KEY_FRAMES.has(type)) {
      const frame = this.#frame;
      if (!frame.read(buffer, start, end)) return null;
      if (buffer.latin1Slice(frame.keyStart, frame.keyEnd) !== this.#key) return null;
      const value = buffer.latin1Slice(
        frame.valueStart,
        Math.min(frame.valueEnd, frame.valueStart + 16),
      );
      return `${name} flags ${frame.flags} v${shortVersion(frame.version)} ${JSON.stringify(value)}`;
    }
    if (type === FrameType.Forward || type === FrameType.Lookup || type === FrameType.Atomic) {
      if (!text.includes(this.#key)) return null;
      const printable = text.slice(8, 90).replace(/[^ -~]+/g, ' ');
      return `${name} ${printable}`;
    }
    return null;
  }

  #name(process: Process): void {
    this.#names.set(process.incarnation, process.name);
  }

  #nameOf(id: string): string {
    return this.#names.get(id) ?? id.slice(0, 6);
  }

  #add(text: string): void {
    this.lines.push(`${this.#scheduler.now.toFixed(3).padStart(10)} ${text}`);
    if (this.lines.length > 2 * LINES_MAX) this.lines.splice(0, LINES_MAX);
  }
}

/** Milliseconds (of the last 100 s) and counter. */
const shortVersion = (version: number): string =>
  `${Math.floor(version / 2048) % 100_000}.${version % 2048}`;
