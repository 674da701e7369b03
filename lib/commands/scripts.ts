import { KeyList } from '../cluster/key-list.js';
import { KeyMode } from '../cluster/operation.js';
import { stepTraits } from '../cluster/step.js';
import { parseInteger } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { Errors } from './errors.js';
import { helpHandler } from './help.js';
import type { ScriptText } from './scripting/script-header.js';
import { type ScriptParts, ScriptRun } from './scripting/script-run.js';
import type { CommandContext, Handler, Handlers } from './spec.js';

const FIRST_KEY = 3;

/** KEYS that a command line declares; an error text where it does not say how many. */
function keysIn(request: Request): number | string {
  const { buffer, start, end, argc } = request;
  const count = parseInteger(buffer, start[2]!, end[2]!);
  if (Number.isNaN(count)) return Errors.notInteger;
  if (count > argc - FIRST_KEY) return "ERR Number of keys can't be greater than number of args";
  if (count < 0) return "ERR Number of keys can't be negative";
  return count;
}

const evaluating =
  (bySha: boolean, readOnly: boolean): Handler =>
  (context, request, reply) => {
    const count = keysIn(request);
    if (typeof count === 'string') {
      reply.error(count);
      return;
    }
    const { scripts } = context.services;
    const script = bySha
      ? scripts.find(request.latin1(1).toLowerCase())
      : scripts.learn(request.bytes(1));
    if (script === null) reply.error(Errors.noScript);
    else if (typeof script === 'string') reply.error(script);
    else runScript(context, request, reply, script, count, readOnly);
  };

function runScript(
  context: CommandContext,
  request: Request,
  reply: ReplyWriter,
  script: ScriptText,
  count: number,
  readOnly: boolean,
): void {
  if (readOnly && script.hasHeader && !script.noWrites) {
    reply.error('ERR Can not execute a script with write flag using *_ro command.');
    return;
  }
  const { client, db } = context;
  const all = Array.from({ length: request.argc - FIRST_KEY }, (_, i) =>
    request.bytes(FIRST_KEY + i),
  );
  const parts: ScriptParts = {
    engine: context.services.scripts,
    script,
    client,
    db,
    keys: all.slice(0, count),
    args: all.slice(count),
    readOnly: readOnly || script.noWrites,
    table: context.table,
    services: context.services,
    commands: context.stepCommands,
  };
  const keys = new KeyList();
  for (const key of parts.keys) keys.add(db, key, 0, key.length);
  const run = new ScriptRun(parts);
  if (context.isInStep) {
    const result = run.run(Number.POSITIVE_INFINITY)!;
    reply.raw(result, 0, result.length);
    return;
  }
  const isWrite = !parts.readOnly;
  context.runStep(keys, stepTraits('eval', isWrite, isWrite && !script.allowOom), run, false);
}

function load(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const script = context.services.scripts.learn(request.bytes(2));
  if (typeof script === 'string') reply.error(script);
  else reply.bulkLatin1(script.sha);
}

function exists(context: CommandContext, request: Request, reply: ReplyWriter): void {
  reply.array(request.argc - 2);
  for (let i = 2; i < request.argc; i++) {
    reply.integer(context.services.scripts.find(request.latin1(i).toLowerCase()) === null ? 0 : 1);
  }
}

function flush(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc > 3 || (request.argc === 3 && !request.is(2, 'SYNC') && !request.is(2, 'ASYNC')))
    reply.error('ERR SCRIPT FLUSH only support SYNC|ASYNC option');
  else {
    context.services.scripts.flush();
    reply.ok();
  }
}

function kill(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const error = context.services.scripts.kill();
  if (error === null) reply.ok();
  else reply.error(error);
}

function debug(_context: CommandContext, request: Request, reply: ReplyWriter): void {
  const isMode = ['YES', 'SYNC', 'NO'].some((mode) => request.is(2, mode));
  if (!isMode) reply.error('ERR Use SCRIPT DEBUG YES/SYNC/NO');
  else if (request.is(2, 'NO')) reply.ok();
  else reply.error('ERR scripts cannot be debugged here');
}

export const scriptHandlers: Handlers = {
  eval: { run: evaluating(false, false), keyMode: KeyMode.Handler },
  evalsha: { run: evaluating(true, false), keyMode: KeyMode.Handler },
  eval_ro: { run: evaluating(false, true), keyMode: KeyMode.Handler },
  evalsha_ro: { run: evaluating(true, true), keyMode: KeyMode.Handler },
  'script|load': { run: load },
  'script|exists': { run: exists },
  'script|flush': { run: flush },
  'script|kill': { run: kill },
  'script|debug': { run: debug },
  'script|help': {
    run: helpHandler([
      'DEBUG (YES|SYNC|NO)',
      '    Set the debug mode for subsequent scripts executed.',
      'EXISTS <sha1> [<sha1> ...]',
      '    Return information about the existence of the scripts in the script cache.',
      'FLUSH [ASYNC|SYNC]',
      '    Flush the Lua scripts cache. Very dangerous on replicas.',
      '    When called without the optional mode argument, the behavior is determined by the',
      '    lazyfree-lazy-user-flush configuration directive. Valid modes are:',
      '    * ASYNC: Asynchronously flush the scripts cache.',
      '    * SYNC: Synchronously flush the scripts cache.',
      'KILL',
      '    Kill the currently executing Lua script.',
      'LOAD <script>',
      '    Load a script into the scripts cache without executing it.',
    ]),
  },
};
