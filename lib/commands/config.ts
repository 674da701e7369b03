import { OptionError } from '../base/option-values.js';
import { isOptionName, OPTION_NAMES, type OptionName } from '../base/options.js';
import { matchesGlob } from '../protocol/glob.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { Errors } from './errors.js';
import { helpHandler } from './help.js';
import type { CommandContext, Handlers } from './spec.js';

function matching(pattern: Buffer): OptionName[] {
  return OPTION_NAMES.filter((name) => {
    const text = Buffer.from(name, 'latin1');
    return matchesGlob(pattern, 0, pattern.length, text, 0, text.length, true);
  });
}

function get(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const names = new Set<OptionName>();
  for (let i = 2; i < request.argc; i++) {
    for (const name of matching(request.bytes(i))) names.add(name);
  }
  reply.map(names.size);
  for (const name of names) {
    reply.bulkLatin1(name);
    reply.bulkUtf8(context.services.config.show(name));
  }
}

function set(context: CommandContext, request: Request, reply: ReplyWriter): void {
  if (request.argc % 2 === 1) {
    reply.error(Errors.syntax);
    return;
  }
  const changes: [OptionName, string][] = [];
  for (let i = 2; i < request.argc; i += 2) {
    const name = request.latin1(i).toLowerCase();
    if (!isOptionName(name)) {
      const given = request.latin1(i);
      reply.error(`ERR Unknown option or number of arguments for CONFIG SET - '${given}'`);
      return;
    }
    changes.push([name, request.bytes(i + 1).toString('utf8')]);
  }
  try {
    context.services.config.change(changes);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    reply.error(`ERR ${error.message}`);
    return;
  }
  reply.ok();
}

function resetstat(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  context.services.statistics.reset();
  reply.ok();
}

function rewrite(_context: CommandContext, _request: Request, reply: ReplyWriter): void {
  reply.error('ERR The server is running without a config file');
}

const HELP = [
  'GET <pattern>',
  '    Return parameters matching the glob-like <pattern> and their values.',
  'SET <directive> <value>',
  '    Set the configuration <directive> to <value>.',
  'RESETSTAT',
  '    Reset statistics reported by the INFO command.',
  'REWRITE',
  '    Rewrite the configuration file.',
];

export const configHandlers: Handlers = {
  'config|get': { run: get },
  'config|set': { run: set },
  'config|resetstat': { run: resetstat },
  'config|rewrite': { run: rewrite },
  'config|help': { run: helpHandler(HELP) },
};
