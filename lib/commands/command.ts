import { matchesGlob } from '../protocol/glob.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { writeCommandDocs, writeCommandInfo } from './command-facts.js';
import { Errors } from './errors.js';
import { helpHandler } from './help.js';
import { keyFlags } from './key-access.js';
import type { CommandContext, CommandSpec, Handlers } from './spec.js';
import { arityFits, keyIndexes, keysAreCounted } from './table.js';

function command(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  const { commands } = context.table;
  reply.array(commands.size);
  for (const spec of commands.values()) writeCommandInfo(spec, reply);
}

function count(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.integer(context.table.commands.size);
}

function info(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc === 2) {
    command(context, request, reply);
    return;
  }
  reply.array(request.argc - 2);
  for (let i = 2; i < request.argc; i++) {
    const spec = context.table.byName(request.latin1(i));
    if (spec === null) reply.nil();
    else writeCommandInfo(spec, reply);
  }
}

function docs(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const { commands } = context.table;
  const found: CommandSpec[] = [];
  if (request.argc === 2) found.push(...commands.values());
  for (let i = 2; i < request.argc; i++) {
    const spec = context.table.byName(request.latin1(i));
    if (spec !== null) found.push(spec);
  }
  reply.map(found.length);
  for (const spec of found) {
    reply.bulkLatin1(spec.name);
    writeCommandDocs(spec, reply);
  }
}

function list(context: CommandContext, request: Request, reply: ReplyWriter): void {
  let accepts: (spec: CommandSpec) => boolean;
  if (request.argc === 2) {
    accepts = () => true;
  } else if (request.argc === 5 && request.is(2, 'FILTERBY')) {
    if (request.is(3, 'MODULE')) {
      accepts = () => false;
    } else if (request.is(3, 'ACLCAT')) {
      const category = request.latin1(4).toLowerCase();
      accepts = (spec) => spec.facts.categories.split(' ').includes(category);
    } else if (request.is(3, 'PATTERN')) {
      const pattern = request.bytes(4);
      accepts = (spec) => {
        const name = Buffer.from(spec.name, 'latin1');
        return matchesGlob(pattern, 0, pattern.length, name, 0, name.length, true);
      };
    } else {
      reply.error(Errors.syntax);
      return;
    }
  } else {
    reply.error(Errors.syntax);
    return;
  }
  const names = context.table.specs.filter(accepts).map((spec) => spec.name);
  reply.array(names.length);
  for (const name of names) reply.bulkLatin1(name);
}

function getkeys(
  context: CommandContext,
  request: Request,
  reply: ReplyWriter,
  withFlags: boolean,
): void {
  const spec = context.table.findAt(request, 2);
  if (spec === null) {
    reply.error('ERR Invalid command specified');
    return;
  }
  if (!spec.hasKeys) {
    reply.error('ERR The command has no key arguments');
    return;
  }
  if (!arityFits(spec, request.argc - 2)) {
    reply.error('ERR Invalid number of arguments specified for command');
    return;
  }
  if (!keysAreCounted(spec, request, 2)) {
    // Scripts need no keys.
    if (spec.facts.flags.split(' ').includes('no_mandatory_keys')) reply.array(0);
    else reply.error('ERR Invalid arguments specified for command');
    return;
  }
  const keys = keysByKeyword(spec, request, 2) ?? keyIndexes(spec, request, 2);
  reply.array(keys.length);
  keys.forEach((index, i) => {
    if (withFlags) reply.array(2);
    reply.bulk(request.buffer, request.start[index]!, request.end[index]!);
    if (!withFlags) return;
    const flags = keyFlags(spec, request, i, 2).split(' ');
    reply.set(flags.length);
    for (const flag of flags) reply.simple(flag);
  });
}

/**
 * Keys of a command line that begins at argument `first`, where some follow a keyword: the first one after each keyword, although the
 * command takes the last one of all. Null for other commands, and where nothing follows a keyword.
 */
function keysByKeyword(spec: CommandSpec, request: Request, first: number): number[] | null {
  const specs = spec.facts.keySpecs!;
  if (!specs.some((one) => 'keyword' in one)) return null;
  const keys: number[] = [];
  for (const one of specs) {
    if (!('keyword' in one)) {
      if ('begin' in one) keys.push(first + one.begin);
      continue;
    }
    let at = first + one.from;
    while (at < request.argc && !request.is(at, one.keyword)) at++;
    if (at === request.argc - 1) return null;
    if (at < request.argc) keys.push(at + 1);
  }
  return keys;
}

const HELP = [
  '(no subcommand)',
  '    Return details about all Redis commands.',
  'COUNT',
  '    Return the total number of commands in this Redis server.',
  'LIST',
  '    Return a list of all commands in this Redis server.',
  'INFO [<command-name> ...]',
  '    Return details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'DOCS [<command-name> ...]',
  '    Return documentation details about multiple Redis commands.',
  '    If no command names are given, documentation details for all',
  '    commands are returned.',
  'GETKEYS <full-command>',
  '    Return the keys from a full Redis command.',
  'GETKEYSANDFLAGS <full-command>',
  '    Return the keys and the access flags from a full Redis command.',
];

export const commandHandlers: Handlers = {
  command: { run: command },
  'command|count': { run: count },
  'command|info': { run: info },
  'command|docs': { run: docs },
  'command|list': { run: list },
  'command|getkeys': { run: (context, request, reply) => getkeys(context, request, reply, false) },
  'command|getkeysandflags': {
    run: (context, request, reply) => getkeys(context, request, reply, true),
  },
  'command|help': { run: helpHandler(HELP) },
};
