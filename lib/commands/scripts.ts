import { KeyMode } from '../cluster/operation.js';
import { parseInteger } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { Errors } from './errors.js';
import { helpHandler } from './help.js';
import type { ScriptText } from './scripting/script-header.js';
import { type ScriptParts, ScriptRun } from './scripting/script-run.js';
import type { CommandContext, Handler, Handlers } from './spec.js';

const FIRST_KEY = 3;
/** Characters of a SHA-1 in hexadecimal. */
const SHA_LENGTH = 40;

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
    if (bySha) evaluateBySha(context, request, reply, count, readOnly);
    else {
      const script = context.services.scripts.learn(request.bytes(1));
      if (typeof script === 'string') reply.error(script);
      else
        runScript(
          context,
          reply,
          new ScriptRun(partsOf(context, request, script, count, readOnly)),
        );
    }
  };

/** A script that this node does not know is asked for while its keys are gathered. */
function evaluateBySha(
  context: CommandContext,
  request: Request,
  reply: ReplyWriter,
  count: number,
  readOnly: boolean,
): void {
  const { scripts, sharing } = context.services;
  const sha = request.latin1(1).toLowerCase();
  const known = scripts.find(sha);
  let isAsked = known === null && !context.isInStep && sha.length === SHA_LENGTH;
  if (known === null && !isAsked) {
    reply.error(Errors.noScript);
    return;
  }
  const run = new ScriptRun(partsOf(context, request, known, count, readOnly));
  if (isAsked) {
    isAsked = sharing.find(sha, (source) => {
      const script = source === null ? null : scripts.learn(source);
      run.resolve(typeof script === 'string' ? null : script);
    });
    if (!isAsked) run.resolve(null);
  }
  runScript(context, reply, run);
}

function partsOf(
  context: CommandContext,
  request: Request,
  script: ScriptText | null,
  count: number,
  readOnly: boolean,
): ScriptParts {
  const all = Array.from({ length: request.argc - FIRST_KEY }, (_, i) =>
    request.bytes(FIRST_KEY + i),
  );
  return {
    engine: context.services.scripts,
    script,
    client: context.client,
    db: context.db,
    keys: all.slice(0, count),
    args: all.slice(count),
    readOnly,
    table: context.table,
    services: context.services,
    commands: context.stepCommands,
  };
}

function runScript(context: CommandContext, reply: ReplyWriter, run: ScriptRun): void {
  if (context.isInStep) {
    const result = run.run(Number.POSITIVE_INFINITY)!;
    reply.raw(result, 0, result.length);
    return;
  }
  const { keys, traits } = run.declare();
  context.runStep(keys, traits, run, false);
}

/** Tells all members before it replies; within a step it waits for nothing. */
function load(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { scripts, sharing } = context.services;
  const script = scripts.learn(request.bytes(2));
  if (typeof script === 'string') {
    reply.error(script);
    return;
  }
  const { sha, source } = script;
  if (context.isInStep) {
    sharing.share(source, () => undefined);
    reply.bulkLatin1(sha);
    return;
  }
  const write = context.defer();
  const done = () => write((later) => later.bulkLatin1(sha));
  if (!sharing.share(source, done)) done();
}

/** Asks the others for what is not known here. */
function exists(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { scripts, sharing } = context.services;
  const shas = Array.from({ length: request.argc - 2 }, (_, i) =>
    request.latin1(i + 2).toLowerCase(),
  );
  const writeAll = (writer: ReplyWriter): void => {
    writer.array(shas.length);
    for (const sha of shas) writer.integer(scripts.find(sha) === null ? 0 : 1);
  };
  const isAsked = (sha: string) => sha.length === SHA_LENGTH && scripts.find(sha) === null;
  const unknown = context.isInStep ? [] : [...new Set(shas.filter(isAsked))];
  if (unknown.length === 0) {
    writeAll(reply);
    return;
  }
  const write = context.defer();
  let missing = unknown.length;
  const answered = (source: Buffer | null): void => {
    if (source !== null) scripts.learn(source);
    if (--missing === 0) write(writeAll);
  };
  for (const sha of unknown) if (!sharing.find(sha, answered)) answered(null);
}

function flush(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { scripts, sharing } = context.services;
  if (
    request.argc > 3 ||
    (request.argc === 3 && !request.is(2, 'SYNC') && !request.is(2, 'ASYNC'))
  ) {
    reply.error('ERR SCRIPT FLUSH only support SYNC|ASYNC option');
    return;
  }
  scripts.flush();
  if (context.isInStep) {
    sharing.flush(() => undefined);
    reply.ok();
    return;
  }
  const write = context.defer();
  const done = () => write((later) => later.ok());
  if (!sharing.flush(done)) done();
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
