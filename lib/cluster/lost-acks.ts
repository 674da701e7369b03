import { FRAME_HEADER_BYTES } from '../protocol/bus-frames.js';
import { u32At } from '../protocol/bytes.js';
import { type Ref, Role, type Store } from '../store/store.js';
import type { Announcements } from './announcements.js';
import type { Claims } from './claims.js';
import type { Forgets } from './forgets.js';
import { FrameType, KeyFrame } from './frames.js';
import type { Key } from './key.js';
import { WHOLE_HEADER_BYTES } from './large-frame.js';
import type { LargeSender } from './large-sender.js';
import type { Moves } from './moves.js';
import type { ReplySink } from './operation.js';
import type { Peer } from './peer.js';

/** Frames about a key that may come in parts. */
const KEY_TYPES: ReadonlySet<number> = new Set<number>([
  FrameType.Set,
  FrameType.Copy,
  FrameType.Claim,
]);

interface Waiting {
  readonly sink: ReplySink;
  readonly token: number;
}

/** Releases one ack of a reply when several things have happened. */
class Together implements ReplySink {
  #missing: number;
  readonly #waiting: Waiting;

  constructor(missing: number, waiting: Waiting) {
    this.#missing = missing;
    this.#waiting = waiting;
  }

  acknowledged(): void {
    if (--this.#missing === 0) this.#waiting.sink.acknowledged(this.#waiting.token);
  }

  complete(): void {}

  fail(_token: number, error: string): void {
    this.#waiting.sink.fail(this.#waiting.token, error);
  }
}

/** Who takes up again what waited for acks. Their own steps are theirs to judge. */
export interface LostAcksParts {
  readonly state: { readonly store: Store };
  readonly moves: Moves;
  readonly forgets: Forgets;
  readonly claims: Claims;
  readonly largeSender: LargeSender;
  readonly announcements: Announcements;
}

/**
 * A member was left out, and its acks will not come. Each reply that waited for one waits for its key instead: for the
 * next copy of a key that is there, for the delete to be final of one that is not. The keys are read from the backlog.
 * `sending` are the keys of frames in parts that the backlog does not tell, by ticket or by offset.
 */
export function drainLostAcks(
  { stream }: Peer,
  parts: LostAcksParts,
  sending: ReadonlyMap<number, readonly Key[]>,
): void {
  const { store } = parts.state;
  const refsOf = (keys: readonly Key[]): Ref[] =>
    keys.map(({ db, bytes }) => store.find(db, bytes, 0, bytes.length));
  const waiting = new Map<number, Waiting[]>();
  stream.acks.drain((offset, sink, token) => {
    if (isStep(parts, sink)) return;
    const others = waiting.get(offset);
    if (others === undefined) waiting.set(offset, [{ sink, token }]);
    else others.push({ sink, token });
  });
  stream.tickets.drain((ticket, sink, token) => {
    if (isStep(parts, sink)) return;
    awaitKeys(parts, refsOf(sending.get(ticket)!), { sink, token });
  });
  if (waiting.size === 0) return;
  stream.log.eachFrame(stream.acked, (type, buffer, start, end, endOffset) => {
    const those = waiting.get(endOffset);
    if (those === undefined) return;
    waiting.delete(endOffset);
    const keys = sending.get(endOffset);
    const refs = keys === undefined ? keysOf(type, buffer, start, end, store) : refsOf(keys);
    for (const each of those) awaitKeys(parts, refs, each);
  });
  for (const those of waiting.values()) {
    for (const { sink, token } of those) sink.acknowledged(token);
  }
}

const isStep = (parts: LostAcksParts, sink: ReplySink): boolean =>
  sink === parts.moves ||
  sink === parts.forgets ||
  sink === parts.claims ||
  sink === parts.largeSender ||
  sink === parts.announcements;

function awaitKeys(
  { state, moves, forgets }: LostAcksParts,
  refs: readonly Ref[],
  waiting: Waiting,
): void {
  if (refs.length === 0) return waiting.sink.acknowledged(waiting.token);
  const together = new Together(refs.length, waiting);
  for (const ref of refs) {
    if (ref !== 0 && state.store.role(ref) === Role.Tombstone) forgets.add(ref).add(together, 0);
    else moves.awaitCopy(ref, together, 0);
  }
}

function keysOf(type: number, buffer: Buffer, start: number, end: number, store: Store): Ref[] {
  if (type === FrameType.Part) return [];
  if (type === FrameType.Whole) {
    const isOfKey = KEY_TYPES.has(buffer[start + WHOLE_HEADER_BYTES - 1]!);
    const head = start + WHOLE_HEADER_BYTES;
    return isOfKey ? keysOf(FrameType.Set, buffer, head, end, store) : [];
  }
  const frame = new KeyFrame();
  const find = () => store.find(frame.db, frame.buffer, frame.keyStart, frame.keyEnd);
  if (type !== FrameType.Atomic) return frame.read(buffer, start, end) ? [find()] : [];
  const refs: Ref[] = [];
  for (let at = start; at < end; ) {
    const length = u32At(buffer, at);
    if (frame.read(buffer, at + FRAME_HEADER_BYTES, at + 4 + length)) refs.push(find());
    at += 4 + length;
  }
  return refs;
}
