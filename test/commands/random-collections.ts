/** Letters of the families that are drawn from: hashes, sets, lists (l), sorted sets (z). */
export type Families = string;

type Random = () => number;
type Generator = () => string[];

/** Keys with one hash tag, and others; few, so that commands meet what others have left. */
const KEYS = ['a', 'b', 'c', '{t}1', '{t}2', 'big', 'big'];
/** Sorted sets whose members all have the same score. */
const EVEN_KEYS = ['even', '{t}even'];
const FIELDS = ['', 'f', 'g', 'h', 'i', 'name', 'nul\0field', '\xff\r\n', '1', '2', '-3', '007'];
const VALUES = [
  '',
  'hello',
  '1',
  '10',
  '-7',
  '9223372036854775807',
  '1.5',
  '3.0e3',
  'x'.repeat(64),
  'y'.repeat(65),
  'bin\0\r\n\xff',
];
const NUMBERS = [
  '0',
  '1',
  '-1',
  '5',
  '9223372036854775807',
  '-9223372036854775808',
  '9e3',
  'x',
  '',
];
const FLOATS = ['0.1', '-2.5', '1e17', '3', 'inf', '-inf', 'nan', 'x', '', '0x1p-3', '1e-7'];
const SCORES = [
  '0',
  '1',
  '2',
  '2',
  '3.5',
  '-1',
  '1e10',
  '2e17',
  '-5e18',
  'inf',
  '-inf',
  '0.1',
  '-0',
];
const BAD_SCORES = ['nan', 'x', '', '1 '];
const JUNK = ['', 'x', '-1', '0', '1', 'NX', 'WITHSCORES', 'COUNT', '(1', '[a', 'LIMIT', '2'];
const BULK_MAX = 300;

/** Whose replies are the same but for the order of their elements, and how many of these belong together. */
export const UNORDERED: Readonly<Record<string, 1 | 2>> = {
  HGETALL: 2,
  HKEYS: 1,
  HVALS: 1,
  SMEMBERS: 1,
  SUNION: 1,
  SINTER: 1,
  SDIFF: 1,
};
/** The same of their second element. */
export const UNORDERED_SCANS: Readonly<Record<string, 1 | 2>> = { HSCAN: 2, SSCAN: 1, ZSCAN: 2 };
/** Whose replies are random: only their shape is compared. */
export const RANDOM = ['HRANDFIELD', 'SRANDMEMBER', 'SPOP', 'ZRANDMEMBER'];

/** Random commands on collections, valid and nearly valid. */
export class RandomCollections {
  readonly #random: Random;
  readonly #generators: readonly Generator[];
  readonly #following: string[][] = [];

