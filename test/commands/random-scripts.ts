import { createCommandTable } from '../../lib/commands/all-commands.js';
import { arityFits, keyIndexes } from '../../lib/commands/table.js';
import { Request } from '../../lib/protocol/request.js';
import { RANDOM, UNORDERED, UNORDERED_SCANS } from './random-collections.js';
import type { Commands } from './random-transactions.js';

type Random = () => number;

const TABLE = createCommandTable();

/** Whose replies Redis leaves open: within a script they cannot be told from others. */
const OPEN = [
  ...[...RANDOM, ...Object.keys(UNORDERED), ...Object.keys(UNORDERED_SCANS)],
  ...['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME', 'OBJECT', 'RANDOMKEY', 'WAIT', 'MOVE'],
];
/** What inner commands may not do between scripts: their effects are not the same on both. */
const NOT_BETWEEN = ['SPOP', 'SWAPDB', 'FLUSHALL', 'FLUSHDB', 'SELECT', 'HELLO', 'CLIENT'];
const CALLS_MAX = 4;
const DEPTH_MAX = 3;

/** Values that are no replies: what becomes of them on their way to the client. */
const CONSTANTS = [
  ...['1', '-1', '3.99', '-2.5', '1e15', '2^53', '-2^62', '1e300', '0/0', '1/0'],
  ...['true', 'false', 'nil', '"text"', '""', '"\\0\\255"', '{}', '{1, nil, 3}', '{true, false}'],
  ...[
    '{ok = "fine"}',
    '{err = "My error"}',
    '{err = "ERR x\\r\\ny"}',
    '{ok = "a\\nb"}',
    '{ok = 1}',
  ],
  ...['redis.error_reply("X y")', 'redis.error_reply("x")', 'redis.error_reply("-CODE y")'],
  ...['redis.status_reply("fine")', '{double = 3.25}', '{double = "3"}', '{double = -1/0}'],
  ...['{map = {a = 1}}', '{map = {[1] = {2}}}', '{set = {a = true}}', '{map = {}}', '{set = {}}'],
  ...['{big_number = "123"}', '{verbatim_string = {string = "x", format = "txt"}}'],
  ...['#KEYS', '#ARGV', 'KEYS[1]', 'ARGV[1]', 'ARGV[#ARGV]', 'KEYS', 'ARGV', 'tostring(nil)'],
  ...[
    'redis.sha1hex(ARGV[1] or "")',
    'cjson.encode({1, "a", true, 2.5})',
    'cjson.decode("[1,2,[]]")',
  ],
];
/** What a script does with a reply; `$` is the reply. */
const USES = [
  ...['$', '$', '$', '$', 'type($)', '#$', '$[1]', '$ == false', '$ == nil', '$ .. ""', '$ + 1'],
  ...[
    'type($) == "table" and $.ok',
    'type($) == "table" and $.err',
    'type($) == "table" and $.double',
  ],
  ...[
    'tonumber($)',
    'type($) == "table" and {unpack($)} or {$}',
    'not $',
    '$ and 1 or 0',
    '{$, $}',
  ],
];

/** A Lua string of these bytes. */
function quoted(text: string): string {
  const escaped = text.replace(/[^\w :.{}()[\],*+-]/g, (one) => {
    return `\\${one.charCodeAt(0).toString().padStart(3, '0')}`;
  });
  return `"${escaped}"`;
}

/** A script while it is drawn. */
interface Draft {
  readonly keys: string[];
  readonly args: string[];
  readonly lines: string[];
  replies: number;
}

/** Random scripts that run the commands of another generator, and these commands by themselves. */
export class RandomScripts implements Commands {
  readonly #random: Random;
  readonly #inner: Commands;

  constructor(random: Random, inner: Commands) {
    this.#random = random;
    this.#inner = inner;
  }

  next(): string[] {
    if (this.#chance(0.6)) return this.#script();
    for (;;) {
      const command = this.#inner.next();
      if (!NOT_BETWEEN.includes(command[0]!.toUpperCase())) return command;
    }
  }

  #script(): string[] {
    const draft: Draft = { keys: [], args: [], lines: [], replies: 0 };
    if (this.#chance(0.4)) draft.lines.push(`redis.setresp(${this.#chance(0.8) ? 3 : 2})`);
    for (let i = this.#below(CALLS_MAX + 1); i > 0; i--) this.#call(draft);
    if (this.#chance(0.03))
      draft.lines.push(this.#pick(['error("E x")', 'error({err = "E x"})', 'nope()', 'x = 1']));
    draft.lines.push(`return ${this.#value(draft, 0)}`);
    const header = this.#chance(0.05) ? this.#pick(['#!lua\n', '#!lua flags=no-writes\n']) : '';
    const text = header + draft.lines.join(this.#chance(0.5) ? '\n' : ' ');
    const name = this.#chance(0.1) ? 'EVAL_RO' : 'EVAL';
    const args = this.#chance(0.3) ? [...draft.args, 'more'] : draft.args;
    return [name, text, String(draft.keys.length), ...draft.keys, ...args];
  }

  #call(draft: Draft): void {
    const words = this.#callable();
    const request = Request.of(...words.map((word) => Buffer.from(word, 'latin1')));
    const spec = TABLE.find(request);
    const isComplete = spec !== null && arityFits(spec, request.argc);
    const keys = isComplete ? keyIndexes(spec, request, 0) : [];
    const list = words.map((word, i) => this.#argument(draft, word, keys.includes(i))).join(', ');
    const reply = `r${++draft.replies}`;
    const how = this.#random();
    if (how < 0.35) draft.lines.push(`local ${reply} = redis.call(${list})`);
    else if (how < 0.85) draft.lines.push(`local ${reply} = redis.pcall(${list})`);
    else {
      const caught = `if not ok${reply} and type(${reply}) == "table" then ${reply} = ${reply}.err end`;
      draft.lines.push(`local ok${reply}, ${reply} = pcall(redis.call, ${list})`, caught);
    }
  }

  /**
   * A command on keys whose reply is the same on both; none of a whole keyspace, and none of another database: KEYS are of
   * the script's own, and in a cluster it gets at these only.
   */
  #callable(): string[] {
    for (;;) {
      const command = this.#inner.next();
      const name = command[0]!.toUpperCase();
      const spec = TABLE.find(Request.of(Buffer.from(name, 'latin1')));
      const isElsewhere = name === 'COPY' && command.some((word) => word.toUpperCase() === 'DB');
      if (spec?.hasKeys && !OPEN.includes(name) && !isElsewhere) return command;
    }
  }

  /** As a key or an argument of the script, or as a constant of it. */
  #argument({ keys, args }: Draft, word: string, isKey: boolean): string {
    if (isKey) {
      if (!keys.includes(word)) keys.push(word);
      return this.#chance(0.2) ? quoted(word) : `KEYS[${keys.indexOf(word) + 1}]`;
    }
    if (/^-?[1-9]\d{0,8}(\.\d{1,3})?$/.test(word) && this.#chance(0.5)) return word;
    if (this.#chance(0.5)) return quoted(word);
    args.push(word);
    return `ARGV[${args.length}]`;
  }

  #value(draft: Draft, depth: number): string {
    const what = this.#random();
    if (what < 0.45 && draft.replies > 0) {
      const reply = `r${1 + this.#below(draft.replies)}`;
      return this.#pick(USES).replaceAll('$', reply);
    }
    if (what < 0.75 && depth < DEPTH_MAX) {
      const items = Array.from({ length: this.#below(5) }, () => this.#value(draft, depth + 1));
      return `{${items.join(', ')}}`;
    }
    return this.#pick(CONSTANTS);
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }
}
