import { bitLibrary } from './libraries/bit.js';
import { jsonLibrary } from './libraries/json.js';
import { messagePackLibrary } from './libraries/message-pack.js';
import { LuaRandom } from './libraries/random.js';
import { structLibrary } from './libraries/struct.js';
import { GLOBALS, type HostFunction, type Lua, LuaType, Status } from './lua.js';
import type { Pointer } from './wasm-host.js';

export type Functions = Readonly<Record<string, HostFunction>>;

/** What scripts may use of Lua's own functions: as in Redis, which has no others either. */
const FUNCTIONS = [
  'assert collectgarbage error gcinfo getmetatable ipairs loadstring next pairs pcall rawequal',
  'rawget rawset select setmetatable tonumber tostring type unpack xpcall _VERSION',
]
  .join(' ')
  .split(' ');
const LIBRARIES = ['string', 'table', 'math', 'coroutine'] as const;
const READ_ONLY = 'Attempt to modify a readonly table';
/** First byte of compiled code, which nobody has checked. */
const COMPILED = 27;

/**
 * What is easier said in Lua: `load` in terms of loadstring, a `pcall` that gives the text of a command's error, and a
 * collectgarbage that nobody can stop.
 */
const PRELUDE = `
  local loadstring, collectgarbage, concat = loadstring, collectgarbage, table.concat
  local pcall, rawget, type = pcall, rawget, type
  local functions = ...
  function functions.load(read, name)
    local pieces = {}
    while true do
      local piece = read()
      if piece == nil or piece == '' then break end
      pieces[#pieces + 1] = piece
    end
    return loadstring(concat(pieces), name or '=(load)')
  end
  local function caught(ok, err, ...)
    if not ok and type(err) == 'table' and type(rawget(err, 'err')) == 'string' then
      return ok, rawget(err, 'err')
    end
    return ok, err, ...
  end
  function functions.pcall(...)
    return caught(pcall(...))
  end
  local allowed = {collect = true, count = true, step = true}
  function functions.collectgarbage(what, ...)
    if what ~= nil and not allowed[what] then return 0 end
    return collectgarbage(what, ...)
  end
`;

/**
 * The globals of scripts. What they find there they cannot change: a library is an empty table that reads from the real
 * one, whose fields no assignment reaches.
 */
export class Sandbox {
  readonly #lua: Lua;
  /** By the address of the empty table: a reference to the real one. */
  readonly #protected = new Map<number, number>();

  /** Made on the main thread, whose globals it replaces; `redis` pushes the library that calls commands, `isScript` tells the thread of a script. */
  constructor(lua: Lua, isScript: (thread: Pointer) => boolean, redis: (lua: Lua) => void) {
    this.#lua = lua;
    lua.api['luaL_openlibs']!(lua.state);
    lua.newTable();
    const globals = lua.top;
    for (const name of FUNCTIONS) {
      lua.getField(GLOBALS, name);
      lua.setField(globals, name);
    }
    this.#replaceFunctions(globals);
    for (const name of LIBRARIES) {
      lua.getField(GLOBALS, name);
      if (name === 'math') this.#add(new LuaRandom().functions);
      if (name === 'coroutine') this.#add({ yield: yielding(isScript) });
      this.#protect();
      lua.setField(globals, name);
    }
    this.#setLibrary(globals, 'bit', bitLibrary);
    this.#setLibrary(globals, 'struct', structLibrary);
    this.#setLibrary(globals, 'cmsgpack', messagePackLibrary);
    this.#setJson(globals);
    redis(lua);
    this.#protect();
    lua.setField(globals, 'redis');
    this.#hideStringMetatable();
    this.#install(globals);
    lua.top = 0;
  }

  /** Sets a global of all scripts to the value on top, which it takes. */
  setGlobal(name: string): void {
    const lua = this.#lua;
    lua.pushRef(this.#globals);
    lua.api['lua_insert']!(lua.state, -2);
    lua.setField(-2, name);
    lua.pop();
  }

  #globals = 0;

  #add(functions: Functions): void {
    for (const [name, run] of Object.entries(functions)) {
      this.#lua.pushFunction(run);
      this.#lua.setField(-2, name);
    }
  }

