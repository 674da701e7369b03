import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import {
  TLS_HANDSHAKE_MS,
  TLS_HANDSHAKES,
  TLS_HANDSHAKES_PER_TURN,
  TLS_HELLO_BYTES,
} from '../base/limits.js';
import { Lobby } from './lobby.js';
import type { TlsFiles, TlsMaterial } from './tls-files.js';

/** Type of the record that a TLS handshake begins with. */
const HANDSHAKE_RECORD = 22;
/** u8 type | u16 version | u16 length, big-endian */
const RECORD_HEADER_BYTES = 5;
const EMPTY: Buffer = Buffer.alloc(0);

export const NO_TLS = 'no TLS, on a port for it';

export interface TlsEvents {
  /** The handshake is over, and the other end's certificate is as wanted. */
  admitted(socket: TLSSocket): void;
  /** It is not. A `socket` that is not null can still be told why, and is to be closed. `from` is "host:port". */
  refused(reason: string, from: string, socket: Socket | null): void;
}

interface Handshake {
  readonly raw: Socket;
  readonly ends: string;
  readonly from: string;
  readonly timer: NodeJS.Timeout;
  readonly receive: (chunk: Buffer) => void;
  readonly ended: () => void;
  /** What has come so far of the first message. */
  bytes: Buffer;
}

/** What tells connections apart; null for one that is no more. */
function endsOf(socket: Socket): string | null {
  const { remoteAddress, remotePort, localAddress } = socket;
  return remoteAddress === undefined ? null : `${remoteAddress} ${remotePort} ${localAddress}`;
}

/**
 * Takes connections that were accepted through their TLS handshake. Little is spent on strangers: of a connection whose
 * first message is not there in full nothing but that is kept; so many begin in one turn that other connections are
 * delayed by a few milliseconds; so many are under way, so long each.
 */
export class TlsAcceptor {
  readonly #files: TlsFiles;
  /** Whether the other end must show a certificate, or may. */
  readonly #wanted: (material: TlsMaterial) => 'yes' | 'no' | 'optional';
  readonly #events: TlsEvents;
  /** By the ends of their connection. */
  readonly #underWay = new Map<string, Handshake>();
  readonly #lobby = new Lobby<Handshake>(TLS_HANDSHAKES);
  /** Their first message is there. */
  #waiting: Handshake[] = [];
  #isScheduled = false;
  #server: Server | null = null;
  #material: TlsMaterial | null = null;

  constructor(
    files: TlsFiles,
    wanted: (material: TlsMaterial) => 'yes' | 'no' | 'optional',
    events: TlsEvents,
  ) {
    this.#files = files;
    this.#wanted = wanted;
    this.#events = events;
  }

