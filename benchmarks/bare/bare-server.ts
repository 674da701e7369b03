/**
 * The least that a server in Node can be, to see what one can reach on a machine: it knows where a command ends, and keeps
 * values of up to 512 bytes by the number in their key (values.ts); there is no index, no expiry, no check of anything. It
 * knows SET, GET and PING. With a backup it sends what came in a turn on to that, and answers when it was kept there too.
 *
 *     node bare-server.js <port>
 *     node bare-server.js <port> --backup <port>      the one that clients use
 *     node bare-server.js <port> --is-backup          acknowledges commands by their number
 *     node bare-server.js <port> --forward-to <port>  keeps nothing, and asks another one for everything
 */
import { connect, createServer, type Socket } from 'node:net';
import { Command as Program } from 'commander';
import { READ_BUFFER_BYTES } from '../../lib/base/limits.js';
import { putLatin1, putU32, u32At } from '../../lib/protocol/bytes.js';
import { writeBytes } from '../../lib/server/reply-gather.js';
import { openAccepted } from '../../lib/server/socket-reading.js';
import { type Command, Commands } from './commands.js';
import { Values } from './values.js';

const HOST = '127.0.0.1';
const ACK_BYTES = 4;
const OK = '+OK\r\n';
const PONG = '+PONG\r\n';
/** A GET's reply before its value. */
const HEAD_BYTES_MAX = 16;
const [G, P, STRING, LF] = [71, 80, 36, 10];

const isGet = ({ buffer, start }: Command): boolean => buffer[start[0]!] === G;
const isPing = ({ buffer, start }: Command): boolean => buffer[start[0]!] === P;

const values = new Values();
let replies = Buffer.allocUnsafe(2 * READ_BUFFER_BYTES);
let length = 0;

function reply(text: string): void {
  putLatin1(replies, length, text);
  length += text.length;
}

function get(command: Command): void {
  const valueAt = length + HEAD_BYTES_MAX;
  const bytes = values.get(command, replies, valueAt);
  reply(`$${bytes}\r\n`);
  replies.copyWithin(length, valueAt, valueAt + bytes);
  length += bytes;
  reply('\r\n');
}

/** Runs a command, and appends its reply. */
function run(command: Command): void {
  // As many GETs as one read brings may have longer replies than there is room.
  if (length > replies.length / 2) replies = Buffer.concat([replies, Buffer.alloc(replies.length)]);
  if (isGet(command)) return get(command);
  if (isPing(command)) return reply(PONG);
  values.set(command);
  reply(OK);
}

function send(socket: Socket): void {
  // What the socket has not taken yet stays as it is.
  if (!writeBytes(socket, replies, 0, length)) replies = Buffer.allocUnsafe(replies.length);
  length = 0;
}

/** Listens, and hands on the bytes that each connection brings. */
function serve(port: number, connected: (socket: () => Socket) => (chunk: Buffer) => void): void {
  const shared = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
  createServer({ pauseOnConnect: true, noDelay: true, allowHalfOpen: true }, (accepted) => {
    const received = connected(() => socket);
    const socket = openAccepted(accepted, 'onread', shared, (chunk, bytes) =>
      received(chunk.subarray(0, bytes)),
    );
    socket.on('end', () => socket.end());
    socket.on('error', () => socket.destroy());
    socket.resume();
  }).listen(port, HOST);
}

function alone(port: number): void {
  serve(port, (socket) => {
    const commands = new Commands();
    return (chunk) => {
      commands.feed(chunk, run);
      send(socket());
    };
  });
}

function asBackup(port: number): void {
  const ack = Buffer.alloc(ACK_BYTES);
  serve(port, (socket) => {
    const commands = new Commands();
    return (chunk) => {
      let count = 0;
      commands.feed(chunk, (command) => {
        if (isPing(command)) {
          socket().write(PONG);
          return;
        }
        values.set(command);
        count++;
      });
      putU32(ack, 0, count);
      if (count > 0) socket().write(ack.latin1Slice(0, ACK_BYTES), 'latin1');
    };
  });
}

/** Another server. What is sent to it in one turn goes out in one write. */
class Link {
  readonly #socket: Socket;
  #due: Buffer[] = [];
  #rest = Buffer.alloc(0);

  /** `received` is called with what has come and was not used; it returns how much of that it has used. */
  constructor(port: number, received: (bytes: Buffer) => number) {
    this.#socket = connect({ host: HOST, port, noDelay: true });
    this.#socket.on('data', (chunk) => {
      const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      this.#rest = bytes.subarray(received(bytes));
    });
  }

  send(bytes: Buffer): void {
    if (this.#due.length === 0) setImmediate(() => this.#flush());
    this.#due.push(Buffer.from(bytes));
  }

  #flush(): void {
    this.#socket.write(Buffer.concat(this.#due));
    this.#due = [];
  }
}

function withBackup(port: number, backupPort: number): void {
  /** Replies of SETs in the order in which they were sent to the backup. */
  const waiting: { readonly socket: Socket; readonly text: string; readonly last: number }[] = [];
  let sent = 0;
  let acked = 0;
  const backup = new Link(backupPort, (acks) => {
    const whole = acks.length - (acks.length % ACK_BYTES);
    for (let at = 0; at < whole; at += ACK_BYTES) acked += u32At(acks, at);
    const due = waiting.findIndex(({ last }) => last > acked);
    const done = waiting.splice(0, due < 0 ? waiting.length : due);
    for (const { socket, text } of done) socket.write(text, 'latin1');
    return whole;
  });
  serve(port, (socket) => {
    const commands = new Commands();
    return (chunk) => {
      let count = 0;
      const bytes = commands.feed(chunk, (command) => {
        run(command);
        if (!isPing(command)) count++;
      });
      if (count === 0) return send(socket());
      length = 0;
      sent += count;
      waiting.push({ socket: socket(), text: OK.repeat(count), last: sent });
      backup.send(bytes);
    };
  });
}

function forwarding(port: number, otherPort: number): void {
  /** Who has sent the commands that are not answered yet. */
  const waiting: Socket[] = [];
  const other = new Link(otherPort, (bytes) => {
    let at = 0;
    for (let end = replyEnd(bytes, at); end > 0; end = replyEnd(bytes, at)) {
      writeBytes(waiting.shift()!, bytes, at, end);
      at = end;
    }
    return at;
  });
  serve(port, (socket) => {
    const commands = new Commands();
    return (chunk) => {
      const bytes = commands.feed(chunk, () => waiting.push(socket()));
      if (bytes.length > 0) other.send(bytes);
    };
  });
}

/** Where the reply at `at`, of one line or a string, ends; 0 where it is not whole. */
function replyEnd(bytes: Buffer, at: number): number {
  const line = bytes.indexOf(LF, at) + 1;
  if (line === 0 || bytes[at] !== STRING) return line;
  const end = line + Number(bytes.latin1Slice(at + 1, line)) + 2;
  return end <= bytes.length ? end : 0;
}

const program = new Program('bare-server')
  .argument('<port>')
  .option('--backup <port>')
  .option('--is-backup')
  .option('--forward-to <port>')
  .parse();
const options = program.opts<{ backup?: string; isBackup?: true; forwardTo?: string }>();
const port = Number(program.args[0]);
if (options.isBackup) asBackup(port);
else if (options.backup !== undefined) withBackup(port, Number(options.backup));
else if (options.forwardTo !== undefined) forwarding(port, Number(options.forwardTo));
else alone(port);