  #setLibrary(globals: number, name: string, functions: Functions): void {
    this.#lua.newTable();
    this.#add(functions);
    this.#protect();
    this.#lua.setField(globals, name);
  }

  #setJson(globals: number): void {
    const lua = this.#lua;
    lua.newTable();
    this.#add(jsonLibrary);
    lua.api['lua_pushlightuserdata']!(lua.state, 0);
    lua.setField(-2, 'null');
    this.#protect();
    lua.setField(globals, 'cjson');
  }

  /** Replaces the table on top by an empty one that reads from it. */
  #protect(): void {
    const lua = this.#lua;
    lua.newTable();
    this.#protected.set(lua.pointer(-1), 0);
    lua.newTable();
    lua.pushValue(-3);
    lua.setField(-2, '__index');
    lua.pushFunction((running) => running.fail(READ_ONLY));
    lua.setField(-2, '__newindex');
    lua.pushBoolean(false);
    lua.setField(-2, '__metatable');
    lua.api['lua_setmetatable']!(lua.state, -2);
    const address = lua.pointer(-1);
    lua.pushValue(-2);
    this.#protected.set(address, lua.ref());
    lua.api['lua_remove']!(lua.state, -2);
  }

  #replaceFunctions(globals: number): void {
    const lua = this.#lua;
    const original = (name: string): number => {
      lua.getField(GLOBALS, name);
      return lua.ref();
    };
    const next = original('next');
    const guarded = { rawset: original('rawset'), setmetatable: original('setmetatable') };
    lua.pushFunction((running) => this.#pairs(running, next));
    lua.setField(globals, 'pairs');
    for (const [name, ref] of Object.entries(guarded)) {
      lua.pushFunction((running) => this.#guarded(running, ref));
      lua.setField(globals, name);
    }
    lua.pushFunction(loadString);
    lua.setField(globals, 'loadstring');
    lua.load(Buffer.from(PRELUDE), '=sandbox');
    lua.pushValue(globals);
    lua.api['lua_call']!(lua.state, 1, 0);
  }

  #pairs(lua: Lua, next: number): number {
    lua.check(1, LuaType.Table);
    const real = this.#protected.get(lua.pointer(1));
    lua.pushRef(next);
    if (real === undefined) lua.pushValue(1);
    else lua.pushRef(real);
    lua.pushNil();
    return 3;
  }

  /** Calls rawset or setmetatable, which protected tables are not for. */
  #guarded(lua: Lua, original: number): number {
    if (lua.top > 0 && this.#protected.has(lua.pointer(1))) raiseText(lua, READ_ONLY);
    const count = lua.top;
    lua.pushRef(original);
    lua.api['lua_insert']!(lua.state, 1);
    lua.api['lua_call']!(lua.state, count, 1);
    return 1;
  }

  #hideStringMetatable(): void {
    const lua = this.#lua;
    lua.pushLatin1('');
    lua.api['lua_getmetatable']!(lua.state, -1);
    lua.pushBoolean(false);
    lua.setField(-2, '__metatable');
    lua.pop(2);
  }

  /** Makes the table at `globals`, protected, the globals of all threads. */
  #install(globals: number): void {
    const lua = this.#lua;
    lua.pushValue(globals);
    this.#globals = lua.ref();
    lua.newTable();
    lua.pushFunction((running) => {
      const name = running.type(2) === LuaType.String ? running.latin1(2) : '';
      return running.fail(`Script attempted to access nonexistent global variable '${name}'`);
    });
    lua.setField(-2, '__index');
    lua.api['lua_setmetatable']!(lua.state, globals);
    lua.pushValue(globals);
    this.#protect();
    lua.pushValue(-1);
    lua.setField(globals, '_G');
    lua.api['lua_replace']!(lua.state, GLOBALS);
  }
}

function raiseText(lua: Lua, text: string): never {
  lua.pushLatin1(text);
  lua.raise();
}

/** A script is no coroutine, though it is run as one. */
const yielding =
  (isScript: (thread: Pointer) => boolean): HostFunction =>
  (lua) => {
    if (isScript(lua.state)) raiseText(lua, 'attempt to yield across metamethod/C-call boundary');
    return lua.api['lua_yield']!(lua.state, lua.top);
  };

/** loadstring, for texts only. */
function loadString(lua: Lua): number {
  const code = Buffer.from(lua.checkBytes(1));
  const name =
    lua.top > 1 && lua.type(2) === LuaType.String ? lua.latin1(2) : code.toString('latin1');
  const isText = code[0] !== COMPILED;
  if (isText && lua.load(code, name) === Status.Done) return 1;
  if (!isText) lua.pushLatin1('attempt to load a compiled chunk');
  lua.pushNil();
  lua.api['lua_insert']!(lua.state, -2);
  return 2;
}
