import { type Pointer, WasmHost } from './wasm-host.js';

/** Types of Lua values, as lua_type tells them. */
export const LuaType = {
  Nil: 0,
  Boolean: 1,
  LightUserdata: 2,
  Number: 3,
  String: 4,
  Table: 5,
  Function: 6,
  Userdata: 7,
  Thread: 8,
} as const;

/** What lua_resume and lua_load return. */
export const Status = { Done: 0, Yielded: 1, Runtime: 2, Syntax: 3, Memory: 4 } as const;

export const REGISTRY = -10000;
export const GLOBALS = -10002;

/** Where struct lua_State has its counts of C calls (uint16 each): a script can be suspended only where they are equal. */
const C_CALLS = 52;
const C_CALLS_AT_START = 54;
/** struct lua_Debug: its size, and where it has the two fields that are read. */
const DEBUG_BYTES = 100;
const DEBUG_SOURCE = 16;
const DEBUG_LINE = 20;
const SCRATCH_BYTES_MIN = 16 * 1024;

/** A function that Lua calls; its arguments are on the stack of `lua`, from 1 on. It returns how many results it has pushed. */
export type HostFunction = (lua: Lua) => number;

/**
 * The C API of the interpreter as its host uses it, on the thread `state`. Lua strings are bytes. Calls that may raise a Lua error
 * jump out of the JavaScript frames between: only a HostFunction may make them, and must hold nothing that it would have to release.
 */
export class Lua {
  readonly host: WasmHost;
  readonly api: WasmHost['exports'];
  /** The thread that runs. */
  state: Pointer;
  readonly main: Pointer;
  readonly #functions: HostFunction[] = [];
  readonly #call: Pointer;
  readonly #hook: Pointer;
  #scratch: Pointer;
  #scratchBytes = SCRATCH_BYTES_MIN;

  /** `hook` is called in the running thread after every so many instructions as `setHook` says. */
  constructor(memoryBytesMax: number, now: () => number, hook: () => void) {
    this.host = new WasmHost(memoryBytesMax, now);
    this.api = this.host.exports;
    const { call, hook: hookPointer } = this.host.addCalls({
      // A coroutine of the script calls by a thread of its own.
      call: (state, which) => {
        this.state = state;
        return this.#functions[which]!(this);
      },
      hook: (state) => {
        this.state = state;
        hook();
      },
    });
    this.#call = call;
    this.#hook = hookPointer;
    this.#scratch = this.api['malloc']!(SCRATCH_BYTES_MIN);
    this.main = this.api['luaL_newstate']!();
    this.state = this.main;
  }

  get top(): number {
    return this.api['lua_gettop']!(this.state);
  }

  set top(top: number) {
    this.api['lua_settop']!(this.state, top);
  }

  pop(count = 1): void {
    this.api['lua_settop']!(this.state, -count - 1);
  }

  type(index: number): number {
    return this.api['lua_type']!(this.state, index);
  }

  number(index: number): number {
    return this.api['lua_tonumber']!(this.state, index);
  }

  boolean(index: number): boolean {
    return this.api['lua_toboolean']!(this.state, index) !== 0;
  }

  pointer(index: number): Pointer {
    return this.api['lua_topointer']!(this.state, index);
  }

