import { parseInlineCommand } from '../../protocol/inline-command.js';
import { Request } from '../../protocol/request.js';
import { categoryBit } from '../facts/categories.js';
import { otherCommands } from '../facts/other-commands.js';
import { KeyAccess } from '../key-access.js';
import type { CommandTable } from '../table.js';
import { Selector } from './selector.js';
import { type AclUser, hashOfPassword } from './user.js';

/** Rules, patterns, passwords and selectors that one user has. */
const USER_RULES_MAX = 1000;
/** Bytes of one rule, a selector with all that is in its brackets being one. */
const RULE_BYTES_MAX = 16 * 1024;
const HASH = /^[0-9a-f]{64}$/;
const SPACE = 32;
const TAB = 9;
const CARRIAGE_RETURN = 13;

export const UNKNOWN_COMMAND = 'Unknown command or category name in ACL';

/** Why a rule is none, in Redis's words. */
const Problem = {
  unknown: UNKNOWN_COMMAND,
  syntax: 'Syntax error',
  afterAllKeys:
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. " +
    "Try 'resetkeys' to start with an empty list of patterns",
  afterAllChannels:
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. " +
    "Try 'resetchannels' to start with an empty list of channels",
  noSuchPassword: 'The password you are trying to remove from the user does not exist',
  badHash:
    'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters',
  firstArgument: 'Allowing first-arg of a subcommand is not supported',
  tooLong: `Longer than ${RULE_BYTES_MAX} bytes`,
  tooMany: `More than ${USER_RULES_MAX} rules`,
} as const;

/** What rules are read with. */
export interface RuleContext {
  readonly table: CommandTable;
  /** acl-pubsub-default. */
  readonly allChannels: boolean;
}

/** Whether a name or a pattern has white space, which separates rules, or a zero byte. */
export function hasSpaces(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0 || code === SPACE || (code >= TAB && code <= CARRIAGE_RETURN)) return true;
  }
  return false;
}

/**
 * The rules of a selector may come as several words: they are put together. The word that opens a bracket which is never
 * closed, as `unmatched`, where there is one.
 */
export function mergeSelectors(words: readonly string[]): string[] | { unmatched: string } {
  const merged: string[] = [];
  let open: string[] | null = null;
  for (const word of words) {
    if (word.startsWith('(') && !word.endsWith(')')) open = [word];
    else if (open === null) merged.push(word);
    else {
      open.push(word);
      if (!word.endsWith(')')) continue;
      merged.push(open.join(' '));
      open = null;
    }
  }
  return open === null ? merged : { unmatched: open[0]! };
}

type Change = (user: AclUser, context: RuleContext) => void;

const setPasswords = (user: AclUser, needsNone: boolean): void => {
  user.needsNoPassword = needsNone;
  user.passwords = [];
};

const CHANGES: ReadonlyMap<string, Change> = new Map<string, Change>([
  [
    'on',
    (user) => {
      user.isEnabled = true;
    },
  ],
  [
    'off',
    (user) => {
      user.isEnabled = false;
    },
  ],
  [
    'sanitize-payload',
    (user) => {
      user.sanitizes = true;
    },
  ],
  [
    'skip-sanitize-payload',
    (user) => {
      user.sanitizes = false;
    },
  ],
  ['nopass', (user) => setPasswords(user, true)],
  ['resetpass', (user) => setPasswords(user, false)],
  [
    'clearselectors',
    (user) => {
      user.selectors = [user.root];
    },
  ],
  [
    'reset',
    (user, { table, allChannels }) => {
      user.isEnabled = false;
      user.sanitizes = true;
      setPasswords(user, false);
      user.selectors = [new Selector(table, allChannels)];
    },
  ],
]);

/** Applies one rule; an error text where it is none, and then nothing has changed. */
export function applyRule(user: AclUser, rule: string, context: RuleContext): string | null {
  if (rule === '') return null;
  const change = CHANGES.get(rule.toLowerCase());
  if (change !== undefined) {
    change(user, context);
    return null;
  }
  if (rule.length > RULE_BYTES_MAX) return Problem.tooLong;
  if (user.size >= USER_RULES_MAX) return Problem.tooMany;
  const mark = rule[0]!;
  if ('>#<!'.includes(mark)) return changePassword(user, mark, rule.slice(1));
  if (mark !== '(' || !rule.endsWith(')')) return applyToSelector(user.root, rule, context);
  const selector = new Selector(context.table, context.allChannels);
  for (const word of wordsOf(rule.slice(1, -1))) {
    const problem = applyToSelector(selector, word, context);
    if (problem !== null) return problem;
  }
  user.selectors.push(selector);
  return null;
}

