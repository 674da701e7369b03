import { OptionError } from '../base/option-values.js';
import {
  OPTION_ALIASES,
  OPTION_NAMES,
  type OptionName,
  optionFacts,
  optionNamed,
} from '../base/options.js';
import { matchesGlob } from '../protocol/glob.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { cString, Errors } from './errors.js';
import { helpHandler } from './help.js';
import { type CommandContext, type Handlers, QueueMode } from './spec.js';

const hasGlob = (pattern: string) => /[*?[]/.test(pattern);

/** Names shown and options meant by one argument of CONFIG GET: as in Redis a plain name is shown as it was given. */
function matching(pattern: Buffer): (readonly [shown: string, name: OptionName])[] {
  const text = pattern.toString('latin1');
  const plain = text.toLowerCase();
  const isShown = (name: OptionName): boolean => optionFacts(name).hidden !== true;
  if (!hasGlob(text)) {
    const name = optionNamed(plain);
    return name !== undefined && isShown(name) ? [[text, name]] : [];
  }
  const all = [...OPTION_NAMES.map((name) => [name, name] as const), ...OPTION_ALIASES];
  return all.filter(([shown, name]) => {
    const bytes = Buffer.from(shown, 'latin1');
    return isShown(name) && matchesGlob(pattern, 0, pattern.length, bytes, 0, bytes.length, true);
  });
}

function get(context: CommandContext, request: Request, reply: ReplyWriter): void {
  const found = new Map<string, OptionName>();
  for (let i = 2; i < request.argc; i++) {
    for (const [shown, name] of matching(request.bytes(i))) found.set(shown, name);
  }
  reply.map(found.size);
  for (const [shown, name] of found) {
    reply.bulkLatin1(shown);
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
    const name = optionNamed(request.latin1(i).toLowerCase());
    if (name === undefined) {
      const given = cString(request.latin1(i));
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
  const shared = changes.map(([name]) => name).filter((name) => optionFacts(name).shared);
  if (shared.length === 0) {
    reply.ok();
    return;
  }
  const answer = context.defer();
  context.services.share(shared, () => answer((writer) => writer.ok()));
}

function resetstat(context: CommandContext, _request: Request, reply: ReplyWriter): void {
  context.services.statistics.reset();
  reply.ok();
}

function rewrite(context: CommandContext): void {
  const answer = context.defer();
  context.services.rewriteConfig((error) => {
    answer((writer) => (error === null ? writer.ok() : writer.error(error)));
  });
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
  'config|rewrite': { run: rewrite, queueMode: QueueMode.NotAlone },
  'config|help': { run: helpHandler(HELP) },
};
