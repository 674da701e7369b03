import type { ReplySink, RunTime } from '../cluster/operation.js';
import type { Request } from '../protocol/request.js';
import type { ClientSession } from './client-session.js';
import type { SlowLog } from './slow-log.js';
import type { CommandSpec } from './spec.js';

/** A command of a client that does not run at once, or not here: when it is answered, it is kept as slow if its parts were. */
export class TimedCommand implements ReplySink, RunTime {
  readonly #slowLog: SlowLog;
  readonly #client: ClientSession;
  readonly #spec: CommandSpec;
  readonly #request: Request;
  readonly #sink: ReplySink;
  #ranMs = 0;

  /** `request` owns its bytes; `sink` is where the reply goes. */
  constructor(
    slowLog: SlowLog,
    client: ClientSession,
    spec: CommandSpec,
    request: Request,
    sink: ReplySink,
  ) {
    this.#slowLog = slowLog;
    this.#client = client;
    this.#spec = spec;
    this.#request = request;
    this.#sink = sink;
  }

  add(milliseconds: number): void {
    this.#ranMs += milliseconds;
  }

  acknowledged(token: number): void {
    this.#sink.acknowledged(token);
  }

  complete(token: number, reply: Buffer): void {
    if (this.#ranMs > 0) {
      this.#slowLog.note(this.#request, this.#spec, this.#ranMs, this.#client);
    }
    this.#sink.complete(token, reply);
  }

  fail(token: number, error: string): void {
    this.#sink.fail(token, error);
  }
}
