import { type AwaitedKeysListener, awaitedKey } from '../cluster/awaited-keys.js';
import { keyOfArgument } from '../cluster/key.js';
import type { ReplySink, Router } from '../cluster/operation.js';
import type { Request } from '../protocol/request.js';
import { isErrorReply, isZero } from './blocking-forms.js';
import type { ClientSession } from './client-session.js';
import { Deadlines } from './deadlines.js';
import type { PauseGate } from './pause-gate.js';
import type { ContextParts } from './running-command.js';
import type { NodeServices } from './services.js';
import type { SlowLog } from './slow-log.js';
import type { CommandSpec } from './spec.js';
import { type CommandTable, keyIndexes } from './table.js';
import { type BlockedClient, Stage, Waiter, type WaiterHost, type WaitLine } from './waiter.js';

/** Places in lines, one for each key of each client that waits; more are refused. */
const PLACES_MAX = 100_000;
/** Attempts that may be under way; others come when these are over. */
const ATTEMPTS_MAX = 1000;
/** Attempts that are begun in one turn of the event loop: a few milliseconds. */
const ATTEMPTS_PER_TURN = 1000;
/** An attempt that the cluster could not run is made again after so many milliseconds. */
const RETRY_MS = 100;
/** What no anchor tells of is looked for each so many milliseconds. */
const POLL_MS = 5000;

const TOO_MANY = Buffer.from('-ERR too many keys are waited for on this node\r\n');
const WRONG_TYPE = '-WRONGTYPE ';
/** The command was not run since the cluster changes: it may be tried again. */
const NOT_RUN = '-TRYAGAIN ';

const begins = (reply: Buffer, text: string): boolean => reply.latin1Slice(0, text.length) === text;

/** Where a command's reply goes. */
export interface ReplyPlace {
  readonly sink: ReplySink;
  readonly token: number;
}

/**
 * Clients whose command waits for a key (docs/decisions/0021). A command tries its keys one after the other, by commands
 * that do not wait, routed as any other. In vain, it stands in the line of each key, and the cluster tells when a key may be
 * there: then the first in line tries again. An element is taken by one ordinary command, so it is taken once. A
 * timeout, or CLIENT UNBLOCK, that comes while an attempt is under way waits for its outcome: what it takes is delivered.
 */
export class Blocking implements AwaitedKeysListener, WaiterHost {
  readonly #table: CommandTable;
  readonly #router: Router;
  readonly #services: NodeServices;
  readonly #gate: PauseGate;
  readonly #slowLog: SlowLog;
  readonly #deadlines: Deadlines;
  readonly #lines = new Map<string, WaitLine>();
  /** Waiters that go on with their attempt, lines whose first tries: each once, in order. */
  readonly #due = new Set<Waiter | WaitLine>();
  #places = 0;
  /** Those under way: the commands that are tried, and for whom. */
  readonly #attempts = new Map<Request, Waiter>();
  #room = 0;
  #isRunning = false;
  #isPolling = false;

  constructor({ table, router, services }: ContextParts, gate: PauseGate, slowLog: SlowLog) {
    this.#table = table;
    this.#router = router;
    this.#services = services;
    this.#gate = gate;
    this.#slowLog = slowLog;
    this.#deadlines = new Deadlines(services);
    gate.ended = () => this.#wantRun();
    router.keyWaits.listener = this;
  }

  get isDue(): boolean {
    return this.#due.size > 0;
  }

  /** Whose attempt a command is; null for any other. */
  waiterOf(request: Request): BlockedClient | null {
    return this.#attempts.get(request) ?? null;
  }

  /** `request` owns its bytes, and was found in order; `timeoutMs` 0 is for ever. */
  begin(
    client: ClientSession,
    request: Request,
    spec: CommandSpec,
    timeoutMs: number,
    place: ReplyPlace,
  ): void {
    const form = spec.blocking!;
    const waiter = new Waiter(this, {
      client,
      request,
      spec,
      form,
      keys: keyIndexes(spec, request, 0).slice(0, form.keysMax),
      db: client.db,
      proto: client.reply.proto,
      ...place,
      deadline: timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.#services.now() + timeoutMs,
    });
    client.blocked = waiter;
    spec.use.begin();
    this.#prepare(waiter, waiter.keys[0]!, null);
    this.run();
  }

