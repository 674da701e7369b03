type Random = () => number;
type Generator = () => string[];

/** Few keys, some with one hash tag. */
export const BIT_KEYS = ['a', 'b', '{t}1', '{t}2', 'wide'];
const TEXTS = [
  '',
  '\xff',
  '\0',
  '\xff\xff\xff',
  '\0\0\x01',
  'foobar',
  'ohmytext',
  'mynewtext',
  '12',
];
const OFFSETS = ['0', '1', '7', '8', '100', '4294967296', '-1', 'x', '', '99999999999'];
const TYPES = [
  'u8',
  'i8',
  'u1',
  'i1',
  'u63',
  'i64',
  'i5',
  'u13',
  'u64',
  'i65',
  'u0',
  'x8',
  'i',
  'I8',
];
const VALUES = [
  '0',
  '1',
  '-1',
  '100',
  '255',
  '-128',
  '9223372036854775807',
  '-9223372036854775808',
  'x',
];
const HYPER_LOG_LOGS = ['h1', '{t}h2', '{t}h3'];
const JUNK = ['', 'x', '-1', '0', '1', 'BIT', 'BYTE', 'LEN', 'NX', '2'];

/** Random commands on bitmaps and on what strings have in common, valid and nearly valid. */
export class RandomBits {
  readonly #random: Random;
  readonly #generators: readonly Generator[];

