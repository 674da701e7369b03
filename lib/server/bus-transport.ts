import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { BUS_HELLO_MS, BUS_STRANGERS, READ_BUFFER_BYTES } from '../base/limits.js';
import type { Logger } from '../base/logger.js';
import type { Address, Incarnation, Member } from '../cluster/member.js';
import type { LinkEnd } from '../cluster/membership/contract.js';
import type { ControlMessage } from '../cluster/membership/messages.js';
import type { Statistics } from '../commands/statistics.js';
import { BUS_PROTOCOL, type BusHello, type BusLinkKind } from './bus-hello.js';
import { BusLink, type BusLinkEvents } from './bus-link.js';
import { Lobby } from './lobby.js';
import { RepeatedRefusals } from './repeated-refusals.js';
import { dial, dialTls, openAccepted, type ReadMode } from './socket-reading.js';
import { TlsAcceptor } from './tls-acceptor.js';
import type { TlsFiles } from './tls-files.js';
import type { TurnEnd, TurnStep } from './turn-end.js';

/** What the bus tells the node. Links are numbers, never 0; each event comes in a turn of its own. */
export interface BusHandler {
  /** Called before each of the others, so that leases are judged by the clock of this turn. */
  beginTurn(): void;
  controlOpened(link: number): void;
  controlAccepted(link: number): void;
  controlClosed(link: number, end: LinkEnd): void;
  controlMessage(link: number, message: ControlMessage): void;
  dataOpened(link: number): void;
  dataAccepted(link: number, from: Incarnation): void;
  dataClosed(link: number): void;
  dataReceived(link: number, chunk: Buffer, length: number): void;
  /** Sends what was appended in this turn. */
  flush(): void;
}

export interface BusOptions {
  readonly host: string;
  readonly port: number;
  /** Connections that are open at the same time, dialled and accepted. */
  readonly connectionsMax: number;
  /** A dialled connection that is not open by then has failed, milliseconds. */
  readonly dialTimeoutMs: number;
  readonly readMode: ReadMode;
  /** What members prove that they know, the secret of now first; empty for none. */
  readonly secrets: () => readonly string[];
  /** What members speak TLS with; null for none. */
  readonly tls: TlsFiles | null;
  readonly logger: Logger;
  readonly statistics: Statistics;
  /** The incarnation that this node has now. */
  readonly self: () => Incarnation;
}

/**
 * The cluster bus over TCP: one listening port; control links that carry JSON messages, data links that carry the bytes
 * of streams. It knows connections, and nothing of what is said on them.
 */
export class BusTransport implements BusLinkEvents, TurnStep {
  readonly #options: BusOptions;
  readonly #handler: BusHandler;
  readonly #server: Server;
  readonly #shared = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
  readonly #links = new Map<number, BusLink>();
  /** Accepted links whose other end is not known yet. */
  readonly #strangers = new Lobby<BusLink>(BUS_STRANGERS);
  readonly #refusals = new RepeatedRefusals();
  readonly #tls: TlsAcceptor | null;
  #nextLink = 1;
  #isOpen = false;
  /** Whether something was appended that is to be sent at the end of this turn. */
  isDue = false;
  readonly #turnEnd: TurnEnd;
  /** Links written to during the flush under way. */
  #corked: BusLink[] = [];
  #flushing = false;
  #laterFlush: NodeJS.Timeout | null = null;

  constructor(options: BusOptions, handler: BusHandler, turnEnd: TurnEnd) {
    this.#turnEnd = turnEnd;
    this.#options = options;
    this.#handler = handler;
    const { tls } = options;
    this.#tls =
      tls &&
      new TlsAcceptor(tls, () => 'yes', {
        admitted: (socket) => this.#greet(socket, 'stream'),
        refused: (reason, from, socket) => {
          socket?.destroy();
          this.#warn(from, reason);
        },
      });
    this.#server = createServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: true });
    this.#server.on('connection', (socket) => this.#accept(socket));
  }