  /** Makes the attempts that are due. Not while a command runs. */
  run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#room = ATTEMPTS_PER_TURN;
    for (const one of this.#due) {
      if (this.#room <= 0 || this.#attempts.size >= ATTEMPTS_MAX) break;
      if (one instanceof Waiter) {
        this.#due.delete(one);
        this.#submit(one);
      } else {
        if (this.#gate.stops(true)) continue;
        this.#due.delete(one);
        this.#serve(one);
      }
    }
    this.#isRunning = false;
    const isHeldUp = this.#attempts.size >= ATTEMPTS_MAX || this.#gate.stops(true);
    if (this.#due.size > 0 && !isHeldUp) this.#router.keyWaits.wantStep();
  }

  #wantRun(): void {
    if (!this.#isRunning && this.#due.size > 0) this.#router.keyWaits.wantStep();
  }

  // --- AwaitedKeysListener

  look(id: string): void {
    const line = this.#lines.get(id);
    if (line !== undefined) this.#makeDue(line);
  }

  refused(id: string): void {
    const line = this.#lines.get(id);
    if (line === undefined) return;
    line.isPolled = true;
    if (!this.#isPolling) this.#pollLater();
  }

  step(): void {
    if (this.#due.size > 0) this.run();
  }

  #pollLater(): void {
    this.#isPolling = true;
    this.#services.after(POLL_MS, () => {
      this.#isPolling = false;
      const polled = [...this.#lines.values()].filter(({ isPolled }) => isPolled);
      for (const line of polled) this.#makeDue(line);
      if (polled.length > 0) this.#pollLater();
      this.#wantRun();
    });
  }

  #makeDue(line: WaitLine): void {
    line.isDue = true;
    this.#due.add(line);
  }

  // --- attempts

  /** One after the other is served before the next line is, as in Redis, for as long as attempts are over at once. */
  #serve(line: WaitLine): void {
    while (line.isDue && !line.isTrying && this.#room > 0) {
      const [waiter] = line.waiters;
      // The line is taken up again when the attempt under way of its first is over.
      if (waiter === undefined || waiter.isTrying) return;
      // What is told from here on may be news to this attempt.
      line.isDue = false;
      line.isTrying = true;
      this.#prepare(waiter, waiter.lines.get(line)!, line);
      while (this.#due.delete(waiter)) this.#submit(waiter);
    }
    if (line.isDue && !line.isTrying) this.#due.add(line);
  }

  #prepare(waiter: Waiter, key: number, line: WaitLine | null): void {
    waiter.key = key;
    waiter.line = line;
    waiter.stage = waiter.form.look(waiter.request, key) === null ? Stage.Take : Stage.Look;
    this.#due.add(waiter);
  }