  constructor(random: Random) {
    this.#random = random;
    this.#generators = [
      ...this.#strings(),
      ...this.#bits(),
      ...this.#fields(),
      ...this.#counters(),
    ];
  }

  next(): string[] {
    const command = this.#pick(this.#generators)();
    if (!this.#chance(0.1)) return command;
    const changed = [...command];
    const at = 1 + this.#below(changed.length);
    const what = this.#random();
    if (what < 0.4) changed.splice(at, 1);
    else if (what < 0.7) changed.splice(at, 0, this.#pick(JUNK));
    else if (at < changed.length) changed[at] = this.#pick(JUNK);
    // Of one key Redis keeps the count in the value, where GET shows it.
    const isCachedCount = changed[0] === 'PFCOUNT' && changed.length < 3;
    return changed[0] === 'FLUSHALL' || isCachedCount ? ['PING'] : changed;
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }

  #below = (limit: number): number => Math.floor(this.#random() * limit);
  #key = (): string => this.#pick(BIT_KEYS);
  #offset = (): string => {
    if (this.#chance(0.03)) return this.#pick(OFFSETS);
    return String(this.#below(this.#chance(0.1) ? 20_000 : 200));
  };
  #index = (): string => String(this.#below(60) - 30);
  #text = (): string => {
    if (this.#chance(0.7)) return this.#pick(TEXTS);
    return Array.from({ length: this.#below(80) }, () => this.#pick(['a', 'b', 'c', '\xff'])).join(
      '',
    );
  };

  #strings(): Generator[] {
    const key = this.#key;
    return [
      () => ['SET', key(), this.#text()],
      () => ['SET', key(), this.#text()],
      () => ['GET', key()],
      () => ['GET', key()],
      () => ['APPEND', key(), this.#text()],
      () => ['SETRANGE', key(), String(this.#below(200)), this.#text()],
      () => (this.#chance(0.3) ? ['DEL', key()] : ['OBJECT', 'ENCODING', key()]),
      () => (this.#chance(0.2) ? ['RPUSH', 'list', 'x'] : ['STRLEN', key()]),
      () => (this.#chance(0.05) ? ['FLUSHALL'] : ['EXISTS', key()]),
      () => this.#getKeys(),
      () => ['LCS', key(), key(), ...this.#lcsOptions()],
      () => ['LCS', key(), key(), ...this.#lcsOptions()],
    ];
  }

  /** Redis does not find the key of a PFMERGE without sources. */
  #getKeys(): string[] {
    const command = this.#pick(this.#generators)();
    return command[0] === 'PFMERGE' ? ['PING'] : ['COMMAND', 'GETKEYS', ...command];
  }

  #lcsOptions(): string[] {
    return this.#pick([
      [],
      ['LEN'],
      ['IDX'],
      ['idx', 'MINMATCHLEN', this.#pick(['0', '2', '4', '-1', 'x'])],
      ['IDX', 'MINMATCHLEN', '2', 'WITHMATCHLEN'],
      ['IDX', 'LEN'],
    ]);
  }

  /** HyperLogLogs: their bytes are not compared, as their registers can be packed in several ways. */
  #counters(): Generator[] {
    const key = () => this.#pick(HYPER_LOG_LOGS);
    const any = () => (this.#chance(0.1) ? this.#key() : key());
    const elements = () =>
      Array.from(
        { length: this.#chance(0.1) ? 300 : this.#below(4) },
        () => `e${this.#below(9000)}`,
      );
    const anyKeys = () => Array.from({ length: 1 + this.#below(3) }, any);
    return [
      () => ['PFADD', key(), ...elements()],
      () => ['PFADD', key(), ...elements()],
      () => ['PFCOUNT', any(), ...anyKeys()],
      () => ['PFCOUNT', any(), ...anyKeys()],
      () => ['PFMERGE', key(), ...anyKeys()],
      () => (this.#chance(0.1) ? ['DEL', key()] : ['TYPE', key()]),
    ];
  }

  #bits(): Generator[] {
    const key = this.#key;
    const bit = () => (this.#chance(0.03) ? this.#pick(['2', '-1', 'x']) : this.#pick(['0', '1']));
    const range = () => [this.#index(), this.#index()];
    const unit = () => (this.#chance(0.5) ? [] : [this.#pick(['BIT', 'BYTE', 'bit', 'x'])]);
    return [
      () => ['SETBIT', key(), this.#offset(), bit()],
      () => ['SETBIT', key(), this.#offset(), bit()],
      () => ['SETBIT', 'wide', this.#offset(), bit()],
      () => ['GETBIT', key(), this.#offset()],
      () => ['BITCOUNT', key()],
      () => ['BITCOUNT', key(), ...range(), ...unit()],
      () => ['BITPOS', key(), bit()],
      () => ['BITPOS', key(), bit(), this.#index()],
      () => ['BITPOS', key(), bit(), ...range(), ...unit()],
      () => [
        'BITOP',
        this.#pick(['AND', 'OR', 'XOR', 'and', 'NOP']),
        key(),
        ...Array.from({ length: 1 + this.#below(3) }, key),
      ],
      () => ['BITOP', 'NOT', key(), key()],
      () => (this.#chance(0.1) ? ['GETBIT', 'list', '1'] : ['BITCOUNT', 'list']),
    ];
  }

  #fields(): Generator[] {
    const key = this.#key;
    const type = () => (this.#chance(0.85) ? this.#pick(TYPES.slice(0, 8)) : this.#pick(TYPES));
    const offset = () => (this.#chance(0.3) ? `#${this.#below(20)}` : this.#offset());
    const value = () =>
      this.#chance(0.5) ? this.#pick(VALUES.slice(0, 8)) : String(this.#below(400) - 200);
    const one = (): string[] =>
      this.#pick([
        () => ['GET', type(), offset()],
        () => ['SET', type(), offset(), value()],
        () => ['INCRBY', type(), offset(), value()],
        () => ['OVERFLOW', this.#pick(['WRAP', 'SAT', 'FAIL', 'sat', 'fail', 'x'])],
      ])();
    const some = () => Array.from({ length: 1 + this.#below(5) }, one).flat();
    return [
      () => ['BITFIELD', key(), ...some()],
      () => ['BITFIELD', key(), ...some()],
      () => [
        'BITFIELD_RO',
        key(),
        ...Array.from({ length: 2 }, () => ['GET', type(), offset()]).flat(),
      ],
      () => (this.#chance(0.1) ? ['BITFIELD_RO', key(), ...some()] : ['BITFIELD', key()]),
    ];
  }
}
