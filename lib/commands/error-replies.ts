import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Statistics } from './statistics.js';

/** First byte of an error reply. */
const MINUS = 45;

/** Error replies are counted by their code. */
export class ErrorReplies {
  readonly #statistics: Statistics;

  constructor(statistics: Statistics) {
    this.#statistics = statistics;
  }

  write(reply: ReplyWriter, text: string): void {
    const start = reply.length;
    reply.error(text);
    this.note(reply, start);
  }

  /** Counts the reply that begins at `start` if it is an error. */
  note(reply: ReplyWriter, start: number): void {
    if (reply.buffer[start] !== MINUS || reply.length === start) return;
    const end = reply.buffer.indexOf(13, start);
    this.#statistics.countError(reply.buffer.latin1Slice(start + 1, end));
  }
}
