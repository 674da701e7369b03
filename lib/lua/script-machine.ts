import { Lua, Status } from './lua.js';
import { type Functions, Sandbox } from './sandbox.js';
import type { Pointer } from './wasm-host.js';

/** Bytes that scripts may use, together with what Lua itself needs. */
export const SCRIPT_MEMORY_BYTES = 64 * 1024 * 1024;
/** Bytes that a machine may have in use between scripts: past that a new one is cheaper than collecting garbage. */
const IDLE_BYTES_MAX = 16 * 1024 * 1024;
/** Instructions between two looks at the clock: a fraction of a millisecond. */
const HOOK_INSTRUCTIONS = 20_000;
/** Instructions after which a script is suspended whatever the clock says: about 20 ms. */
const SLICE_INSTRUCTIONS = 1_000_000;
/** Milliseconds after which a script is suspended. */
const SLICE_MS = 8;
/** Milliseconds that a script may run where it cannot be suspended: in a callback of a library function, or a coroutine. */
const UNBROKEN_MS = 200;
const SOURCE = '@user_script';

/** What has come of a slice. Of a script that has failed, what it has raised is on the stack; of one that is done its results. */
export type Ending = 'done' | 'yielded' | 'failed' | 'no memory' | 'too long';

/** What the libraries of scripts need of their host. */
export interface MachineHost {
  now(): number;
  /** The functions and constants of the library `redis`. */
  readonly redis: {
    readonly functions: Functions;
    readonly constants: Readonly<Record<string, string | number>>;
  };
}

/** A script that runs: its thread, and what is put in place whenever it goes on. Numbers are references. */
export interface Run {
  readonly thread: Pointer;
  readonly refs: { readonly thread: number; readonly keys: number; readonly args: number };
}

/** An interpreter with the globals of scripts. Scripts run one at a time, each in a thread of its own, in slices. */
export class ScriptMachine {
  readonly lua: Lua;
  readonly #sandbox: Sandbox;
  readonly #now: () => number;
  /** Compiled scripts, by their hash. */
  readonly #compiled = new Map<string, number>();
  #running: Pointer = 0;
  #since = 0;
  #ticks = 0;
  #unbroken = false;
  #isKilled = false;
  #isInSlice = false;

  constructor(host: MachineHost) {
    this.#now = () => host.now();
    this.lua = new Lua(SCRIPT_MEMORY_BYTES, this.#now, () => this.#hook());
    // A thousand instructions may be a thousand strings of a megabyte.
    this.lua.host.worked = () => {
      if (this.#isInSlice) this.lookAtClock();
    };
    this.#sandbox = new Sandbox(
      this.lua,
      (state) => state === this.#running,
      (lua) => {
        lua.newTable();
        for (const [name, run] of Object.entries(host.redis.functions)) {
          lua.pushFunction(run);
          lua.setField(-2, name);
        }
        for (const [name, value] of Object.entries(host.redis.constants)) {
          if (typeof value === 'number') lua.pushNumber(value);
          else lua.pushLatin1(value);
          lua.setField(-2, name);
        }
      },
    );
  }

  /** Whether it is better replaced before the next script. */
  get isWornOut(): boolean {
    return this.lua.usedBytes > IDLE_BYTES_MAX;
  }

  /** Null, or why the text is no program. */
  compile(sha: string, code: Buffer): string | null {
    const { lua } = this;
    if (this.#compiled.has(sha)) return null;
    lua.state = lua.main;
    const status = lua.load(code, SOURCE);
    if (status !== Status.Done) {
      const error = lua.latin1(-1);
      lua.top = 0;
      return error;
    }
    this.#compiled.set(sha, lua.ref());
    return null;
  }

  forget(sha: string): void {
    const ref = this.#compiled.get(sha);
    if (ref === undefined) return;
    this.#compiled.delete(sha);
    this.lua.unref(ref);
  }

  /** Prepares a compiled script with its KEYS and ARGV. */
  start(sha: string, keys: readonly Buffer[], args: readonly Buffer[]): Run {
    const { lua } = this;
    lua.state = lua.main;
    const thread = lua.api['lua_newthread']!(lua.main);
    const refs = { thread: lua.ref(), keys: this.#texts(keys), args: this.#texts(args) };
    lua.state = thread;
    lua.pushRef(this.#compiled.get(sha)!);
    return { thread, refs };
  }

  /** Goes on with it for a slice; `toTheEnd`: it is not suspended, and ended where that takes too long. */
  run(run: Run, toTheEnd: boolean): Ending {
    const { lua } = this;
    lua.state = lua.main;
    this.#setGlobal('KEYS', run.refs.keys);
    this.#setGlobal('ARGV', run.refs.args);
    lua.state = run.thread;
    lua.setHook(HOOK_INSTRUCTIONS);
    this.#running = run.thread;
    this.#since = this.#now();
    this.#ticks = 0;
    this.#unbroken = toTheEnd;
    this.#isKilled = false;
    this.#isInSlice = true;
    const status = lua.resume(run.thread, 0);
    this.#isInSlice = false;
    if (status === Status.Yielded) return 'yielded';
    if (this.#isKilled) return 'too long';
    if (status === Status.Memory) return 'no memory';
    return status === Status.Done ? 'done' : 'failed';
  }

  /** What the script has called may have taken long, with few instructions: the clock is looked at soon. */
  lookAtClock(): void {
    if (this.#now() - this.#since >= SLICE_MS) this.lua.setHook(1);
  }

  /** The script is over, or is not gone on with. */
  end({ refs }: Run): void {
    this.lua.state = this.lua.main;
    this.lua.top = 0;
    for (const ref of Object.values(refs)) this.lua.unref(ref);
    this.lua.collect();
  }

  /** The line where a script is, or has failed. */
  lineOf(run: Run): number | null {
    this.lua.state = run.thread;
    return this.lua.whereIn(SOURCE);
  }

  #texts(texts: readonly Buffer[]): number {
    const { lua } = this;
    lua.newTable(texts.length);
    texts.forEach((text, i) => {
      lua.pushBytes(text);
      lua.setItem(-2, i + 1);
    });
    return lua.ref();
  }

  #setGlobal(name: string, ref: number): void {
    this.lua.pushRef(ref);
    this.#sandbox.setGlobal(name);
  }

  #hook(): void {
    const { lua } = this;
    if (this.#isKilled) lua.fail('Script is killed', 0);
    const elapsed = this.#now() - this.#since;
    const instructions = ++this.#ticks * HOOK_INSTRUCTIONS;
    if (elapsed < SLICE_MS && instructions < SLICE_INSTRUCTIONS) return;
    lua.setHook(HOOK_INSTRUCTIONS);
    const canYield = !this.#unbroken && lua.state === this.#running && lua.canYield;
    if (canYield) return lua.yield();
    if (elapsed < UNBROKEN_MS && instructions < 25 * SLICE_INSTRUCTIONS) return;
    // No pcall gets around it: it is raised anew with the next instruction.
    this.#isKilled = true;
    lua.setHook(1);
    lua.fail('Script is killed', 0);
  }
}
