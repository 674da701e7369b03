import { once } from 'node:events';
import { request as ask, type IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';

/**
 * What a servlet container has for mod_jk, as far as a test needs it: it takes AJP 1.3 for an application that speaks HTTP. Requests have no
 * body; of those that mod_jk sends only what HTTP knows is passed on.
 */

const METHODS = ['', 'OPTIONS', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE'];
/** Headers that are sent as numbers, from 0xa001 on. */
const HEADERS = [
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'authorization',
  'connection',
  'content-type',
  'content-length',
  'cookie',
  'cookie2',
  'host',
  'pragma',
  'referer',
  'user-agent',
];
const NUMBERED = 0xa0;
const MAGIC_LENGTH = 4;
const FORWARD_REQUEST = 2;
const PING = 10;
const SEND_BODY = 3;
const SEND_HEADERS = 4;
const END = 5;
const PONG = 9;
/** Of a part of a body: a message has 8192 at most. */
const BODY_BYTES_MAX = 8000;

/** Reads the fields of a message one after the other. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    return this.#bytes[this.#at++]!;
  }

  number(): number {
    this.#at += 2;
    return this.#bytes.readUInt16BE(this.#at - 2);
  }

  /** Its length, its bytes, a zero; nothing but a length of 0xffff where there is none. */
  text(): string {
    const length = this.number();
    if (length === 0xffff) return '';
    this.#at += length + 1;
    return this.#bytes.toString('latin1', this.#at - length - 1, this.#at - 1);
  }

  header(): string {
    if (this.#bytes[this.#at] !== NUMBERED) return this.text();
    return HEADERS[(this.number() & 0xff) - 1]!;
  }
}

interface Forwarded {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
}

function forwarded(fields: Fields): Forwarded {
  const method = METHODS[fields.byte()]!;
  fields.text();
  const path = fields.text();
  for (const _ of ['address', 'host', 'server']) fields.text();
  fields.number();
  fields.byte();
  const headers: Record<string, string> = {};
  for (let left = fields.number(); left > 0; left--) headers[fields.header()] = fields.text();
  return { method, path, headers };
}

const number = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const text = (value: string): Buffer =>
  Buffer.concat([number(value.length), Buffer.from(value, 'latin1'), Buffer.from([0])]);

function message(...parts: Buffer[]): Buffer {
  const payload = Buffer.concat(parts);
  return Buffer.concat([Buffer.from('AB'), number(payload.length), payload]);
}

async function answer(socket: Socket, response: IncomingMessage): Promise<void> {
  const { statusCode = 0, statusMessage = '', rawHeaders } = response;
  const headers = [Buffer.from([SEND_HEADERS]), number(statusCode), text(statusMessage)];
  headers.push(number(rawHeaders.length / 2), ...rawHeaders.map(text));
  socket.write(message(...headers));
  for await (const chunk of response as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; at += BODY_BYTES_MAX) {
      const part = chunk.subarray(at, at + BODY_BYTES_MAX);
      const end = Buffer.from([0]);
      socket.write(message(Buffer.from([SEND_BODY]), number(part.length), part, end));
    }
  }
  socket.write(message(Buffer.from([END, 1])));
}

export class AjpConnector {
  readonly port: number;
  readonly #application: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(port: number, application: number) {
    this.port = port;
    this.#application = application;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Listens on that port for the application at another one. */
  static async start(port: number, application: number): Promise<AjpConnector> {
    const connector = new AjpConnector(port, application);
    connector.#server.listen(port, '127.0.0.1');
    await once(connector.#server, 'listening');
    return connector;
  }

  /** As when its process is killed. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= MAGIC_LENGTH) {
        const end = MAGIC_LENGTH + bytes.readUInt16BE(2);
        if (bytes.length < end) return;
        this.#received(socket, new Fields(bytes.subarray(MAGIC_LENGTH, end)));
        bytes = bytes.subarray(end);
      }
    });
  }

  #received(socket: Socket, fields: Fields): void {
    const code = fields.byte();
    if (code === PING) socket.write(message(Buffer.from([PONG])));
    if (code !== FORWARD_REQUEST) return;
    const to = { host: '127.0.0.1', port: this.#application, ...forwarded(fields) };
    const sent = ask(to, (response) => void answer(socket, response).catch(() => socket.destroy()));
    sent.on('error', () => socket.destroy());
    sent.end();
  }
}