function wordsOf(text: string): string[] {
  const bytes = Buffer.from(text, 'latin1');
  const request = new Request();
  request.buffer = bytes;
  if (!parseInlineCommand(bytes, 0, bytes.length, request)) return [];
  return Array.from({ length: request.argc }, (_, i) => request.latin1(i));
}

function changePassword(user: AclUser, mark: string, text: string): string | null {
  const isPlain = mark === '>' || mark === '<';
  if (!isPlain && !HASH.test(text)) return Problem.badHash;
  const hash = isPlain ? hashOfPassword(Buffer.from(text, 'latin1')) : text;
  const isKnown = user.passwords.includes(hash);
  if (mark === '>' || mark === '#') {
    if (!isKnown) user.passwords.push(hash);
    user.needsNoPassword = false;
    return null;
  }
  if (!isKnown) return Problem.noSuchPassword;
  user.passwords = user.passwords.filter((one) => one !== hash);
  return null;
}

type SelectorChange = (selector: Selector) => void;

const SELECTOR_CHANGES: ReadonlyMap<string, SelectorChange> = new Map<string, SelectorChange>([
  ['allkeys', (selector) => selector.setAllKeys(true)],
  ['~*', (selector) => selector.setAllKeys(true)],
  ['resetkeys', (selector) => selector.setAllKeys(false)],
  ['allchannels', (selector) => selector.setAllChannels(true)],
  ['&*', (selector) => selector.setAllChannels(true)],
  ['resetchannels', (selector) => selector.setAllChannels(false)],
  ['allcommands', (selector) => selector.setAllCommands(true)],
  ['+@all', (selector) => selector.setAllCommands(true)],
  ['nocommands', (selector) => selector.setAllCommands(false)],
  ['-@all', (selector) => selector.setAllCommands(false)],
]);

function applyToSelector(selector: Selector, rule: string, context: RuleContext): string | null {
  const change = SELECTOR_CHANGES.get(rule.toLowerCase());
  if (change !== undefined) {
    change(selector);
    return null;
  }
  const rest = rule.slice(1);
  switch (rule[0]) {
    case '~':
    case '%':
      return addKeys(selector, rule);
    case '&':
      if (selector.allowsAllChannels) return Problem.afterAllChannels;
      if (hasSpaces(rest)) return Problem.syntax;
      selector.addChannelPattern(rest);
      return null;
    case '+':
    case '-':
      if (rest.startsWith('@')) return setCategory(selector, rest.slice(1), rule[0] === '+');
      return setCommand(selector, rest, rule[0] === '+', context.table);
    default:
      return Problem.syntax;
  }
}

/** `~pattern`, `%R~pattern`, `%W~pattern`, `%RW~pattern`. */
function addKeys(selector: Selector, rule: string): string | null {
  if (selector.allowsAllKeys) return Problem.afterAllKeys;
  const match = /^(?:%(r|w|rw|wr))?~(.*)$/is.exec(rule);
  if (match === null || hasSpaces(match[2]!)) return Problem.syntax;
  const letters = (match[1] ?? 'rw').toLowerCase();
  const reads = letters.includes('r') ? KeyAccess.Read : KeyAccess.None;
  const writes = letters.includes('w') ? KeyAccess.Write : KeyAccess.None;
  selector.addKeyPattern(match[2]!, reads | writes);
  return null;
}

function setCategory(selector: Selector, given: string, allowed: boolean): string | null {
  const name = given.toLowerCase();
  const bit = categoryBit(name);
  if (bit === 0) return Problem.unknown;
  selector.setCategory(bit, name, allowed);
  return null;
}

function setCommand(
  selector: Selector,
  given: string,
  allowed: boolean,
  table: CommandTable,
): string | null {
  const spec = table.byName(given);
  if (spec !== null) {
    selector.setCommand(spec, allowed);
    return null;
  }
  const name = given.toLowerCase();
  if (otherCommands.has(name)) {
    selector.noteOther(name, allowed);
    return null;
  }
  const bar = given.lastIndexOf('|');
  if (!allowed || bar < 0) return Problem.unknown;
  const container = table.byName(given.slice(0, bar));
  if (container === null) return Problem.unknown;
  if (container.name.includes('|')) return Problem.firstArgument;
  const argument = given.slice(bar + 1);
  if (argument === '') return Problem.syntax;
  if (container.subcommands !== null) return Problem.unknown;
  selector.addFirstArgument(container, argument);
  return null;
}