  #submit(waiter: Waiter): void {
    const { form, request, key, db, proto } = waiter;
    const isTake = waiter.stage === Stage.Take;
    const attempt = isTake ? form.attempt(request, key) : form.look(request, key)!;
    const traits = this.#table.find(attempt)!;
    const keys = keyIndexes(traits, attempt, 0);
    waiter.attempt = attempt;
    this.#attempts.set(attempt, waiter);
    this.#room--;
    const { client: origin } = waiter;
    this.#router.submit({
      request: attempt,
      traits,
      keys,
      db,
      proto,
      sink: waiter,
      token: 0,
      origin,
      runTime: waiter,
    });
  }

  replied(waiter: Waiter, reply: Buffer): void {
    this.#attempts.delete(waiter.attempt!);
    const { stage } = waiter;
    if (waiter.isOver) this.#tried(waiter, true);
    else if (isErrorReply(reply)) this.#failed(waiter, reply);
    else if (stage === Stage.Take) {
      const result = waiter.form.result(waiter.request, waiter.key, reply);
      if (result === null) this.#inVain(waiter);
      else this.#answer(waiter, result);
    } else if (isZero(reply)) this.#inVain(waiter);
    else if (stage === Stage.LookAgain) this.#answer(waiter, WRONG_TYPE_REPLY);
    else this.#next(waiter, Stage.Take);
    this.#wantRun();
  }

  #next(waiter: Waiter, stage: Stage): void {
    waiter.stage = stage;
    this.#due.add(waiter);
  }

  /** In the first round every error is the reply, as in Redis; who waits passes over a key of another type. */
  #failed(waiter: Waiter, reply: Buffer): void {
    if (waiter.isInFirstRound) return this.#answer(waiter, reply);
    if (begins(reply, NOT_RUN)) return this.#retryLater(waiter);
    if (!begins(reply, WRONG_TYPE)) return this.#answer(waiter, reply);
    const mayBeOther = waiter.stage === Stage.Take && waiter.form.look(waiter.request, waiter.key);
    if (mayBeOther) this.#next(waiter, Stage.LookAgain);
    else this.#inVain(waiter);
  }

  #retryLater(waiter: Waiter): void {
    const line = waiter.line!;
    this.#tried(waiter, false);
    if (waiter.ending !== null) return this.#finish(waiter, waiter.ending);
    waiter.client.showPushed();
    line.isDue = true;
    this.#services.after(RETRY_MS, () => {
      this.#due.add(line);
      this.#wantRun();
    });
  }

  #answer(waiter: Waiter, reply: Buffer): void {
    waiter.spec.use.took(waiter.ranMs);
    this.#slowLog.note(waiter.request, waiter.spec, waiter.ranMs, waiter.client);
    this.#tried(waiter, true);
    this.#finish(waiter, reply);
  }

  #inVain(waiter: Waiter): void {
    const isFirstRound = waiter.isInFirstRound;
    this.#tried(waiter, false);
    if (waiter.ending !== null) return this.#finish(waiter, waiter.ending);
    waiter.client.showPushed();
    if (!isFirstRound) return;
    const next = waiter.keys[++waiter.position];
    if (next !== undefined) this.#prepare(waiter, next, null);
    else this.#stand(waiter);
  }

  /** The attempt is over; `hasMore`: the key may have more, for who is next in line. */
  #tried(waiter: Waiter, hasMore: boolean): void {
    const { line } = waiter;
    waiter.stage = Stage.None;
    waiter.line = null;
    if (line !== null) {
      line.isTrying = false;
      line.isDue ||= hasMore;
      if (line.isDue) this.#due.add(line);
    }
    for (const other of waiter.lines.keys()) if (other.isDue) this.#due.add(other);
  }

  // --- waiting

  /** All keys were looked at in vain. */
  #stand(waiter: Waiter): void {
    if (this.#places + waiter.keys.length > PLACES_MAX) {
      this.#services.statistics.limits.add('blocked-keys');
      return this.#finish(waiter, TOO_MANY);
    }
    waiter.isBlocked = true;
    if (Number.isFinite(waiter.deadline)) this.#deadlines.add(waiter);
    for (const index of waiter.keys) {
      const awaited = awaitedKey(waiter.form.type, keyOfArgument(waiter.db, waiter.request, index));
      let line = this.#lines.get(awaited.id);
      const isNew = line === undefined;
      line ??= { awaited, waiters: new Set(), isDue: false, isTrying: false, isPolled: false };
      if (waiter.lines.has(line)) continue;
      waiter.lines.set(line, index);
      line.waiters.add(waiter);
      this.#places++;
      this.#lines.set(awaited.id, line);
      // A line that is there already is told of whatever comes to be after the attempt in vain.
      if (isNew) this.#router.keyWaits.await(awaited);
      else if (line.isDue) this.#due.add(line);
    }
  }

  end(waiter: Waiter, reply: Buffer): void {
    if (waiter.isOver) return;
    waiter.ending = reply;
    if (waiter.isTrying) return;
    this.#finish(waiter, reply);
    this.#wantRun();
  }

  cancel(waiter: Waiter): void {
    if (waiter.isOver) return;
    // An attempt that was not begun yet never is: what it would take nobody would get.
    if (this.#due.delete(waiter)) this.#tried(waiter, true);
    this.#leave(waiter);
    this.#wantRun();
  }

  #finish(waiter: Waiter, reply: Buffer): void {
    this.#leave(waiter);
    waiter.sink.complete(waiter.token, reply);
  }

  #leave(waiter: Waiter): void {
    const { client, lines } = waiter;
    waiter.isOver = true;
    if (waiter.isBlocked && Number.isFinite(waiter.deadline)) this.#deadlines.noteOver();
    waiter.isBlocked = false;
    for (const line of lines.keys()) {
      line.waiters.delete(waiter);
      this.#places--;
      if (line.waiters.size > 0) {
        if (line.isDue) this.#due.add(line);
        continue;
      }
      this.#lines.delete(line.awaited.id);
      this.#due.delete(line);
      this.#router.keyWaits.forget(line.awaited);
    }
    lines.clear();
    client.blocked = null;
    client.release();
  }
}

const WRONG_TYPE_REPLY = Buffer.from(
  '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n',
);