  accept(raw: Socket): void {
    const ends = endsOf(raw);
    raw.on('error', () => undefined);
    if (ends === null) {
      raw.destroy();
      return;
    }
    const handshake: Handshake = {
      raw,
      ends,
      from: `${raw.remoteAddress}:${raw.remotePort}`,
      timer: setTimeout(() => this.#fail(handshake, 'TLS handshake timed out'), TLS_HANDSHAKE_MS),
      receive: (chunk) => this.#received(handshake, chunk),
      ended: () => void raw.destroy(),
      bytes: EMPTY,
    };
    const before = this.#underWay.get(ends);
    if (before !== undefined) this.#fail(before, 'closed in the TLS handshake');
    const leaving = this.#lobby.enter(handshake, raw.remoteAddress!);
    if (leaving !== null) {
      this.#files.statistics.limits.add('tls-handshakes');
      this.#fail(leaving, 'too many TLS handshakes under way');
    }
    this.#underWay.set(ends, handshake);
    this.#files.statistics.tlsHandshakes += 1;
    raw.on('close', () => this.#closed(handshake));
    raw.on('end', handshake.ended);
    raw.on('data', handshake.receive);
    raw.resume();
  }

  /** Ends all that are under way. */
  close(): void {
    for (const { raw } of this.#underWay.values()) raw.destroy();
  }

  /** Nothing is waited for any more. False when that was so already. */
  #settle(handshake: Handshake): boolean {
    const { raw, ends, timer, receive, ended } = handshake;
    if (this.#underWay.get(ends) !== handshake) return false;
    this.#underWay.delete(ends);
    this.#lobby.leave(handshake);
    clearTimeout(timer);
    raw.off('data', receive);
    raw.off('end', ended);
    handshake.bytes = EMPTY;
    this.#files.statistics.tlsHandshakes -= 1;
    return true;
  }

  #received(handshake: Handshake, chunk: Buffer): void {
    const { raw } = handshake;
    const bytes = Buffer.concat([handshake.bytes, chunk]);
    handshake.bytes = bytes;
    if (bytes[0] !== HANDSHAKE_RECORD) {
      this.#refuse(handshake, NO_TLS, raw);
      return;
    }
    if (bytes.length < RECORD_HEADER_BYTES) return;
    const end = RECORD_HEADER_BYTES + bytes.readUInt16BE(3);
    if (end > TLS_HELLO_BYTES) this.#fail(handshake, 'a TLS handshake that begins with too much');
    if (bytes.length < end || raw.destroyed) return;
    raw.off('data', handshake.receive);
    raw.off('end', handshake.ended);
    raw.pause();
    this.#waiting.push(handshake);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#begin());
  }

  #begin(): void {
    this.#isScheduled = false;
    const waiting = this.#waiting.filter(({ raw }) => !raw.destroyed);
    for (const { raw, bytes } of waiting.splice(0, TLS_HANDSHAKES_PER_TURN)) {
      raw.unshift(bytes);
      // Whoever hangs up during the handshake waits for nothing.
      raw.allowHalfOpen = false;
      this.#currentServer().emit('connection', raw);
    }
    this.#waiting = waiting;
    if (waiting.length > 0) this.#schedule();
  }

  /** It never listens: what it serves is handed to it. */
  #currentServer(): Server {
    const material = this.#files.current;
    if (this.#server !== null && material === this.#material) return this.#server;
    this.#material = material;
    const wanted = this.#wanted(material);
    const server = createServer({
      ...material.options,
      requestCert: wanted !== 'no',
      // Judged below, where the other end can still be told.
      rejectUnauthorized: false,
      handshakeTimeout: TLS_HANDSHAKE_MS,
    });
    server.on('secureConnection', (socket) => this.#secured(socket, wanted));
    server.on('tlsClientError', (error: Error & { reason?: string; code?: string }, socket) => {
      const ends = endsOf(socket);
      const handshake = ends === null ? undefined : this.#underWay.get(ends);
      if (handshake !== undefined) this.#fail(handshake, `TLS: ${error.reason ?? error.message}`);
    });
    this.#server = server;
    return server;
  }

  #secured(socket: TLSSocket, wanted: 'yes' | 'no' | 'optional'): void {
    const ends = endsOf(socket);
    const handshake = ends === null ? undefined : this.#underWay.get(ends);
    socket.on('error', () => undefined);
    if (handshake === undefined) {
      socket.destroy();
      return;
    }
    const isAnonymous = Object.keys(socket.getPeerCertificate()).length === 0;
    if (socket.authorized || wanted === 'no' || (wanted === 'optional' && isAnonymous)) {
      this.#settle(handshake);
      socket.allowHalfOpen = true;
      this.#events.admitted(socket);
      return;
    }
    const why = isAnonymous ? 'none' : String(socket.authorizationError);
    this.#refuse(handshake, `a certificate of the CA is needed (${why})`, socket);
  }

  #refuse(handshake: Handshake, reason: string, socket: Socket | null): void {
    if (!this.#settle(handshake)) return;
    this.#files.statistics.tlsHandshakesFailed += 1;
    this.#events.refused(reason, handshake.from, socket);
  }

  #fail(handshake: Handshake, reason: string): void {
    this.#refuse(handshake, reason, null);
    handshake.raw.destroy();
  }

  /** Who goes before saying anything has looked whether the port is open. */
  #closed(handshake: Handshake): void {
    if (handshake.bytes.length > 0) this.#refuse(handshake, 'closed in the TLS handshake', null);
    else this.#settle(handshake);
  }
}
