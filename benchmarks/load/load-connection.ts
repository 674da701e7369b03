import { connect, type Socket } from 'node:net';
import { ReplyScanner } from './reply-scanner.js';
import type { Endpoint } from './run-spec.js';

const READ_BUFFER_BYTES = 64 * 1024;

/** All connections read into one buffer: what is read is scanned before the next read. */
const readBuffer = new Uint8Array(READ_BUFFER_BYTES);

export interface LoadConnectionEvents {
  /** `count` replies were completed by one read, seen at monotonic time `now` in milliseconds. */
  replies(count: number, now: number): void;
  /** The connection broke, or what came was no reply. */
  failed(error: Error): void;
}

/** A connection that sends prepared bytes and counts replies. */
export class LoadConnection {
  readonly scanner: ReplyScanner = new ReplyScanner();
  private readonly socket: Socket;
  private readonly events: LoadConnectionEvents;
  private isClosing = false;

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
    return new Promise((resolve) => this.socket.once('connect', resolve));
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
    try {
      const count = this.scanner.feed(readBuffer, length);
      if (count > 0) this.events.replies(count, performance.now());
    } catch (error) {
      this.fail(error as Error);
    }
    return true;
  }

  private fail(error: Error): void {
    if (this.isClosing) return;
    this.close();
    this.events.failed(error);
  }
}
