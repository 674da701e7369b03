import { copyBytes, u32At } from '../protocol/bytes.js';
import { allocateWithRoom } from '../store/large-value.js';
import type { ClusterState } from './cluster-state.js';
import { FrameType } from './frames.js';
import { LANES, PART_HEADER_BYTES, WHOLE_HEADER_BYTES } from './large-frame.js';
import type { Peer } from './peer.js';
import { FRAME_BYTES_MAX } from './stream.js';
import type { FrameHandler } from './streams.js';

/** Frames that may come in parts. */
const TYPES: ReadonlySet<number> = new Set<number>([
  FrameType.Set,
  FrameType.Copy,
  FrameType.Claim,
  FrameType.Forward,
  FrameType.Reply,
  FrameType.Atomic,
  FrameType.Query,
  FrameType.Answer,
  FrameType.Holdings,
]);

/** A frame whose parts are coming in. */
interface Assembly {
  readonly number: number;
  readonly headBytes: number;
  /** A part of its allocation: what is kept of it, a value, may have to grow. */
  readonly frame: Buffer;
  filled: number;
}

/**
 * Puts frames together that come in parts: nothing of them shows before the last one. At most one per lane and member,
 * of at most FRAME_BYTES_MAX; they outlive a connection, as the stream does, and end with the stream.
 */
export class LargeReceiver {
  readonly #state: ClusterState;
  readonly #frames: FrameHandler;
  readonly #assemblies = new Map<Peer, (Assembly | null)[]>();

  constructor(state: ClusterState, frames: FrameHandler) {
    this.#state = state;
    this.#frames = frames;
  }

  receivePart(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start < PART_HEADER_BYTES) return false;
    const lane = buffer[start]!;
    const number = u32At(buffer, start + 1);
    const headBytes = u32At(buffer, start + 5);
    const total = u32At(buffer, start + 9);
    if (lane >= LANES || headBytes > total || total > FRAME_BYTES_MAX) return false;
    const lanes = this.#lanesOf(peer);
    let assembly = lanes[lane];
    if (assembly?.number !== number) {
      this.#drop(lanes, lane);
      // Without a body it only says that what came before is not going on.
      if (total === 0) return true;
      assembly = { number, headBytes, frame: allocateWithRoom(total), filled: headBytes };
      lanes[lane] = assembly;
      this.#state.statistics.assemblyBytes += total;
    }
    const from = start + PART_HEADER_BYTES;
    if (end - from > assembly.frame.length - assembly.filled) return false;
    copyBytes(buffer, from, end, assembly.frame, assembly.filled);
    assembly.filled += end - from;
    return true;
  }

  receiveWhole(peer: Peer, buffer: Buffer, start: number, end: number): boolean {
    if (end - start < WHOLE_HEADER_BYTES) return false;
    const lanes = this.#lanesOf(peer);
    const lane = buffer[start]!;
    const assembly = lanes[lane];
    const type = buffer[start + 5]!;
    if (assembly === undefined || assembly === null || !TYPES.has(type)) return false;
    if (assembly.number !== u32At(buffer, start + 1)) return false;
    const head = start + WHOLE_HEADER_BYTES;
    const { frame } = assembly;
    if (end - head !== assembly.headBytes || assembly.filled !== frame.length) return false;
    this.#drop(lanes, lane);
    copyBytes(buffer, head, end, frame, 0);
    return this.#frames.handle(peer, type, frame, 0, frame.length);
  }

  /** The stream has ended. */
  peerLost(peer: Peer): void {
    const lanes = this.#assemblies.get(peer);
    for (let lane = 0; lane < (lanes?.length ?? 0); lane++) this.#drop(lanes!, lane);
    this.#assemblies.delete(peer);
  }

  #drop(lanes: (Assembly | null)[], lane: number): void {
    this.#state.statistics.assemblyBytes -= lanes[lane]?.frame.length ?? 0;
    lanes[lane] = null;
  }

  #lanesOf(peer: Peer): (Assembly | null)[] {
    let lanes = this.#assemblies.get(peer);
    if (lanes === undefined) {
      lanes = Array.from({ length: LANES }, () => null);
      this.#assemblies.set(peer, lanes);
    }
    return lanes;
  }
}
