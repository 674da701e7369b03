import { FRAME_HEADER_BYTES } from '../protocol/bus-frames.js';
import { u32At } from '../protocol/bytes.js';
import { hasBase } from './edit-log.js';
import { FrameType, isOwnBuffer, KeyFrame, ownBytes } from './frames.js';
import type { Peer } from './peer.js';

/** An ATOMIC frame that is being applied. */
interface Applying {
  readonly peer: Peer;
  /** The buffer is the frame's own. */
  readonly isOwn: boolean;
  readonly buffer: Buffer;
  readonly end: number;
  at: number;
}

/** Applies one change of a key as a frame of its own would be. */
export type ApplyChange = (peer: Peer, type: number, frame: KeyFrame) => void;

/**
 * The backup's side of ATOMIC. One of very many keys is applied in slices. From when it has come it will be applied as a
 * whole, whatever becomes of its primary. Nobody sees half of it:
 *
 *     1. it is acked when it is over; what its primary has sent behind it is not read before
 *     2. no copy of that primary is read here (`isApplying`): such reads go to the primary
 *     3. a view that is prepared has it finished first, so who promotes or reports copies has all of it
 */
export class AtomicReceiver {
  /** Changes that are applied in one turn. */
  readonly #stepKeys: number;
  readonly #apply: ApplyChange;
  readonly #frame = new KeyFrame();
  /** At most one per peer. */
  #open: Applying[] = [];

  constructor(stepKeys: number, apply: ApplyChange) {
    this.#stepKeys = stepKeys;
    this.#apply = apply;
  }

  /** False for a malformed frame, of which nothing is applied. */
  receive(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    const count = countOf(this.#frame, buffer, start, end);
    if (count < 0) return false;
    if (count <= this.#stepKeys) {
      this.#some({ peer, isOwn: isOwnBuffer(start), buffer, end, at: start }, count);
      return true;
    }
    const bytes = ownBytes(buffer, start, end, start);
    this.#open.push({ peer, isOwn: true, buffer: bytes, end: end - start, at: 0 });
    peer.isApplying = true;
    return true;
  }

  get open(): number {
    return this.#open.length;
  }

  /** Goes on; true when that has ended one, so that its peer's stream may be read again. */
  step(): boolean {
    let room = this.#stepKeys;
    const before = this.#open.length;
    while (room > 0 && this.#open.length > 0) room -= this.#first(room);
    return this.#open.length < before;
  }

  /** Applies all that has come. */
  finish(): void {
    while (this.#open.length > 0) this.#first(Number.POSITIVE_INFINITY);
  }

  /** Forgets everything: this incarnation was left out. */
  clear(): void {
    this.#open = [];
  }

  #first(changesMax: number): number {
    const first = this.#open[0]!;
    const done = this.#some(first, changesMax);
    if (first.at < first.end) return done;
    this.#open.shift();
    first.peer.isApplying = false;
    return done;
  }

  /** Returns how many changes it has applied. */
  #some(applying: Applying, changesMax: number): number {
    const { peer, isOwn, buffer, end } = applying;
    const frame = this.#frame;
    let done = 0;
    for (; done < changesMax && applying.at < end; done++) {
      const { at } = applying;
      applying.at = at + 4 + u32At(buffer, at);
      frame.read(buffer, at + FRAME_HEADER_BYTES, applying.at);
      frame.isOwn = isOwn;
      this.#apply(peer, buffer[at + 4]!, frame);
    }
    return done;
  }
}

function isChange(type: number, frame: KeyFrame): boolean {
  if (type === FrameType.Set) return frame.hasSoundValue();
  if (type === FrameType.Edit) return hasBase(frame.buffer, frame.valueStart, frame.valueEnd);
  return type === FrameType.Delete;
}

/** Changes in the frame; -1 when it is malformed. */
function countOf(frame: KeyFrame, buffer: Buffer, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; count++) {
    if (end - at < FRAME_HEADER_BYTES) return -1;
    const length = u32At(buffer, at);
    if (length < 1 || at + 4 + length > end) return -1;
    if (!frame.read(buffer, at + FRAME_HEADER_BYTES, at + 4 + length)) return -1;
    const type = buffer[at + 4]!;
    if (!isChange(type, frame)) return -1;
    at += 4 + length;
  }
  return count;
}
