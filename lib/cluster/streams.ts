import { FRAME_HEADER_BYTES } from '../protocol/bus-frames.js';
import { f64At } from '../protocol/bytes.js';
import type { ClusterState } from './cluster-state.js';
import { FIRST_STREAM_TYPE, FrameType } from './frames.js';
import type { FramesAhead } from './frames-ahead.js';
import type { Incarnation, Member, View } from './member.js';
import type { Peer } from './peer.js';
import { EARLY_FLUSH_BYTES } from './stream.js';

/** The outside of the streams: data connections. A link is a number given by the host. */
export interface DataHost {
  /** Opens a data connection to a member; `dataOpened` or `dataClosed` follows, never before this has returned. */
  dialData(member: Member): number;
  /** Sends a range. The bytes stay as they are until they are acked, or (a control frame) until the next turn. */
  sendData(link: number, buffer: Buffer, start: number, end: number): void;
  closeData(link: number): void;
  /** Asks for one call of `flush` at the end of the turn. */
  wantFlush(): void;
  /** Asks for one in so many milliseconds; where one was asked for already, that one counts. */
  wantFlushIn(milliseconds: number): void;
}

/** Who understands the frames of a stream. False: malformed, the link is dropped. */
export interface FrameHandler {
  handle(peer: Peer, type: number, buffer: Buffer, start: number, end: number): boolean;
}

/** RESUME, ACK, HELD and TAKEN have one or two numbers: length, type, f64, f64. */
const CONTROL_FRAME_BYTES = FRAME_HEADER_BYTES + 16;

/** A member that has not installed the view yet turns a connection away: it is tried again, so often between two ticks. */
const DIALS_PER_TICK = 8;

/** Bytes that a paused stream may pile up before its connection is closed, to be resumed later. */
const PAUSED_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The streams to all members: opens and resumes their connections, hands received frames on in order, sends what was
 * appended once per turn, acks what was processed, and finds streams that are stuck (docs/data-plane.md, ground rules).
 */
export class Streams {
  readonly #state: ClusterState;
  readonly #host: DataHost;
  readonly #frames: FrameHandler;
  readonly #ahead: FramesAhead;
  readonly #links = new Map<number, Peer>();
  #flushWanted = false;

  constructor(state: ClusterState, host: DataHost, frames: FrameHandler, ahead: FramesAhead) {
    this.#state = state;
    this.#ahead = ahead;
    this.#host = host;
    this.#frames = frames;
  }

  /** Marks every stream with the view just installed, and dials the members met for the first time. */
  mark(view: View): void {
    for (const peer of this.#state.livePeers()) {
      peer.stream.log.begin(FrameType.View, 8);
      peer.stream.log.f64(view.id.number);
      this.appended(peer);
    }
    this.dialMissing();
  }

  /** Of two members the one with the smaller id dials. */
  dialMissing(): void {
    for (const peer of this.#state.livePeers()) {
      peer.stream.dials = 0;
      this.#dial(peer);
    }
  }

  #dial(peer: Peer): void {
    const { stream } = peer;
    if (stream.link !== 0 || this.#state.self.id > peer.id || stream.dials === DIALS_PER_TICK)
      return;
    stream.dials++;
    const link = this.#host.dialData(peer.member);
    this.#links.set(link, peer);
    stream.attach(link);
    peer.lossy.attach();
  }

  /** Ends the stream of a member that was left out. What waited for its acks is still in `stream.acks`. */
  end(peer: Peer): void {
    this.#dropLink(peer);
    peer.stream.closed = true;
  }

  dataOpened(link: number): void {
    const peer = this.#links.get(link);
    if (peer === undefined) this.#host.closeData(link);
    else {
      // Before RESUME: that lets the stream go on, and what waits here is to go out first (see `flush`).
      this.#sendTaken(peer);
      this.#sendControl(peer, FrameType.Resume, peer.stream.received, peer.stream.acked);
      peer.stream.isGreeted = true;
    }
  }

  /** A member has dialled. Its stream may be unknown here yet (it has installed a view first): it will dial again. */
  dataAccepted(link: number, from: Incarnation): void {
    const peer = this.#state.peerById(from);
    if (peer === undefined || !peer.isLive || from > this.#state.self.id) {
      this.#host.closeData(link);
      return;
    }
    this.#dropLink(peer);
    this.#links.set(link, peer);
    peer.stream.attach(link);
    peer.lossy.attach();
    this.dataOpened(link);
  }

  dataClosed(link: number): void {
    const peer = this.#links.get(link);
    this.#links.delete(link);
    if (peer === undefined || peer.stream.link !== link) return;
    peer.stream.detach();
    if (peer.isLive) this.#dial(peer);
  }

