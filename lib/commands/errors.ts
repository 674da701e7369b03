import type { Request } from '../protocol/request.js';
import type { CommandSpec } from './spec.js';

/** Error replies as Redis words them; clients compare some of them as a whole. */
export const Errors = {
  execAbort: 'EXECABORT Transaction discarded because of previous errors.',
  notInTransaction: 'ERR Command not allowed inside a transaction',
  transactionTooLarge: 'ERR transaction is too large',
  noScript: 'NOSCRIPT No matching script. Please use EVAL.',
  writesInReadOnly: 'ERR Can not execute a script with write flag using *_ro command.',
  notDeclared: 'ERR Script attempted to access a key that is not among its KEYS',
  syntax: 'ERR syntax error',
  notInteger: 'ERR value is not an integer or out of range',
  notFloat: 'ERR value is not a valid float',
  wrongType: 'WRONGTYPE Operation against a key holding the wrong kind of value',
  noAuth: 'NOAUTH Authentication required.',
  wrongPassword: 'WRONGPASS invalid username-password pair or user is disabled.',
  noPasswordSet:
    'ERR AUTH <password> called without any password configured for the default user. ' +
    'Are you sure your configuration is correct?',
  noProto: 'NOPROTO unsupported protocol version',
  outOfMemory: "OOM command not allowed when used memory > 'maxmemory'.",
  noSuchKey: 'ERR no such key',
  databaseRange: 'ERR DB index is out of range',
  stringTooLong: 'ERR string exceeds maximum allowed size (proto-max-bulk-len)',
  damaged: 'ERR the value of this key is damaged',
  collectionTooLarge: 'ERR a collection cannot be larger than 512 MB',
  keyTooLong: 'ERR key is longer than 16777215 bytes',
  overflow: 'ERR increment or decrement would overflow',
  decrementOverflow: 'ERR decrement would overflow',
  hashNotInteger: 'ERR hash value is not an integer',
  hashNotFloat: 'ERR hash value is not a float',
  outOfRange: 'ERR value is out of range',
  scoreNotNumber: 'ERR resulting score is not a number (NaN)',
  scoreRange: 'ERR min or max is not a float',
  lexRange: 'ERR min or max not valid string range item',
  noKeys: 'ERR numkeys should be greater than 0',
  countNotPositive: 'ERR count should be greater than 0',
  negativeLimit: "ERR LIMIT can't be negative",
  notPositive: 'ERR value is out of range, must be positive',
  nanOrInfinity: 'ERR value is NaN or Infinity',
  notFinite: 'ERR increment would produce NaN or Infinity',
} as const;

/** Bytes of a command's name, and of all its arguments together, that an error quotes. */
const QUOTED_BYTES_MAX = 128;

/** Text up to the first zero byte, as the C library prints it: what Redis quotes in its errors. */
export function cString(text: string): string {
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** What Redis says of a command that is not in the table. */
export function unknownCommand(request: Request, container: CommandSpec | null): string {
  if (container !== null) {
    const word = cString(request.latin1(1)).slice(0, QUOTED_BYTES_MAX);
    const name = request.latin1(0).toUpperCase();
    return `ERR unknown subcommand '${word}'. Try ${name} HELP.`;
  }
  let quoted = '';
  for (let i = 1; i < request.argc && quoted.length < QUOTED_BYTES_MAX; i++) {
    quoted += `'${cString(request.latin1(i)).slice(0, QUOTED_BYTES_MAX - quoted.length)}' `;
  }
  const name = cString(request.latin1(0)).slice(0, QUOTED_BYTES_MAX);
  return `ERR unknown command '${name}', with args beginning with: ${quoted}`;
}

export function wrongArity(name: string): string {
  return `ERR wrong number of arguments for '${name}' command`;
}

export function onlyWhenNotSubscribed(name: string): string {
  return (
    `ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET ` +
    'are allowed in this context'
  );
}

/** EXEC itself is refused: its transaction is discarded. */
export function execAbortedBy(error: string): string {
  return `EXECABORT Transaction discarded because of: ${error.replace(/^ERR /, '')}`;
}

/** For commands whose reply comes later or from others, which no step can wait for. */
export function notInStep(name: string): string {
  return `ERR '${name}' is not allowed inside a transaction: its reply does not come at once`;
}

/** The same for scripts. */
export function notInScript(name: string): string {
  return `ERR '${name}' is not allowed from script: it concerns the whole cluster`;
}

export function invalidExpireTime(name: string): string {
  return `ERR invalid expire time in '${name}' command`;
}

/** For containers whose handlers check their arguments themselves. */
export function unknownSubcommandOrArity(request: Request): string {
  const word = cString(request.latin1(1)).slice(0, QUOTED_BYTES_MAX);
  const name = request.latin1(0).toUpperCase();
  return `ERR unknown subcommand or wrong number of arguments for '${word}'. Try ${name} HELP.`;
}
