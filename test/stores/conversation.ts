import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeCommand, type Reply, ReplyReader } from '../support/resp.js';

/** A reply in one line, with its types: +status, -error, :number, "text", nil, [array], {map}, ~set, >push. */
export function show(reply: Reply): string {
  switch (reply.type) {
    case '$':
      return `"${reply.text}"`;
    case '_':
      return 'nil';
    case '*':
      return `[${reply.items.map(show).join(', ')}]`;
    case '%':
      return `{${reply.items.map(show).join(', ')}}`;
    case '~':
    case '>':
      return `${reply.type}[${reply.items.map(show).join(', ')}]`;
    default:
      return `${reply.type}${reply.text}`;
  }
}

/** A connection on which one command is sent after the other. */
export class Conversation {
  readonly #socket: Socket;
  readonly #reader = new ReplyReader();

  /** Called when more has come: messages come unasked, and also while nobody waits. */
  #onMore: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#reader.feed(chunk);
      this.#onMore();
    });
  }

  static async open(port: number): Promise<Conversation> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Conversation(socket);
  }

  /** Sends a command, and resolves to its reply as `show` writes it. */
  async ask(args: readonly string[]): Promise<string> {
    this.#socket.write(encodeCommand(args));
    return this.next();
  }

  /** The next reply, or message, that comes. */
  async next(): Promise<string> {
    for (;;) {
      const read = this.#reader.next();
      if (read !== null) return show(read.reply);
      await new Promise<void>((resolve) => {
        this.#onMore = resolve;
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