  dataReceived(link: number, chunk: Buffer, length: number): void {
    const peer = this.#links.get(link);
    if (peer === undefined || peer.stream.link !== link) return;
    this.#state.statistics.busBytesReceived += length;
    peer.stream.reader.feed(chunk, length);
    this.#process(peer);
    peer.stream.reader.finish();
    if (peer.stream.reader.pendingBytes > PAUSED_BYTES_MAX && peer.isPaused) this.#dropLink(peer);
  }

  /** Something was appended to the stream of `peer`: it goes out at the end of the turn, or at once when it is much. */
  appended(peer: Peer): void {
    const { stream } = peer;
    if (stream.stuckSince === 0) stream.stuckSince = this.#state.now;
    if (stream.log.endOffset - stream.sent >= EARLY_FLUSH_BYTES && stream.resumed) {
      this.#sendUnsent(peer);
    } else {
      this.wantFlush();
    }
  }

  wantFlush(): void {
    if (this.#flushWanted) return;
    this.#flushWanted = true;
    this.#host.wantFlush();
  }

  flush(): void {
    this.#flushWanted = false;
    // Of a key that expires the event goes out before the delete: if this node dies in between, who takes it up says it again.
    for (const peer of this.#state.peers) {
      if (peer?.lossy.hasUnsent && peer.stream.resumed) this.#sendLossy(peer);
    }
    for (const peer of this.#state.peers) {
      if (peer === null || !peer.stream.resumed) continue;
      this.#sendUnsent(peer);
      if (peer.lossy.isTakenDue) this.#sendTaken(peer);
      if (peer.stream.ackDue && !peer.isApplying) {
        peer.stream.ackDue = false;
        this.#sendControl(peer, FrameType.Ack, peer.stream.received, this.#state.clock.last);
      }
    }
  }

  /** Streams that waited for a view or for leases go on where that has come. */
  resumePaused(): void {
    for (const peer of this.#state.livePeers()) {
      if (!peer.isPaused || !this.#mayProcess(peer)) continue;
      peer.isPaused = false;
      this.#process(peer);
      peer.stream.reader.finish();
    }
  }

  /** This node slept: that nothing was acked meanwhile says nothing, the acks may lie in its sockets. */
  slept(): void {
    for (const { stream } of this.#state.livePeers()) {
      if (stream.stuckSince !== 0) stream.stuckSince = this.#state.now;
    }
  }

  /**
   * Finds streams without progress: reset once, then reported as a broken link; but only while the member answers on its
   * control link. What cuts both ends with both, and neither end may be in doubt longer than the other:
   *
   *   1. C does not hear A and B, for as long as it takes to find their streams stuck; then it hears them again
   *   2. B finds its stream to C stuck a moment later, and C its stream to A
   *   3. of B and C one is left out, of C and A the other: nobody is left who has what those two held
   *
   * Nor may who reads nothing itself, for want of leases, say that there is no progress:
   *
   *   1. D freezes, and A and B void their leases, by a late tick each. Neither gets D's again before D is left out.
   *   2. B tells A that it holds A's frames. A does not read that, as it would B's acks.
   *   3. A calls the link broken and leaves B out with D; one of these held each key
   */
  tick(): void {
    this.dialMissing();
    const { config, membership, now } = this.#state;
    const patience = config.nodeTimeoutMs / 2;
    for (const peer of this.#state.livePeers()) {
      const { stream } = peer;
      if ((peer.isPaused || peer.isApplying) && stream.isGreeted) {
        this.#sendControl(peer, FrameType.Held, stream.received, this.#state.clock.last);
      }
      if (stream.stuckSince === 0) continue;
      const isReading = !peer.isPaused && !peer.isApplying;
      if (!isReading || membership.isSilent(peer.id)) stream.stuckSince = now;
      if (now - stream.stuckSince < patience) continue;
      stream.stuckSince = now;
      stream.resets++;
      if (stream.resets > 1) membership.dataLinkBroken(peer.id, now);
      this.#dropLink(peer);
    }
  }

  #process(peer: Peer): void {
    const { stream } = peer;
    const { statistics } = this.#state;
    let lookAt = 0;
    while (stream.link !== 0 && !stream.closed) {
      if (!this.#mayProcess(peer)) {
        peer.isPaused = true;
        return;
      }
      const { reader } = stream;
      if (reader.at >= lookAt) lookAt = this.#ahead.look(reader);
      if (!reader.next()) {
        if (reader.error !== '') this.#dropLink(peer);
        return;
      }
      const { type, buffer, start, end } = reader;
      statistics.framesReceived[type & 63]!++;
      if (type < FIRST_STREAM_TYPE) {
        if (!this.#control(peer, type, buffer, start, end)) return this.#dropLink(peer);
      } else {
        stream.frameEnd = stream.received + FRAME_HEADER_BYTES + end - start;
        if (!this.#sequenced(peer, type, buffer, start, end)) return this.#dropLink(peer);
        stream.received = stream.frameEnd;
        if (!stream.ackDue) {
          stream.ackDue = true;
          this.wantFlush();
        }
      }
    }
  }

  #mayProcess(peer: Peer): boolean {
    if (peer.isApplying) return false;
    return peer.markedView <= (this.#state.view?.id.number ?? 0) && this.#state.isServing;
  }

  #sequenced(peer: Peer, type: number, buffer: Buffer, start: number, end: number): boolean {
    if (type !== FrameType.View) return this.#frames.handle(peer, type, buffer, start, end);
    if (end - start !== 8) return false;
    peer.markedView = f64At(buffer, start);
    return true;
  }

  #control(peer: Peer, type: number, buffer: Buffer, start: number, end: number): boolean {
    if (type === FrameType.Lossy) return this.#receiveLossy(peer, buffer.subarray(start, end));
    if (end - start !== 16) return false;
    const offset = f64At(buffer, start);
    const second = f64At(buffer, start + 8);
    switch (type) {
      case FrameType.Resume:
        // What the peer was told is processed, and no more: else one end has begun anew and the other has not. (Both ends
        // make the stream when they install a view with the other in it, not always the same one.)
        if (second > peer.stream.received || !peer.stream.resumeFrom(offset)) return false;
        this.wantFlush();
        return true;
      case FrameType.Ack:
        this.#state.clock.observe(second);
        return this.#acknowledged(peer, offset);
      case FrameType.Taken:
        this.wantFlush();
        return peer.lossy.acknowledged(offset);
      case FrameType.Held:
        if (peer.stream.stuckSince !== 0) peer.stream.stuckSince = this.#state.now;
        return true;
      default:
        return false;
    }
  }

  /** Progress makes a link whole again that counted as broken: its member may only have slept. */
  #acknowledged(peer: Peer, offset: number): boolean {
    const { stream } = peer;
    const { membership, now } = this.#state;
    const wasStuck = stream.resets > 0;
    if (!stream.acknowledged(offset, now)) return false;
    if (wasStuck && stream.resets === 0) membership.dataLinkWhole(peer.id, now);
    return true;
  }

