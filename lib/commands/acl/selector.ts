import { matchesGlob } from '../../protocol/glob.js';
import type { Request } from '../../protocol/request.js';
import { KeyAccess, keyAccess } from '../key-access.js';
import type { CommandSpec } from '../spec.js';
import { type CommandTable, keyCount, keyIndex } from '../table.js';

/** What a permission is missing for; of several selectors the highest is told. */
export const Missing = { Command: 1, Key: 2, Channel: 4 } as const;
export type Missing = (typeof Missing)[keyof typeof Missing];

/** A refusal: `index` is the argument that names the key or the channel, 0 for the command itself. */
export interface Refusal {
  readonly missing: Missing;
  readonly index: number;
}

const REFUSED: Refusal = { missing: Missing.Command, index: 0 };

interface KeyPattern {
  readonly text: string;
  readonly bytes: Buffer;
  /** Bits of KeyAccess that it allows. */
  access: number;
}

const PREFIXES = { [KeyAccess.Read]: '%R~', [KeyAccess.Write]: '%W~', [KeyAccess.Both]: '~' };

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

const matches = (pattern: Buffer, { buffer, start, end }: Request, index: number): boolean =>
  matchesGlob(pattern, 0, pattern.length, buffer, start[index]!, end[index]!);

/**
 * One set of permissions: a command may run when one selector of its user allows the command, all its keys and all its
 * channels. Names and patterns are texts of one character per byte.
 */
export class Selector {
  readonly #table: CommandTable;
  /** By the number of a command: 1 when it is allowed. */
  #commands: Uint8Array;
  /** First arguments with which a command that is not allowed else is, by the number of the command. */
  #firstArguments = new Map<number, string[]>();
  /** What was said of commands since `+@all` or `-@all`, without what later rules have overruled. */
  #commandRules: string[] = [];
  #beginsWithAll = false;
  #allCommands = false;
  #allKeys = false;
  #keys: KeyPattern[] = [];
  #allChannels = false;
  #channels: string[] = [];

  constructor(table: CommandTable, allChannels: boolean) {
    this.#table = table;
    this.#commands = new Uint8Array(table.specs.length);
    this.#allChannels = allChannels;
  }

