import type { Call } from '../simulation/history.js';
import { outcomeOf } from '../simulation/history.js';
import type { Reply } from '../support/resp.js';

type Writable<Type> = { -readonly [Name in keyof Type]: Type[Name] };

/** Milliseconds of one clock for all clients; it never steps back. */
export const clockMs = (): number => performance.now();

/** What all clients have sent and been answered since the last `clear`, in the words of the simulator's checker. */
export class Recorder {
  calls: Call[] = [];
  /** All calls ever made, and those among them that were answered. */
  begun = 0;
  answered = 0;
  unknown = 0;
  notRun = 0;
  #lastId = 0;

  /** A call that is about to be sent for the first time. */
  begin(client: number, args: readonly string[], node: string, invokedAt = clockMs()): Call {
    const call: Call = {
      id: ++this.#lastId,
      client,
      node,
      args,
      keys: [args[1]!],
      invokedAt,
      returnedAt: Number.POSITIVE_INFINITY,
      outcome: 'pending',
      reply: null,
    };
    this.begun++;
    this.calls.push(call);
    return call;
  }

  /** The node that the call is sent to next, having been told by another that it was not run there. */
  resent(call: Call, node: string): void {
    (call as Writable<Call>).node = node;
  }

  replied(call: Call, reply: Reply): void {
    call.returnedAt = clockMs();
    call.outcome = outcomeOf(reply);
    call.reply = reply;
    if (call.outcome === 'replied') this.answered++;
    else if (call.outcome === 'unknown') this.unknown++;
    else this.notRun++;
  }

  /** The connection has gone, or the client has given it up: the command may have run, or may run yet. */
  lost(call: Call): void {
    call.outcome = 'unknown';
    this.unknown++;
  }

  /**
   * A new history that begins with these values. Of the old one only calls of unknown outcome are left: they may take
   * effect later.
   */
  clear(values: ReadonlyMap<string, string>): void {
    const open = this.calls.filter(
      ({ outcome, args }) => outcome === 'unknown' && values.has(args[1]!),
    );
    this.calls = [];
    for (const [key, value] of values) {
      const call = this.begin(-1, ['SET', key, value], 'before');
      call.returnedAt = call.invokedAt;
      call.outcome = 'replied';
      call.reply = { type: '+', text: 'OK' };
    }
    this.calls.push(...open);
  }
}
