import { copyOf } from '../protocol/bytes.js';
import { ReplyWriter } from '../protocol/reply-writer.js';
import { ACQUIRE } from './acquire.js';
import type { LiveKeyspace } from './keyspace.js';
import type { Executor, Operation, ReplySink, RunTime } from './operation.js';
import { replyVersion, WATCH } from './watching.js';

/** What is needed of a command to run it. */
type Noted = Pick<Operation, 'request' | 'traits' | 'db' | 'proto'>;
/** Where its reply goes. */
type Answered = Pick<Operation, 'sink' | 'token'>;

interface Held {
  readonly operation: Answered;
  readonly reply: Buffer;
  acksMissing: number;
}

/** Runs commands that did not run at once when they came, and completes them when the acks they wait for are in. */
export class Runner implements ReplySink {
  readonly #keyspace: LiveKeyspace;
  readonly #executor: Executor;
  readonly #held = new Map<number, Held>();
  readonly #writer = new ReplyWriter();
  #lastToken = 0;

  constructor(keyspace: LiveKeyspace, executor: Executor) {
    this.#keyspace = keyspace;
    this.#executor = executor;
  }

  get open(): number {
    return this.#held.size;
  }

  /** Runs it here and now. */
  run(operation: Operation): void {
    this.#keyspace.begin();
    const reply = this.execute(operation);
    this.finish(operation, reply, this.#keyspace.count());
  }

  /** Runs the handler and returns its reply; what the reply waits for is in the keyspace's barrier. */
  execute(operation: Operation): Buffer {
    if (operation.traits === ACQUIRE) return reserveKey(this.#keyspace, operation);
    if (operation.traits === WATCH) return replyVersion(this.#keyspace, operation);
    if (operation.isOver?.() === true) return errorReply(NOT_RUN);
    this.#keyspace.note(operation);
    const { origin = null, runTime = null } = operation;
    const writer = this.runNoted(operation, origin, runTime);
    const reply = copyOf(writer.buffer, 0, writer.length);
    writer.reset();
    return reply;
  }

  /** Runs a command whose entry the keyspace knows. The reply stays as it is until the next one runs. */
  runNoted(
    { request, traits, db, proto }: Noted,
    origin: object | null,
    runTime: RunTime | null,
  ): ReplyWriter {
    const writer = this.#writer;
    writer.reset();
    writer.proto = proto;
    if (traits.denyOom && this.#keyspace.outOfMemory()) writer.error(OUT_OF_MEMORY);
    else this.#executor.execute(request, db, writer, origin, runTime);
    return writer;
  }

  /** Sends the reply of a command when `acks` acks of the barrier have come. */
  finish(operation: Answered, reply: Buffer, acks: number): void {
    if (acks === 0) {
      operation.sink.complete(operation.token, reply);
      return;
    }
    const token = ++this.#lastToken;
    this.#held.set(token, { operation, reply, acksMissing: acks });
    this.#keyspace.register(this, token);
  }

  acknowledged(token: number): void {
    const held = this.#held.get(token);
    if (held === undefined || --held.acksMissing > 0) return;
    this.#held.delete(token);
    held.operation.sink.complete(held.operation.token, held.reply);
  }

  complete(): void {}

  fail(token: number, error: string): void {
    const held = this.#held.get(token);
    if (held === undefined) return;
    this.#held.delete(token);
    held.operation.sink.complete(held.operation.token, errorReply(error));
  }

  clear(): void {
    for (const token of [...this.#held.keys()]) this.fail(token, OUTCOME_UNKNOWN);
  }
}

/** What an ACQUIRE runs where its key does not exist. */
function reserveKey(keyspace: LiveKeyspace, { db, request }: Operation): Buffer {
  keyspace.reserve(db, request, 1);
  return RESERVED;
}

const RESERVED = Buffer.from('+OK\r\n', 'latin1');

/** A command may or may not have taken effect: it is never guessed, and never run again. */
export const OUTCOME_UNKNOWN =
  'ERR outcome unknown: the node that ran this command was lost before it was confirmed';

/** A command did not run, and may be sent again. */
export const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
export const NOT_RUN = 'TRYAGAIN the cluster is changing and could not serve this key in time';

/** Too few members are reached to serve with; nothing was run. */
export const CLUSTER_DOWN = 'CLUSTERDOWN this node reaches too few of the cluster to serve';

/** Redis's text for too few replicas. */
export const NO_REPLICAS = 'NOREPLICAS Not enough good replicas to write.';

export const errorReply = (error: string): Buffer => Buffer.from(`-${error}\r\n`, 'latin1');

const MINUS = 45;
const LINE_END_BYTES = 2;
const SAID_FOR_THE_CLUSTER: readonly string[] = [
  OUTCOME_UNKNOWN,
  NOT_RUN,
  CLUSTER_DOWN,
  NO_REPLICAS,
];

/** The error that a reply is where the cluster, and no command, has said it; null for every other reply. */
export function clusterErrorOf(reply: Buffer): string | null {
  if (reply[0] !== MINUS) return null;
  const text = reply.latin1Slice(1, reply.length - LINE_END_BYTES);
  return SAID_FOR_THE_CLUSTER.includes(text) ? text : null;
}
