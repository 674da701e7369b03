import { connect, type Socket } from 'node:net';
import { ReplyScanner } from './reply-scanner.js';
import type { Endpoint } from './run-spec.js';

const READ_BUFFER_BYTES = 64 * 1024;

const PING = 'PING\r\n';
const PONG = '+PONG\r\n';

/** All connections read into one buffer: what is read is scanned before the next read. */
const readBuffer = new Uint8Array(READ_BUFFER_BYTES);

export interface LoadConnectionEvents {
  /** `count` replies were completed by one read, seen at monotonic time `now` in milliseconds. */
  replies(count: number, now: number): void;
  /** The connection broke, or what came was no reply. */
  failed(error: Error): void;
}

/**
 * A connection that sends prepared bytes and counts replies. It is open when the server has answered a PING: the kernel
 * says so before the server has seen the connection, and how long a server takes to accept many at once is not what is measured.
 */
export class LoadConnection {
  readonly scanner: ReplyScanner = new ReplyScanner();
  private readonly socket: Socket;
  private readonly events: LoadConnectionEvents;
  private isClosing = false;
  private greeted: (() => void) | null = null;

  constructor(endpoint: Endpoint, events: LoadConnectionEvents) {
    this.events = events;
    this.socket = connect({
      host: endpoint.host,
      port: endpoint.port,
      noDelay: true,
      onread: { buffer: readBuffer, callback: (length) => this.read(length) },
    });
    this.socket.on('error', (error) => this.fail(error));
    this.socket.on('close', () => this.fail(new Error('the server closed the connection')));
  }

  opened(): Promise<void> {
    return new Promise((resolve) => {
      this.greeted = resolve;
      this.socket.write(PING);
    });
  }

  /** `bytes` must stay as they are until their replies have come. */
  send(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  close(): void {
    this.isClosing = true;
    this.socket.destroy();
  }

  private read(length: number): boolean {
    if (this.greeted !== null) return this.greet(length);
    try {
      const count = this.scanner.feed(readBuffer, length);
      if (count > 0) this.events.replies(count, performance.now());
    } catch (error) {
      this.fail(error as Error);
    }
    return true;
  }

  private greet(length: number): boolean {
    const text = Buffer.from(readBuffer.buffer, 0, length).toString('latin1');
    if (text === PONG) this.greeted!();
    else this.fail(new Error(`PING was answered with ${JSON.stringify(text)}`));
    this.greeted = null;
    return true;
  }

  private fail(error: Error): void {
    if (this.isClosing) return;
    this.close();
    this.events.failed(error);
  }
}