  /** The bytes of a string or a number, which becomes a string in its place; valid until the next call into Lua. */
  bytes(index: number): Buffer {
    const start = this.api['lua_tolstring']!(this.state, index, this.#scratch);
    const { bytes } = this.host;
    return bytes.subarray(start, start + bytes.readInt32LE(this.#scratch));
  }

  /** The same, one character per byte. */
  latin1(index: number): string {
    const bytes = this.bytes(index);
    return bytes.latin1Slice(0, bytes.length);
  }

  pushNil(): void {
    this.api['lua_pushnil']!(this.state);
  }

  pushNumber(value: number): void {
    this.api['lua_pushnumber']!(this.state, value);
  }

  pushBoolean(value: boolean): void {
    this.api['lua_pushboolean']!(this.state, value ? 1 : 0);
  }

  pushBytes(source: Uint8Array, start = 0, end = source.length): void {
    const length = end - start;
    this.#reserve(length);
    this.host.bytes.set(source.subarray(start, end), this.#scratch);
    this.api['lua_pushlstring']!(this.state, this.#scratch, length);
  }

  /** One byte per character. */
  pushLatin1(text: string): void {
    this.#reserve(text.length);
    this.host.bytes.latin1Write(text, this.#scratch);
    this.api['lua_pushlstring']!(this.state, this.#scratch, text.length);
  }

  pushValue(index: number): void {
    this.api['lua_pushvalue']!(this.state, index);
  }

  pushFunction(run: HostFunction): void {
    this.pushNumber(this.#functions.push(run) - 1);
    this.api['lua_pushcclosure']!(this.state, this.#call, 1);
  }

  newTable(items = 0): void {
    this.api['lua_createtable']!(this.state, items, 0);
  }

  /** Sets a field of the table at `index` to the value on top, which it takes; metatables are not asked. */
  setField(index: number, name: string): void {
    const table = index < 0 && index > REGISTRY ? index - 1 : index;
    this.pushLatin1(name);
    this.api['lua_insert']!(this.state, -2);
    this.api['lua_rawset']!(this.state, table);
  }

  /** Pushes a field of the table at `index`; metatables are not asked. */
  getField(index: number, name: string): void {
    const table = index < 0 && index > REGISTRY ? index - 1 : index;
    this.pushLatin1(name);
    this.api['lua_rawget']!(this.state, table);
  }

  /** The same of an item, from 1 on. */
  getItem(index: number, item: number): void {
    this.api['lua_rawgeti']!(this.state, index, item);
  }

  setItem(index: number, item: number): void {
    this.api['lua_rawseti']!(this.state, index, item);
  }

  rawSet(index: number): void {
    this.api['lua_rawset']!(this.state, index);
  }

  /** Pops a key, pushes the next one and its value; false, with nothing pushed, at the end. */
  next(index: number): boolean {
    return this.api['lua_next']!(this.state, index) !== 0;
  }

  /** Keeps the value on top, which it takes, for `pushRef`. */
  ref(): number {
    return this.api['luaL_ref']!(this.state, REGISTRY);
  }

  pushRef(ref: number): void {
    this.getItem(REGISTRY, ref);
  }

  unref(ref: number): void {
    this.api['luaL_unref']!(this.state, REGISTRY, ref);
  }

  /** Compiles a text to a function on the stack; else the error message is there. `name` as Lua's chunk names. */
  load(code: Uint8Array, name: string): number {
    const start = this.api['malloc']!(code.length + name.length + 1);
    if (start === 0) return Status.Memory;
    const { bytes } = this.host;
    bytes.set(code, start);
    bytes.latin1Write(`${name}\0`, start + code.length);
    const status = this.api['luaL_loadbuffer']!(
      this.state,
      start,
      code.length,
      start + code.length,
    );
    this.api['free']!(start);
    return status;
  }

  /** Raises the value on top as an error. */
  raise(): never {
    this.api['lua_error']!(this.state);
    throw new Error('lua_error does not return');
  }

  /** Raises a text, with the position of the function that called `level` 1 up. */
  fail(text: string, level = 1): never {
    this.api['luaL_where']!(this.state, level);
    this.pushLatin1(text);
    this.api['lua_concat']!(this.state, 2);
    this.raise();
  }

  /** "bad argument #2 to 'pack' (text)". */
  badArgument(index: number, text: string): never {
    this.#reserve(text.length + 1);
    this.host.bytes.latin1Write(`${text}\0`, this.#scratch);
    this.api['luaL_argerror']!(this.state, index, this.#scratch);
    throw new Error('luaL_argerror does not return');
  }

  /** Raises an error where the argument is not of the type. */
  check(index: number, type: number): void {
    this.api['luaL_checktype']!(this.state, index, type);
  }

  checkNumber(index: number): number {
    return this.api['luaL_checknumber']!(this.state, index);
  }

  checkBytes(index: number): Buffer {
    this.api['luaL_checklstring']!(this.state, index, this.#scratch);
    return this.bytes(index);
  }

  /** Makes room for so many more values; raises an error where there is none. */
  checkStack(slots: number, text: string): void {
    if (this.api['lua_checkstack']!(this.state, slots) === 0) this.fail(`stack overflow (${text})`);
  }

  setHook(instructions: number): void {
    const MASK_COUNT = 8;
    this.api['lua_sethook']!(this.state, this.#hook, MASK_COUNT, instructions);
  }

  /** Whether the running thread may be suspended by its hook: not inside of a callback of a library function. */
  get canYield(): boolean {
    const { bytes } = this.host;
    return (
      bytes.readUInt16LE(this.state + C_CALLS) <= bytes.readUInt16LE(this.state + C_CALLS_AT_START)
    );
  }

  yield(): void {
    this.api['lua_yield']!(this.state, 0);
  }

  /** Goes on with a thread, which leaves its results, or an error, on its stack. */
  resume(thread: Pointer, args: number): number {
    const status = this.api['lua_resume']!(thread, args);
    this.state = thread;
    return status;
  }

  /** The innermost place of a chunk where a thread is, or was when it failed. */
  whereIn(source: string): number | null {
    const debug = this.#scratch;
    for (let level = 0; this.api['lua_getstack']!(this.state, level, debug) !== 0; level++) {
      const name = debug + DEBUG_BYTES;
      this.host.bytes.latin1Write('Sl\0', name);
      this.api['lua_getinfo']!(this.state, name, debug);
      const { bytes } = this.host;
      const at = bytes.readInt32LE(debug + DEBUG_SOURCE);
      if (bytes.latin1Slice(at, at + source.length + 1) !== `${source}\0`) continue;
      return bytes.readInt32LE(debug + DEBUG_LINE);
    }
    return null;
  }

  /** Bytes of Lua's objects. */
  get usedBytes(): number {
    const COUNT_KB = 3;
    return this.api['lua_gc']!(this.state, COUNT_KB, 0) * 1024;
  }

  /** A step of garbage collection. */
  collect(): void {
    const STEP = 5;
    this.api['lua_gc']!(this.state, STEP, 1);
  }

  #reserve(bytes: number): void {
    if (bytes < this.#scratchBytes) return;
    const scratchBytes = Math.max(bytes + 1, 2 * this.#scratchBytes);
    const scratch = this.api['malloc']!(scratchBytes);
    if (scratch === 0) this.fail('not enough memory');
    this.api['free']!(this.#scratch);
    this.#scratch = scratch;
    this.#scratchBytes = scratchBytes;
  }
}
