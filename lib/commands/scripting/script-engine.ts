import { LRUCache } from 'lru-cache';
import { ScriptMachine } from '../../lua/script-machine.js';
import { type RunningScript, redisConstants, redisFunctions } from './redis-library.js';
import { readScript, type ScriptText } from './script-header.js';
import type { ScriptRun } from './script-run.js';

/** Scripts that a node remembers, and their bytes; those used longest ago are forgotten. */
const SCRIPTS_MAX = 10_000;
const SCRIPT_BYTES_MAX = 16 * 1024 * 1024;
/** Milliseconds that others get between two slices of suspended scripts. */
const PAUSE_MS = 1;
/** Milliseconds after which a suspended script that asks for no slice is forgotten. */
const ABANDONED_MS = 5000;

/** Where the hash of a script is. */
const FIRST = 'first';

/** The scripts of a node: those it knows, and those that run. */
export class ScriptEngine {
  readonly #now: () => number;
  readonly #known = new LRUCache<string, ScriptText>({
    max: SCRIPTS_MAX,
    maxSize: SCRIPT_BYTES_MAX,
    sizeCalculation: ({ source }) => source.length + 100,
    dispose: (_script, sha) => this.#machine?.forget(sha),
  });
  #machine: ScriptMachine | null = null;
  /** Those that are not over, those first that have waited longest. */
  readonly #running = new Set<ScriptRun>();
  #current: RunningScript | null = null;
  #lastSlice = 0;

  /** `now`: Unix milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  sourceOf(sha: string): Buffer | null {
    return this.#known.peek(sha)?.source ?? null;
  }

  find(sha: string): ScriptText | null {
    return this.#known.get(sha) ?? null;
  }

  /** Remembers a script; an error text where it does not compile. */
  learn(source: Buffer): ScriptText | string {
    const script = readScript(source);
    if (typeof script === 'string') return script;
    const known = this.find(script.sha);
    if (known !== null) return known;
    const error = this.machine().compile(script.sha, script.code);
    if (error !== null) return `ERR Error compiling script (new function): ${error}`;
    this.#known.set(script.sha, script);
    return script;
  }

  flush(): void {
    this.#known.clear();
    if (this.#running.size === 0) this.#machine = null;
  }

  get count(): number {
    return this.#known.size;
  }

  /** Bytes of those that it knows. */
  get knownBytes(): number {
    return this.#known.calculatedSize;
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /** Bytes of the interpreter's objects. */
  get usedBytes(): number {
    return this.#machine?.lua.usedBytes ?? 0;
  }

  /** The interpreter for the next script. One that has grown is left to the scripts that still run in it. */
  machine(): ScriptMachine {
    if (this.#machine?.isWornOut === true) this.#machine = null;
    this.#machine ??= new ScriptMachine({
      now: this.#now,
      redis: { functions: redisFunctions(() => this.#current!), constants: redisConstants },
    });
    return this.#machine;
  }

  /** Builds the interpreter and runs a script: the first takes tens of milliseconds, and would hold up whoever is there. */
  prepare(): void {
    const machine = this.machine();
    machine.compile(FIRST, Buffer.from('return 1'));
    const run = machine.start(FIRST, [], []);
    machine.run(run, true);
    machine.end(run);
    machine.forget(FIRST);
  }

  /** No script is begun in this one any more. */
  discard(machine: ScriptMachine): void {
    if (machine === this.#machine) this.#machine = null;
  }

  /** Whoever has not asked for long is not gone on with any more: its node was left out. */
  asksForTurn(run: ScriptRun): void {
    run.askedAt = this.#now();
    this.#running.add(run);
    for (const other of this.#running) {
      if (run.askedAt - other.askedAt < ABANDONED_MS) break;
      this.#running.delete(other);
    }
  }

  ended(run: ScriptRun): void {
    this.#running.delete(run);
  }

  /** Whether a suspended script gets a slice now: in turns, and others come between. */
  isTurnOf(run: ScriptRun): boolean {
    if (this.#running.size === 1) return true;
    const [first] = this.#running;
    return first === run && this.#now() - this.#lastSlice >= PAUSE_MS;
  }

  /** Runs a slice of a script, which may run another one within a transaction only. */
  enter<T>(run: ScriptRun, slice: () => T): T {
    const outer = this.#current;
    this.#current = run;
    try {
      return slice();
    } finally {
      this.#current = outer;
      this.#lastSlice = this.#now();
      if (this.#running.delete(run)) this.#running.add(run);
    }
  }

  /** SCRIPT KILL: an error text, or null when all that run have been stopped. */
  kill(): string | null {
    if (this.#running.size === 0) return 'NOTBUSY No scripts in execution right now.';
    const killable = [...this.#running].filter((run) => !run.hasWritten);
    if (killable.length === 0)
      return 'UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.';
    for (const run of killable) run.kill();
    return null;
  }
}
