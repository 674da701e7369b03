import { createHash } from 'node:crypto';
import { type HostFunction, type Lua, LuaType } from '../../lua/lua.js';
import { formatGeneral } from '../../lua/number-format.js';
import type { Functions } from '../../lua/sandbox.js';
import { Request } from '../../protocol/request.js';
import { pushError, pushReply } from './script-values.js';

/** What the functions of the library ask of the script that runs. */
export interface RunningScript {
  /** Runs a command; its reply, in the protocol that the script has chosen. */
  call(request: Request): Buffer;
  /** Whether its user may run a command; null where there is no such command. */
  mayRun(request: Request): boolean | null;
  setProtocol(version: 2 | 3): void;
  log(level: number, text: string): void;
}

const ARGUMENT_TYPES = 'ERR Lua redis lib command arguments must be strings or integers';
const LOG_LEVELS = 4;

/** Raises an error table, which has no position. */
function raiseError(lua: Lua, text: string): never {
  pushError(lua, text);
  lua.raise();
}

function requestOf(lua: Lua): Request | string {
  const count = lua.top;
  if (count === 0) return 'ERR Please specify at least one argument for this redis lib call';
  const args: Buffer[] = [];
  for (let i = 1; i <= count; i++) {
    const type = lua.type(i);
    if (type === LuaType.Number) args.push(Buffer.from(numberText(lua.number(i)), 'latin1'));
    else if (type === LuaType.String) args.push(Buffer.from(lua.bytes(i)));
    else return ARGUMENT_TYPES;
  }
  return Request.of(...args);
}

/** Numbers print as integers where they are. */
const numberText = (value: number): string => formatGeneral(value, 17);

const calling =
  (script: () => RunningScript, raises: boolean): HostFunction =>
  (lua) => {
    const request = requestOf(lua);
    const reply = typeof request === 'string' ? null : script().call(request);
    // The most arguments that there can be would leave no room for the reply.
    lua.top = 0;
    if (reply === null) pushError(lua, request as string);
    else pushReply(lua, reply, 0);
    const isError = reply === null || reply[0] === 45;
    if (isError && raises) lua.raise();
    return 1;
  };

function aclCheckCmd(lua: Lua, script: RunningScript): number {
  const request = requestOf(lua);
  if (typeof request === 'string') raiseError(lua, request);
  const mayRun = script.mayRun(request);
  if (mayRun === null) raiseError(lua, 'ERR Invalid command passed to redis.acl_check_cmd()');
  lua.pushBoolean(mayRun);
  return 1;
}

/** An error has a code: "-CODE text", or "CODE text", or a text that gets one. */
function errorOf(text: string): string {
  const error = text.startsWith('-') ? text.slice(1) : text;
  return error.includes(' ') ? error : `ERR ${error}`;
}

const replying =
  (field: string): HostFunction =>
  (lua) => {
    if (lua.top !== 1 || lua.type(1) !== LuaType.String) {
      pushError(lua, 'ERR wrong number or type of arguments');
      return 1;
    }
    const given = lua.latin1(1);
    const text = field === 'err' ? errorOf(given) : given;
    lua.newTable();
    lua.pushLatin1(text);
    lua.setField(-2, field);
    return 1;
  };

function sha1hex(lua: Lua): number {
  if (lua.top !== 1) raiseError(lua, 'ERR wrong number of arguments');
  const type = lua.type(1);
  const bytes = type === LuaType.String || type === LuaType.Number ? lua.bytes(1) : Buffer.alloc(0);
  lua.pushLatin1(createHash('sha1').update(bytes).digest('hex'));
  return 1;
}

function log(lua: Lua, script: RunningScript): number {
  if (lua.top < 2) raiseError(lua, 'ERR redis.log() requires two arguments or more.');
  if (lua.type(1) !== LuaType.Number)
    raiseError(lua, 'ERR First argument must be a number (log level).');
  const level = lua.number(1);
  if (!(level >= 0 && level < LOG_LEVELS)) raiseError(lua, 'ERR Invalid debug level.');
  const words: string[] = [];
  for (let i = 2; i <= lua.top; i++) {
    const type = lua.type(i);
    if (type === LuaType.String || type === LuaType.Number) words.push(lua.latin1(i));
  }
  script.log(level, words.join(' '));
  return 0;
}

function setresp(lua: Lua, script: RunningScript): number {
  if (lua.top !== 1) raiseError(lua, 'ERR redis.setresp() requires one argument.');
  const version = lua.number(1);
  if (version !== 2 && version !== 3) raiseError(lua, 'ERR RESP version must be 2 or 3.');
  script.setProtocol(version);
  return 0;
}

function setRepl(lua: Lua): number {
  if (lua.top !== 1) raiseError(lua, 'ERR redis.set_repl() requires one argument.');
  const flags = lua.number(1);
  if (flags < 0 || flags > 3)
    raiseError(
      lua,
      'ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.',
    );
  return 0;
}

const answering =
  (value: boolean): HostFunction =>
  (lua) => {
    lua.pushBoolean(value);
    return 1;
  };

/** The library `redis`, for the script that `script` names at the time of each call. */
export const redisFunctions = (script: () => RunningScript): Functions => ({
  call: calling(script, true),
  pcall: calling(script, false),
  acl_check_cmd: (lua) => aclCheckCmd(lua, script()),
  error_reply: replying('err'),
  status_reply: replying('ok'),
  sha1hex,
  log: (lua) => log(lua, script()),
  setresp: (lua) => setresp(lua, script()),
  set_repl: setRepl,
  replicate_commands: answering(true),
  breakpoint: answering(false),
  debug: () => 0,
});

export const redisConstants = {
  LOG_DEBUG: 0,
  LOG_VERBOSE: 1,
  LOG_NOTICE: 2,
  LOG_WARNING: 3,
  REPL_NONE: 0,
  REPL_AOF: 1,
  REPL_SLAVE: 2,
  REPL_REPLICA: 2,
  REPL_ALL: 3,
  REDIS_VERSION: '7.0.15',
  REDIS_VERSION_NUM: 0x0007000f,
} as const;