  constructor(random: Random, families: Families) {
    this.#random = random;
    const generators = [...this.#keyspace(families)];
    // In Redis SORT changes the encoding of a sorted set.
    if (!families.includes('z')) generators.push(...this.#sorts());
    if (families.includes('h')) generators.push(...this.#hashes());
    if (families.includes('s')) generators.push(...this.#sets());
    if (families.includes('l')) generators.push(...this.#lists());
    if (families.includes('z')) generators.push(...this.#sortedSets(), ...this.#sortedSetRanges());
    this.#generators = generators;
  }

  next(): string[] {
    const follows = this.#following.shift();
    if (follows !== undefined) return follows;
    const command = this.#pick(this.#generators)();
    const isRandom = RANDOM.includes(command[0]!);
    if (isRandom || !this.#chance(0.08)) return command;
    const changed = [...command];
    const at = 1 + Math.floor(this.#random() * changed.length);
    const what = this.#random();
    if (what < 0.4) changed.splice(at, 1);
    else if (what < 0.7) changed.splice(at, 0, this.#pick(JUNK));
    else if (at < changed.length) changed[at] = this.#pick(JUNK);
    return isOpen(changed) ? ['PING'] : changed;
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!;
  }

  #below = (limit: number): number => Math.floor(this.#random() * limit);

  #some(each: () => string[], most: number): string[] {
    return Array.from({ length: 1 + this.#below(most) }, each).flat();
  }

  /** Now and then many at once, so that all encodings are met. */
  #many(each: () => string[], most: number): string[] {
    if (!this.#chance(0.1)) return this.#some(each, most);
    return Array.from({ length: this.#below(BULK_MAX) + 1 }, each).flat();
  }

  #key = (): string => this.#pick(KEYS);
  #field = (): string =>
    this.#chance(0.7) ? this.#pick(FIELDS) : `field:${this.#below(this.#chance(0.5) ? 20 : 2000)}`;
  #value = (): string => {
    if (this.#chance(0.6)) return this.#pick(VALUES);
    if (this.#chance(0.9)) return `value ${this.#below(1e6)}`;
    return 'z'.repeat(this.#below(2000));
  };
  #member = (): string => {
    if (this.#chance(0.4)) return String(this.#below(600) - 50);
    return this.#chance(0.9) ? this.#field() : 'm'.repeat(this.#below(300));
  };
  #index = (): string => {
    if (this.#chance(0.05)) return this.#pick(NUMBERS);
    return String(this.#below(this.#chance(0.2) ? 400 : 12) - (this.#chance(0.3) ? 100 : 4));
  };
  #count = (): string => (this.#chance(0.1) ? this.#pick(NUMBERS) : String(this.#below(8) - 1));
  #score = (): string =>
    this.#chance(0.6) ? this.#pick(SCORES) : String(this.#below(100_000) / 4 - 100);
  #anyScore = (): string => (this.#chance(0.04) ? this.#pick(BAD_SCORES) : this.#score());

  #keyspace(families: Families): Generator[] {
    const key = this.#key;
    const types = ['string', 'hash', 'set', 'list', 'zset'];
    return [
      () => (this.#chance(0.5) ? ['SET', key(), this.#value()] : ['TYPE', key()]),
      () => (this.#chance(0.3) ? ['DEL', key()] : ['OBJECT', 'ENCODING', key()]),
      () => ['OBJECT', this.#pick(['ENCODING', 'REFCOUNT']), key()],
      () => (this.#chance(0.3) ? ['RENAME', key(), key()] : ['EXISTS', key()]),
      () => ['COPY', key(), key(), ...(this.#chance(0.5) ? ['REPLACE'] : [])],
      () => ['SCAN', '0', 'TYPE', this.#pick(types), 'COUNT', '10000'],
      () => (this.#chance(0.2) ? ['EXPIRE', key(), '1000'] : ['PERSIST', key()]),
      () => this.#pick([['GET', key()], ['STRLEN', key()], ['APPEND', key(), 'x'], ['DBSIZE']]),
      () => (this.#chance(0.05) ? ['FLUSHALL'] : ['COMMAND', 'COUNT', families]),
      () => ['COMMAND', 'GETKEYS', ...this.#pick(this.#generators)()],
    ];
  }

  #sorts(): Generator[] {
    const name = () => this.#pick(['SORT', 'SORT', 'SORT_RO']);
    const sort = () => [name(), this.#key(), ...this.#sortOptions()];
    return [sort, sort];
  }

  #sortOptions(): string[] {
    const store = ['STORE', this.#key()];
    // Of a set that is not sorted no order is promised.
    const some = [['ALPHA'], ['DESC'], ['asc'], ['LIMIT', this.#index(), this.#index()], store];
    const options = this.#chance(0.7) ? [['ALPHA']] : [];
    while (this.#chance(0.5)) options.push(this.#pick([...some, ['GET', '#'], ['LIMIT', '1']]));
    return options.flat();
  }

  #hashes(): Generator[] {
    const key = this.#key;
    const field = this.#field;
    const pairs = () => this.#many(() => [field(), this.#value()], 4);
    return [
      () => ['HSET', key(), ...pairs()],
      () => ['HSET', key(), ...pairs()],
      () => ['HMSET', key(), ...pairs()],
      () => ['HSETNX', key(), field(), this.#value()],
      () => ['HGET', key(), field()],
      () => ['HMGET', key(), ...this.#some(() => [field()], 5)],
      () => ['HGETALL', key()],
      () => ['HGETALL', key()],
      () => [this.#pick(['HKEYS', 'HVALS', 'HLEN']), key()],
      () => ['HDEL', key(), ...this.#many(() => [field()], 4)],
      () => ['HEXISTS', key(), field()],
      () => ['HSTRLEN', key(), field()],
      () => ['HINCRBY', key(), field(), this.#pick(NUMBERS)],
      () => ['HINCRBYFLOAT', key(), field(), this.#pick(FLOATS)],
      () => ['HSCAN', key(), ...this.#scanOptions()],
      () => ['HRANDFIELD', key(), ...this.#randomCount('WITHVALUES')],
    ];
  }

  /** With a count that lets both give all elements at once. */
  #scanOptions(): string[] {
    const match = this.#chance(0.4) ? ['MATCH', this.#pick(['*', 'f*', '?', '[^x]*', ''])] : [];
    return ['0', ...match, 'COUNT', '100000'];
  }

  #randomCount(option: string): string[] {
    if (this.#chance(0.3)) return [];
    const count = this.#pick(['0', '1', '3', '-3', '100', '-20', 'x', '9223372036854775807']);
    return this.#chance(0.5) ? [count] : [count, option];
  }

  #sets(): Generator[] {
    const key = this.#key;
    const member = this.#member;
    const integers = () => this.#many(() => [String(this.#below(2000) - 1000)], 6);
    const keys = (most: number) => this.#some(() => [key()], most);
    return [
      () => ['SADD', key(), ...this.#many(() => [member()], 4)],
      () => ['SADD', key(), ...integers()],
      () => ['SADD', key(), ...integers()],
      () => ['SREM', key(), ...this.#many(() => [member()], 4)],
      () => ['SISMEMBER', key(), member()],
      () => ['SMISMEMBER', key(), ...this.#some(() => [member()], 5)],
      () => [this.#pick(['SMEMBERS', 'SCARD']), key()],
      () => ['SMOVE', key(), key(), member()],
      () => [this.#pick(['SINTER', 'SUNION', 'SDIFF']), ...keys(4)],
      () => [this.#pick(['SINTERSTORE', 'SUNIONSTORE', 'SDIFFSTORE']), key(), ...keys(3)],
      () => this.#counted('SINTERCARD', keys(4), this.#chance(0.4) ? ['LIMIT', this.#count()] : []),
      () => ['SSCAN', key(), ...this.#scanOptions()],
      () => {
        const count = this.#chance(0.5)
          ? [this.#pick(['0', '1', '5', '-5', '100', '-1', 'x'])]
          : [];
        return ['SRANDMEMBER', key(), ...count];
      },
      () => this.#spop(),
    ];
  }

  /** What two have popped is not the same: the key is emptied. */
  #spop(): string[] {
    const key = this.#key();
    this.#following.push(['SCARD', key], ['DEL', key]);
    const count = this.#chance(0.6) ? [this.#pick(['0', '1', '3', '1000', '-1', 'x'])] : [];
    return ['SPOP', key, ...count];
  }

  /** Keys with their number before them, which now and then is wrong. */
  #counted(name: string, keys: readonly string[], rest: readonly string[]): string[] {
    const count = this.#chance(0.92)
      ? String(keys.length)
      : this.#pick(['0', '-1', '3', 'x', '99']);
    return [name, count, ...keys, ...rest];
  }

  #lists(): Generator[] {
    const key = this.#key;
    const value = this.#value;
    const values = () => this.#many(() => [value()], 4);
    const side = () => this.#pick(['LEFT', 'RIGHT', 'left', 'Right']);
    return [
      () => [this.#pick(['LPUSH', 'RPUSH']), key(), ...values()],
      () => [this.#pick(['LPUSH', 'RPUSH']), key(), ...values()],
      () => [this.#pick(['LPUSHX', 'RPUSHX']), key(), ...values()],
      () => [this.#pick(['LPOP', 'RPOP']), key()],
      () => [this.#pick(['LPOP', 'RPOP']), key(), this.#count()],
      () => ['LLEN', key()],
      () => ['LRANGE', key(), this.#index(), this.#index()],
      () => ['LRANGE', key(), '0', '-1'],
      () => ['LINDEX', key(), this.#index()],
      () => ['LSET', key(), this.#index(), value()],
      () => ['LINSERT', key(), this.#pick(['BEFORE', 'AFTER', 'after', 'x']), value(), value()],
      () => ['LREM', key(), this.#pick(['0', '1', '-1', '2', '-2', 'x']), value()],
      () => ['LTRIM', key(), this.#index(), this.#index()],
      () => ['LPOS', key(), value(), ...this.#positionOptions()],
      () => ['LMOVE', key(), key(), side(), side()],
      () => ['RPOPLPUSH', key(), key()],
      () =>
        this.#counted(
          'LMPOP',
          this.#some(() => [key()], 3),
          [side(), ...(this.#chance(0.4) ? ['COUNT', this.#count()] : [])],
        ),
    ];
  }

  #positionOptions(): string[] {
    return this.#pick([
      [],
      ['RANK', this.#pick(['1', '-1', '2', '-2', '0', 'x', '-9223372036854775808'])],
      ['COUNT', this.#count()],
      ['MAXLEN', this.#count()],
      ['RANK', '-1', 'COUNT', '0', 'MAXLEN', '10'],
    ]);
  }

  #sortedSets(): Generator[] {
    const key = this.#key;
    const member = this.#member;
    const pairs = () => this.#many(() => [this.#anyScore(), member()], 4);
    const keys = (most: number) => this.#some(() => [key()], most);
    const options = () =>
      this.#chance(0.5)
        ? []
        : this.#some(() => [this.#pick(['NX', 'XX', 'gt', 'LT', 'CH', 'CH', 'XX'])], 2);
    return [
      () => ['ZADD', key(), ...pairs()],
      () => ['ZADD', key(), ...pairs()],
      () => ['ZADD', key(), ...options(), ...pairs()],
      () => ['ZADD', key(), ...options(), 'INCR', this.#anyScore(), member()],
      () => ['ZINCRBY', key(), this.#anyScore(), member()],
      () => ['ZREM', key(), ...this.#many(() => [member()], 4)],
      () => ['ZSCORE', key(), member()],
      () => ['ZMSCORE', key(), ...this.#some(() => [member()], 4)],
      () => [this.#pick(['ZRANK', 'ZREVRANK']), key(), member()],
      () => ['ZCARD', key()],
      () => [
        this.#pick(['ZPOPMIN', 'ZPOPMAX']),
        key(),
        ...(this.#chance(0.5) ? [this.#count()] : []),
      ],
      () =>
        this.#counted('ZMPOP', keys(3), [
          this.#pick(['MIN', 'MAX']),
          ...(this.#chance(0.4) ? ['COUNT', this.#count()] : []),
        ]),
      () => this.#counted(this.#pick(['ZUNION', 'ZINTER', 'ZDIFF']), keys(3), this.#setOptions()),
      () => {
        const name = this.#pick(['ZUNIONSTORE', 'ZINTERSTORE', 'ZDIFFSTORE']);
        const [, ...rest] = this.#counted(name, keys(3), this.#setOptions());
        return [name, key(), ...rest];
      },
      () => this.#counted('ZINTERCARD', keys(3), this.#chance(0.4) ? ['LIMIT', this.#count()] : []),
      () => ['ZSCAN', key(), ...this.#scanOptions()],
      () => ['ZRANDMEMBER', key(), ...this.#randomCount('WITHSCORES')],
    ];
  }

  #setOptions(): string[] {
    const found: string[] = [];
    if (this.#chance(0.3)) found.push('WEIGHTS', ...this.#some(() => [this.#pick(FLOATS)], 3));
    if (this.#chance(0.4)) found.push('AGGREGATE', this.#pick(['SUM', 'MIN', 'MAX', 'x']));
    if (this.#chance(0.5)) found.push('WITHSCORES');
    return found;
  }

  #scoreBound = (): string => (this.#chance(0.3) ? '(' : '') + this.#anyScore();
  #lexBound = (): string =>
    this.#pick(['-', '+', `[${this.#member()}`, `(${this.#member()}`, '[', '(', 'x', '']);

  #limit(): string[] {
    return this.#chance(0.4) ? ['LIMIT', this.#index(), this.#index()] : [];
  }

  #sortedSetRanges(): Generator[] {
    const key = this.#key;
    const scores = () => (this.#chance(0.4) ? ['WITHSCORES'] : []);
    // Where scores differ a range by member means nothing that Redis promises.
    const even = () => this.#pick(EVEN_KEYS);
    const byScore = () => [this.#scoreBound(), this.#scoreBound()];
    const byLex = () => [this.#lexBound(), this.#lexBound()];
    const range = (): string[] =>
      this.#pick([
        () => [this.#index(), this.#index()],
        () => ['0', '-1'],
        () => [...byScore(), 'BYSCORE', ...(this.#chance(0.3) ? ['REV'] : []), ...this.#limit()],
        () => [this.#index(), this.#index(), 'REV'],
      ])();
    return [
      () => ['ZRANGE', key(), ...range(), ...scores()],
      () => ['ZRANGE', key(), ...range(), ...scores()],
      () => ['ZRANGE', key(), '0', '-1', 'WITHSCORES'],
      () => ['ZRANGESTORE', key(), key(), ...range()],
      () => ['ZREVRANGE', key(), this.#index(), this.#index(), ...scores()],
      () => [
        this.#pick(['ZRANGEBYSCORE', 'ZREVRANGEBYSCORE']),
        key(),
        ...byScore(),
        ...scores(),
        ...this.#limit(),
      ],
      () => ['ZADD', even(), ...this.#many(() => ['0', this.#member()], 6)],
      () => ['ZADD', even(), ...this.#many(() => ['0', this.#member()], 6)],
      () => {
        const options = [...(this.#chance(0.3) ? ['REV'] : []), ...this.#limit()];
        return ['ZRANGE', even(), ...byLex(), 'BYLEX', ...options];
      },
      () => [this.#pick(['ZRANGEBYLEX', 'ZREVRANGEBYLEX']), even(), ...byLex(), ...this.#limit()],
      () => ['ZCOUNT', key(), ...byScore()],
      () => ['ZLEXCOUNT', even(), ...byLex()],
      () => ['ZREMRANGEBYRANK', key(), this.#index(), this.#index()],
      () => ['ZREMRANGEBYSCORE', key(), ...byScore()],
      () => ['ZREMRANGEBYLEX', even(), ...byLex()],
    ];
  }
}

/** Distorted into what Redis leaves open, or does to all keys of the node. */
function isOpen([name = '', ...args]: readonly string[]): boolean {
  if (RANDOM.includes(name)) return true;
  // Another score, and what a range by member gives is no longer defined.
  if (name === 'ZADD' && EVEN_KEYS.includes(args[0]!)) return true;
  // A cluster refuses other patterns, and says so before it finds a syntax error behind them.
  const isPattern = (arg: string, i: number) => args[i - 1] === 'GET' && arg !== '#';
  if (name.startsWith('SORT') && args.some(isPattern)) return true;
  if (name.endsWith('SCAN'))
    return args.at(-1) !== '100000' || args[name === 'SCAN' ? 0 : 1] !== '0';
  return name === 'COMMAND' || name === 'OBJECT';
}
