import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const WASM_FILE = createRequire(import.meta.url).resolve('wasmoon-lua5.1/dist/liblua5.1.wasm');
/** Of large pieces, between two looks at the clock: a fraction of a millisecond. */
const COPIED_BYTES = 1024 * 1024;
const PAGE_BYTES = 64 * 1024;
/** What system calls answer that there are not: ENOSYS, negative as the C library takes it. */
const NO_SUCH_CALL = -52;

/** An address in the memory of the interpreter, or a size there. */
export type Pointer = number;

/** Functions of the interpreter, by the names of its C API; all take and give numbers. */
export type LuaExports = Record<string, (...args: number[]) => number>;

/** Thrown through the frames of the interpreter, as C's longjmp. */
class Jump {}
const JUMP = new Jump();

/** What Lua calls: a function of its, and the hook that is called after a number of instructions. */
export interface HostCalls {
  /** `which` tells what was called; the results are on the stack, the number of them is returned. */
  call(lua: Pointer, which: number): number;
  hook(lua: Pointer): void;
}

/**
 * A Lua 5.1 that was compiled to WebAssembly, with nothing around it: no files, no environment, no output, no process. What
 * it reaches of this program are the two functions of HostCalls. Its memory has an end: allocation fails past it, which Lua
 * tells its program as "not enough memory".
 */
export class WasmHost {
  readonly #memory: WebAssembly.Memory;
  readonly #table: WebAssembly.Table;
  readonly exports: LuaExports;
  readonly #now: () => number;
  /** Called when the interpreter has copied much, or was given memory. */
  worked: () => void = () => undefined;
  #copied = 0;
  #bytes: Buffer;

  /** `now` gives os.clock and os.time their Unix milliseconds. */
  constructor(memoryBytesMax: number, now: () => number) {
    this.#now = now;
    compiled ??= new WebAssembly.Module(readFileSync(WASM_FILE));
    const instance = new WebAssembly.Instance(compiled, this.#imports(memoryBytesMax));
    this.exports = instance.exports as unknown as LuaExports;
    this.#memory = instance.exports['memory'] as WebAssembly.Memory;
    this.#table = instance.exports['__indirect_function_table'] as WebAssembly.Table;
    this.#bytes = Buffer.from(this.#memory.buffer);
    this.exports['__wasm_call_ctors']!();
  }

  /** The memory of the interpreter, as it is until the next call into it. */
  get bytes(): Buffer {
    if (this.#bytes.buffer !== this.#memory.buffer) this.#bytes = Buffer.from(this.#memory.buffer);
    return this.#bytes;
  }

  /** Pointers to the functions as C sees them: `call` one that takes its number as first upvalue. */
  addCalls(calls: HostCalls): { call: Pointer; hook: Pointer } {
    const { lua_tointeger } = this.exports;
    const adapter = new WebAssembly.Instance(new WebAssembly.Module(ADAPTER), {
      e: {
        c: (lua: Pointer) => calls.call(lua, lua_tointeger!(lua, FIRST_UPVALUE)),
        h: (lua: Pointer) => calls.hook(lua),
      },
    });
    const call = this.#table.grow(2);
    this.#table.set(call, adapter.exports['c']);
    this.#table.set(call + 1, adapter.exports['h']);
    return { call, hook: call + 1 };
  }

  #imports(memoryBytesMax: number): WebAssembly.Imports {
    const fails = (): number => NO_SUCH_CALL;
    const env: Record<string, (...args: number[]) => unknown> = {
      invoke_vii: (index, first, second) => this.#invoke(index!, first!, second!),
      _emscripten_throw_longjmp: () => {
        throw JUMP;
      },
      emscripten_memcpy_js: (to, from, count) => {
        this.bytes.copyWithin(to!, from!, from! + count!);
        this.#copied += count!;
        if (this.#copied >= COPIED_BYTES) this.#hasWorked();
      },
      emscripten_resize_heap: (wanted) => this.#grow(wanted! >>> 0, memoryBytesMax),
      emscripten_date_now: () => this.#now(),
      exit: (code) => {
        throw new Error(`Lua has ended with ${code}`);
      },
    };
    const missing = { get: (known: typeof env, name: string) => known[name] ?? fails };
    const rest = new Proxy({} as typeof env, missing);
    return { env: new Proxy(env, missing), wasi_snapshot_preview1: rest };
  }

  /** Calls a function of the table; where that jumps out, the interpreter learns of it by `setThrew`. */
  #invoke(index: number, first: number, second: number): void {
    const { stackSave, stackRestore, setThrew } = this.exports;
    const stack = stackSave!();
    try {
      (this.#table.get(index) as (first: number, second: number) => void)(first, second);
    } catch (error) {
      stackRestore!(stack);
      if (error !== JUMP) throw error;
      setThrew!(1, 0);
    }
  }

  #hasWorked(): void {
    this.#copied = 0;
    this.worked();
  }

  #grow(wanted: number, bytesMax: number): number {
    if (wanted > bytesMax) return 0;
    const present = this.#memory.buffer.byteLength;
    this.#memory.grow(Math.ceil((wanted - present) / PAGE_BYTES));
    this.#hasWorked();
    return 1;
  }
}

let compiled: WebAssembly.Module | null = null;

/** lua_upvalueindex(1). */
export const FIRST_UPVALUE = -10003;

/**
 * A module of nothing but two imported functions, (i32) -> i32 and (i32, i32) -> (), exported again: a table takes functions
 * of WebAssembly only.
 */
const ADAPTER = Uint8Array.from(
  [
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    // Types.
    [0x01, 0x0b, 0x02, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x02, 0x7f, 0x7f, 0x00],
    // Imports e.c and e.h.
    [0x02, 0x0d, 0x02, 0x01, 0x65, 0x01, 0x63, 0x00, 0x00, 0x01, 0x65, 0x01, 0x68, 0x00, 0x01],
    // Exports c and h.
    [0x07, 0x09, 0x02, 0x01, 0x63, 0x00, 0x00, 0x01, 0x68, 0x00, 0x01],
  ].flat(),
);
