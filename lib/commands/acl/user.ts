import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request } from '../../protocol/request.js';
import type { CommandSpec } from '../spec.js';
import type { CommandTable } from '../table.js';
import { Missing, type Refusal, Selector } from './selector.js';

/** The SHA-256 of a password, in hexadecimal: what is kept of it. */
export const hashOfPassword = (password: Buffer): string =>
  createHash('sha256').update(password).digest('hex');

/** What a user may do, and how clients show that they are this user. */
export class AclUser {
  readonly name: string;
  isEnabled = false;
  /** Any password is right. */
  needsNoPassword = false;
  /** Kept for whoever asks: every payload of RESTORE is looked through. */
  sanitizes: boolean | null = null;
  /** SHA-256 in hexadecimal. */
  passwords: string[] = [];
  /** At least one: the first has what is said outside of brackets. */
  selectors: Selector[];
  /** It may do everything: nothing else is looked at when a command comes. Set by `changed`. */
  isUnrestricted = false;
  readonly #table: CommandTable;

  constructor(name: string, table: CommandTable, allChannels: boolean) {
    this.name = name;
    this.#table = table;
    this.selectors = [new Selector(table, allChannels)];
  }

  get root(): Selector {
    return this.selectors[0]!;
  }

  /** Takes everything but the name from another one. */
  takeFrom(other: AclUser): void {
    this.isEnabled = other.isEnabled;
    this.needsNoPassword = other.needsNoPassword;
    this.sanitizes = other.sanitizes;
    this.passwords = [...other.passwords];
    this.selectors = other.selectors.map((selector) => selector.copy());
    this.changed();
  }

  /** To be called after its rules have changed. */
  changed(): void {
    this.isUnrestricted = this.selectors.some((selector) => selector.allowsAll);
  }

  /** It is no user any more: whoever still acts as this one may do nothing. */
  disarm(): void {
    this.isEnabled = false;
    this.needsNoPassword = false;
    this.passwords = [];
    this.selectors = [new Selector(this.#table, false)];
    this.changed();
  }

  /** How many rules, patterns and passwords it has. */
  get size(): number {
    return this.selectors.reduce((sum, { size }) => sum + size + 1, this.passwords.length);
  }

  /** Every password is compared, each in a time that tells nothing. */
  hasPassword(hash: string): boolean {
    const given = Buffer.from(hash, 'hex');
    let isRight = false;
    for (const password of this.passwords) {
      if (timingSafeEqual(given, Buffer.from(password, 'hex'))) isRight = true;
    }
    return isRight;
  }

  /** In the order of Redis. */
  flags(): string[] {
    const sanitizing = this.sanitizes ? 'sanitize-payload' : 'skip-sanitize-payload';
    return [
      this.isEnabled ? 'on' : 'off',
      ...(this.needsNoPassword ? ['nopass'] : []),
      ...(this.sanitizes === null ? [] : [sanitizing]),
    ];
  }

  /** The rules that make this user, as ACL LIST and the ACL file have them. */
  describe(): string {
    const [root, ...others] = this.selectors;
    return [
      ...this.flags(),
      ...this.passwords.map((hash) => `#${hash}`),
      root!.describe(),
      ...others.map((selector) => `(${selector.describe()})`),
    ].join(' ');
  }

  /** What is missing for a command line that begins at argument `first`; null when nothing is. */
  refusal(spec: CommandSpec, request: Request, first = 0): Refusal | null {
    if (this.isUnrestricted) return null;
    let told: Refusal = { missing: Missing.Command, index: 0 };
    for (const selector of this.selectors) {
      const refusal = selector.refusal(spec, request, first);
      if (refusal === null) return null;
      const isSame = refusal.missing === told.missing;
      if (refusal.missing > told.missing || (isSame && refusal.index > told.index)) told = refusal;
    }
    return told;
  }

  /** Whether the command may run, and use keys too that it does not name. */
  mayReadUnnamedKeys(spec: CommandSpec, request: Request): boolean {
    return this.selectors.some(
      (selector) => selector.readsAllKeys && selector.refusal(spec, request, 0) === null,
    );
  }
}