  copy(): Selector {
    const copy = new Selector(this.#table, this.#allChannels);
    copy.#commands = this.#commands.slice();
    copy.#firstArguments = new Map([...this.#firstArguments].map(([id, args]) => [id, [...args]]));
    copy.#commandRules = [...this.#commandRules];
    copy.#beginsWithAll = this.#beginsWithAll;
    copy.#allCommands = this.#allCommands;
    copy.#allKeys = this.#allKeys;
    copy.#keys = this.#keys.map((key) => ({ ...key }));
    copy.#channels = [...this.#channels];
    return copy;
  }

  /** Whoever has it may do everything. */
  get allowsAll(): boolean {
    return this.#allCommands && this.#allKeys && this.#allChannels;
  }

  get allowsAllKeys(): boolean {
    return this.#allKeys;
  }

  get allowsAllChannels(): boolean {
    return this.#allChannels;
  }

  get channels(): readonly string[] {
    return this.#channels;
  }

  /** How many rules and patterns it has. */
  get size(): number {
    return this.#commandRules.length + this.#keys.length + this.#channels.length;
  }

  // --- rules

  setAllCommands(allowed: boolean): void {
    this.#commands.fill(allowed ? 1 : 0);
    this.#firstArguments.clear();
    this.#commandRules = [];
    this.#beginsWithAll = allowed;
    this.#allCommands = allowed;
  }

  /** A command with its subcommands. */
  setCommand(spec: CommandSpec, allowed: boolean): void {
    this.#set(spec, allowed);
    this.#note(allowed, spec.name);
  }

  /** `bit` and `name` of a category. */
  setCategory(bit: number, name: string, allowed: boolean): void {
    for (const spec of this.#table.specs) if (spec.categories & bit) this.#set(spec, allowed);
    this.#note(allowed, `@${name}`);
  }

  addFirstArgument(spec: CommandSpec, argument: string): void {
    const known = this.#firstArguments.get(spec.id) ?? [];
    const isKnown = known.some((one) => one.toLowerCase() === argument.toLowerCase());
    if (isKnown) return;
    this.#firstArguments.set(spec.id, [...known, argument]);
    this.#note(true, `${spec.name}|${argument}`);
  }

  /** A command that Redis has: the rule is kept, and says nothing about those that are here. */
  noteOther(name: string, allowed: boolean): void {
    this.#note(allowed, name);
  }

  setAllKeys(allowed: boolean): void {
    this.#allKeys = allowed;
    this.#keys = [];
  }

  addKeyPattern(text: string, access: number): void {
    const known = this.#keys.find((key) => key.text === text);
    if (known !== undefined) known.access |= access;
    else this.#keys.push({ text, bytes: bytesOf(text), access });
  }

  setAllChannels(allowed: boolean): void {
    this.#allChannels = allowed;
    this.#channels = [];
  }

  addChannelPattern(text: string): void {
    if (!this.#channels.includes(text)) this.#channels.push(text);
  }

  #set(spec: CommandSpec, allowed: boolean): void {
    this.#commands[spec.id] = allowed ? 1 : 0;
    this.#firstArguments.delete(spec.id);
    for (const sub of spec.subcommands?.values() ?? []) this.#commands[sub.id] = allowed ? 1 : 0;
    if (!allowed) this.#allCommands = false;
  }

  /** A rule overrules those before it of the same name, and of its subcommands and first arguments. */
  #note(allowed: boolean, name: string): void {
    const isOverruled = (rule: string) => rule.slice(1) === name || rule.startsWith(`${name}|`, 1);
    this.#commandRules = this.#commandRules.filter((rule) => !isOverruled(rule));
    this.#commandRules.push(`${allowed ? '+' : '-'}${name}`);
  }

  // --- as text

  describeCommands(): string {
    return [this.#beginsWithAll ? '+@all' : '-@all', ...this.#commandRules].join(' ');
  }

  describeKeys(): string {
    if (this.#allKeys) return '~*';
    return this.#keys.map(({ text, access }) => PREFIXES[access as 1 | 2 | 3] + text).join(' ');
  }

  describeChannels(): string {
    return this.#allChannels ? '&*' : this.#channels.map((text) => `&${text}`).join(' ');
  }

  /** The rules that make one like it, out of one that allows nothing. */
  describe(): string {
    const channels = this.#allChannels
      ? '&*'
      : `resetchannels ${this.describeChannels()}`.trimEnd();
    return [this.#keyRules(), channels, this.describeCommands()].filter(Boolean).join(' ');
  }

  /** As shown, but for the pattern * among others, which would read as all keys. */
  #keyRules(): string {
    const shown = this.describeKeys();
    return this.#allKeys ? shown : shown.replace(/(?<= |^)~\*(?= |$)/, '%RW~*');
  }

  // --- questions

  /** What is missing for a command line that begins at argument `first`; null when nothing is. */
  refusal(spec: CommandSpec, request: Request, first: number): Refusal | null {
    if (!this.#allCommands && !spec.noAuth && !this.#allowsCommand(spec, request, first)) {
      return REFUSED;
    }
    if (!this.#allKeys && spec.hasKeys) {
      const index = this.#missingKey(spec, request, first);
      if (index > 0) return { missing: Missing.Key, index };
    }
    if (this.#allChannels || spec.channels === null) return null;
    const { isOne, arePatterns } = spec.channels;
    const end = isOne ? Math.min(first + 2, request.argc) : request.argc;
    for (let index = first + 1; index < end; index++) {
      if (!this.#allowsChannelArgument(request, index, arePatterns)) {
        return { missing: Missing.Channel, index };
      }
    }
    return null;
  }

  #allowsCommand(spec: CommandSpec, request: Request, first: number): boolean {
    if (this.#commands[spec.id] === 1) return true;
    const allowed = this.#firstArguments.get(spec.id);
    if (allowed === undefined || request.argc < first + 2) return false;
    const given = request.latin1(first + 1).toLowerCase();
    return allowed.some((one) => one.toLowerCase() === given);
  }

  /** The argument that names a key which may not be used so; 0 when there is none. */
  #missingKey(spec: CommandSpec, request: Request, first: number): number {
    const count = keyCount(spec, request, first);
    for (let position = 0; position < count; position++) {
      const index = keyIndex(spec, request, position, first);
      if (index >= request.argc) continue;
      const access = keyAccess(spec, request, position, first);
      const isAllowed = this.#keys.some(
        (key) => (key.access & access) === access && matches(key.bytes, request, index),
      );
      if (!isAllowed) return index;
    }
    return 0;
  }

  #allowsChannelArgument(request: Request, index: number, isPattern: boolean): boolean {
    return this.allowsChannel(request.latin1(index), isPattern);
  }

  /** A channel matches a pattern; a pattern of channels must be one of those given, as it is. */
  allowsChannel(name: string, isPattern: boolean): boolean {
    if (this.#allChannels) return true;
    if (isPattern) return this.#channels.includes(name);
    const bytes = bytesOf(name);
    return this.#channels.some((text) => {
      const pattern = bytesOf(text);
      return matchesGlob(pattern, 0, pattern.length, bytes, 0, bytes.length);
    });
  }

  /** Whether every key may be read. */
  get readsAllKeys(): boolean {
    return (
      this.#allKeys ||
      this.#keys.some(({ text, access }) => text === '*' && access & KeyAccess.Read)
    );
  }
}
