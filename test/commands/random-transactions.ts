/** Draws one command after the other. */
export interface Commands {
  next(): string[];
}

type Random = () => number;

/** In the place of a command's name: what follows is sent by another client. */
export const OTHER_CLIENT = '\0other';

/** What is not put between MULTI and EXEC: Tandis refuses it, or its effect on later commands cannot be undone by DISCARD. */
const NOT_QUEUED = [
  ...['DBSIZE', 'KEYS', 'SCAN', 'RANDOMKEY', 'FLUSHDB', 'FLUSHALL', 'SWAPDB', 'DEBUG'],
  ...['CLIENT', 'CONFIG', 'HELLO', 'AUTH', 'SHUTDOWN', 'SPOP', 'WAIT'],
];
/** What belongs to a connection. */
const NOT_OF_OTHERS = [...NOT_QUEUED, 'SELECT'];
const COMMANDS_MAX = 6;

/** What a drawn transaction may do. */
export interface TransactionMix {
  /** Another client's commands between WATCH and EXEC. */
  readonly others: boolean;
  /** SELECT between MULTI and EXEC. */
  readonly selects: boolean;
}

/** Transactions over the commands of another generator, valid and nearly valid, and these commands by themselves. */
export class RandomTransactions implements Commands {
  readonly #random: Random;
  readonly #inner: Commands;
  readonly #mix: TransactionMix;
  readonly #keys: readonly string[];
  readonly #drawn: string[][] = [];

  constructor(random: Random, inner: Commands, keys: readonly string[], mix: TransactionMix) {
    this.#random = random;
    this.#inner = inner;
    this.#keys = keys;
    this.#mix = mix;
  }

  next(): string[] {
    if (this.#drawn.length === 0) {
      if (this.#chance(0.3)) this.#transaction();
      else this.#drawn.push(this.#command(['SPOP']));
    }
    return this.#drawn.shift()!;
  }

  #transaction(): void {
    const drawn = this.#drawn;
    if (this.#chance(0.05)) drawn.push(this.#pick([['EXEC'], ['DISCARD'], ['WATCH']]));
    for (let i = this.#below(3); i > 0; i--) drawn.push(['WATCH', ...this.#someKeys()]);
    if (this.#chance(0.05)) drawn.push(['UNWATCH']);
    if (this.#chance(0.3)) drawn.push(this.#command(NOT_QUEUED));
    this.#byOthers();
    drawn.push(['MULTI']);
    const notQueued = this.#mix.selects ? NOT_QUEUED : NOT_OF_OTHERS;
    for (let i = this.#below(COMMANDS_MAX + 1); i > 0; i--) {
      if (this.#chance(0.03)) drawn.push(this.#pick([['MULTI'], ['UNWATCH'], ['WATCH', 'a']]));
      drawn.push(this.#command(notQueued));
    }
    this.#byOthers();
    if (this.#chance(0.02)) drawn.push(['EXEC', 'x']);
    drawn.push([this.#chance(0.85) ? 'EXEC' : 'DISCARD']);
  }

  /** What changes a key, or does not: also one that is not there, or not for long. */
  #byOthers(): void {
    if (!this.#mix.others) return;
    while (this.#chance(0.25)) {
      const [key] = this.#someKeys();
      const commands = this.#pick([
        [['SET', key!, 'other']],
        [['APPEND', key!, 'x']],
        [['STRLEN', key!]],
        [['DEL', key!]],
        [['PEXPIREAT', key!, '1']],
        // When Redis stops to count what has expired is open, unless somebody looks.
        [
          ['SET', key!, 'over', 'PXAT', '1'],
          ['GET', key!],
        ],
      ]);
      for (const command of commands) this.#drawn.push([OTHER_CLIENT, ...command]);
    }
  }

  /** Commands that are not to be there are drawn in vain. */
  #command(without: readonly string[]): string[] {
    for (;;) {
      const command = this.#inner.next();
      if (!without.includes(command[0]!.toUpperCase())) return command;
    }
  }

  #someKeys(): string[] {
    return Array.from({ length: 1 + this.#below(2) }, () => this.#pick(this.#keys));
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