  /** Resolves to the port when members can connect; rejects with the system's error. */
  listen(): Promise<number> {
    const { host, port, logger } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) =>
          logger.warn('accepting bus connections failed', { error: error.message }),
        );
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** From now on there is a handler for what members bring; those who came before try again. */
  open(): void {
    this.#isOpen = true;
  }

  /** Closes everything; what was written is still sent. */
  close(): void {
    if (this.#laterFlush !== null) clearTimeout(this.#laterFlush);
    this.#server.close();
    this.#tls?.close();
    for (const link of this.#links.values()) link.finish();
  }

  dialControl(address: Address): number {
    return this.#dial(address.host, address.busPort, 'control', '');
  }

  dialData(member: Member): number {
    return this.#dial(member.host, member.busPort, 'data', member.id);
  }

  sendControl(link: number, message: ControlMessage): void {
    this.#links.get(link)?.sendControl(message);
  }

  /** Sends now; the bytes must stay as they are until the peer has acked them. */
  sendData(number: number, buffer: Buffer, start: number, end: number): void {
    const link = this.#links.get(number);
    if (link === undefined) return;
    // The ranges of one flush go out in one system call per link.
    if (this.#flushing && link.cork()) this.#corked.push(link);
    link.write(buffer.subarray(start, end));
  }

  /** Closes it without telling the handler. */
  closeLink(number: number): void {
    this.#links.get(number)?.close();
    this.#forget(number);
  }

  /** Asks for one flush when the sockets of this turn have been read. */
  wantFlush(): void {
    this.isDue = true;
    this.#turnEnd.schedule();
  }

  /** Asks for one in so many milliseconds; where one was asked for already, that one counts. */
  wantFlushIn(milliseconds: number): void {
    this.#laterFlush ??= setTimeout(() => {
      this.#laterFlush = null;
      this.wantFlush();
    }, milliseconds);
  }

  run(): void {
    this.isDue = false;
    this.#flushing = true;
    this.#handler.beginTurn();
    this.#handler.flush();
    this.#flushing = false;
    for (const link of this.#corked) link.uncork();
    this.#corked.length = 0;
  }

  #dial(host: string, port: number, kind: BusLinkKind, to: Incarnation): number {
    const link = this.#add(kind);
    const { tls } = this.#options;
    const receive = (chunk: Buffer, length: number): void => {
      this.#handler.beginTurn();
      link.received(chunk, length);
    };
    const socket =
      tls === null
        ? dial(host, port, this.#shared, receive)
        : dialTls(host, port, tls.current.context, receive);
    link.attach(socket, `${host}:${port}`);
    const timeout = setTimeout(() => {
      if (!link.isOpen) link.fail('timeout');
    }, this.#options.dialTimeoutMs);
    socket.on('close', () => clearTimeout(timeout));
    socket.on(tls === null ? 'connect' : 'secureConnect', () => {
      this.#handler.beginTurn();
      link.begin({ protocol: BUS_PROTOCOL, kind, from: this.#options.self(), to });
    });
    return link.number;
  }

  opened(link: BusLink): void {
    if (link.kind === 'data') this.#handler.dataOpened(link.number);
    else this.#handler.controlOpened(link.number);
  }

  #add(kind: BusLinkKind | null): BusLink {
    const link = new BusLink(this.#nextLink++, kind, this, this.#options.secrets());
    this.#links.set(link.number, link);
    this.#options.statistics.busConnections = this.#links.size;
    return link;
  }

  #forget(number: number): void {
    this.#links.delete(number);
    this.#options.statistics.busConnections = this.#links.size;
  }

  #accept(accepted: Socket): void {
    if (!this.#isOpen) {
      accepted.destroy();
      return;
    }
    if (this.#tls === null) this.#greet(accepted, this.#options.readMode);
    else this.#tls.accept(accepted);
  }

  /** Whoever it is has to say hello now. */
  #greet(accepted: Socket, mode: ReadMode): void {
    const from = `${accepted.remoteAddress ?? '?'}:${accepted.remotePort ?? 0}`;
    if (!this.#hasRoom()) {
      this.#warn(from, 'too many bus connections');
      accepted.destroy();
      return;
    }
    const link = this.#add(null);
    this.#welcome(link, accepted.remoteAddress ?? '');
    const receive = (chunk: Buffer, length: number) => {
      this.#handler.beginTurn();
      link.received(chunk, length);
    };
    const socket = openAccepted(accepted, mode, this.#shared, receive);
    link.attach(socket, from);
    const timeout = setTimeout(() => {
      if (!link.isOpen) link.fail('timeout');
    }, BUS_HELLO_MS);
    socket.on('close', () => clearTimeout(timeout));
    socket.resume();
  }

  /** Whether there is a place for one more: a stranger gives his, so that none of them keeps a member out. */
  #hasRoom(): boolean {
    const { connectionsMax, statistics } = this.#options;
    if (this.#links.size < connectionsMax) return true;
    statistics.limits.add('bus-connections');
    const leaving = this.#strangers.makeRoom();
    if (leaving !== null) this.#sendAway(leaving);
    return leaving !== null;
  }

  #welcome(link: BusLink, host: string): void {
    const leaving = this.#strangers.enter(link, host);
    this.#options.statistics.busStrangers = this.#strangers.size;
    if (leaving === null) return;
    this.#options.statistics.limits.add('bus-strangers');
    this.#sendAway(leaving);
  }

  /** Its place is free at once, and not only when its socket has closed. */
  #sendAway(stranger: BusLink): void {
    this.#forget(stranger.number);
    stranger.fail('closed');
  }

  #noStranger(link: BusLink): void {
    this.#strangers.leave(link);
    this.#options.statistics.busStrangers = this.#strangers.size;
  }

  hello(link: BusLink, hello: BusHello): boolean {
    this.#noStranger(link);
    if (hello.to !== '' && hello.to !== this.#options.self()) {
      // Meant for an incarnation that was here before: its member finds out by the connection's end.
      this.closeLink(link.number);
      return false;
    }
    if (hello.kind === 'data') this.#handler.dataAccepted(link.number, hello.from);
    else this.#handler.controlAccepted(link.number);
    return true;
  }

  message(link: BusLink, message: ControlMessage): void {
    this.#handler.controlMessage(link.number, message);
  }

  data(link: BusLink, chunk: Buffer, length: number): void {
    this.#handler.dataReceived(link.number, chunk, length);
  }

  closed(link: BusLink, end: LinkEnd): void {
    this.#forget(link.number);
    this.#noStranger(link);
    if (link.isStrange) return;
    this.#handler.beginTurn();
    if (link.kind === 'data') this.#handler.dataClosed(link.number);
    else this.#handler.controlClosed(link.number, end);
  }

  malformed(link: BusLink, reason: string): void {
    this.#warn(link.from, reason);
  }

  #warn(from: string, reason: string): void {
    if (this.#refusals.isRepeated(from, reason)) return;
    this.#options.logger.warn('bus connection dropped', { from, reason });
  }
}
