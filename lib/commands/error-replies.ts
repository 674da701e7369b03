import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { CommandSpec } from './spec.js';
import type { Statistics } from './statistics.js';

/** First byte of an error reply. */
const MINUS = 45;

/** Error replies are counted by their code, and by the command that they answer. */
export class ErrorReplies {
  readonly #statistics: Statistics;

  constructor(statistics: Statistics) {
    this.#statistics = statistics;
  }

  /** A command does not run; null is none that there is. */
  refuse(reply: ReplyWriter, text: string, spec: CommandSpec | null): void {
    const start = reply.length;
    reply.error(text);
    if (spec !== null) spec.use.rejected++;
    this.#count(reply, start);
  }

  /** Counts the reply of a command that has run, which begins at `start`, if it is an error. */
  note(reply: ReplyWriter, start: number, spec: CommandSpec): void {
    if (reply.buffer[start] !== MINUS || reply.length === start) return;
    spec.use.failed++;
    this.#count(reply, start);
  }

  #count(reply: ReplyWriter, start: number): void {
    const end = reply.buffer.indexOf(13, start);
    this.#statistics.countError(reply.buffer.latin1Slice(start + 1, end));
  }
}