  #sendUnsent(peer: Peer): void {
    const { stream } = peer;
    if (!stream.hasUnsent) return;
    this.#state.statistics.busBytesSent += stream.log.endOffset - stream.sent;
    stream.log.eachUnsent(stream.sent, (buffer, start, end) =>
      this.#host.sendData(stream.link, buffer, start, end),
    );
    stream.sentAll();
  }

  #sendLossy(peer: Peer): void {
    const { link } = peer.stream;
    const { statistics } = this.#state;
    peer.lossy.pump((buffer, start, end) => {
      const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
      header.writeUInt32LE(1 + end - start, 0);
      header[FRAME_HEADER_BYTES - 1] = FrameType.Lossy;
      statistics.framesSent[FrameType.Lossy]!++;
      statistics.busBytesSent += FRAME_HEADER_BYTES + end - start;
      this.#host.sendData(link, header, 0, FRAME_HEADER_BYTES);
      this.#host.sendData(link, buffer, start, end);
    });
  }

  #sendTaken(peer: Peer): void {
    peer.lossy.isTakenDue = false;
    this.#sendControl(peer, FrameType.Taken, peer.lossy.taken, this.#state.clock.last);
  }

  #receiveLossy(peer: Peer, piece: Buffer): boolean {
    this.wantFlush();
    return peer.lossy.receive(piece, (type, buffer, start, end) => {
      this.#state.statistics.framesReceived[type & 63]!++;
      return type === FrameType.Publish && this.#frames.handle(peer, type, buffer, start, end);
    });
  }

  #sendControl(peer: Peer, type: number, first: number, second: number): void {
    const frame = Buffer.allocUnsafe(CONTROL_FRAME_BYTES);
    frame.writeUInt32LE(CONTROL_FRAME_BYTES - 4, 0);
    frame[4] = type;
    frame.writeDoubleLE(first, 5);
    frame.writeDoubleLE(second, 13);
    this.#state.statistics.framesSent[type]!++;
    this.#state.statistics.busBytesSent += CONTROL_FRAME_BYTES;
    this.#host.sendData(peer.stream.link, frame, 0, CONTROL_FRAME_BYTES);
  }

  #dropLink(peer: Peer): void {
    const { link } = peer.stream;
    if (link === 0) return;
    this.#links.delete(link);
    peer.stream.detach();
    this.#host.closeData(link);
  }
}
