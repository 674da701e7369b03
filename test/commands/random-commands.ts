/** What a generated command may do to keys. */
export interface CommandMix {
  /**
   * INCRBYFLOAT, or OBJECT: not both, since Redis does not keep a float's result as an integer even where it is one, and
   * OBJECT ENCODING shows it.
   */
  readonly floats: boolean;
  /** SWAPDB: a cluster refuses it. */
  readonly swapdb: boolean;
  /** Commands that bring several keys together. */
  readonly gathers: boolean;
}

type Random = () => number;

export const KEYS = ['a', 'b', 'c', '{t}1', '{t}2', 'key:with:colons', '', 'nul\0key', '\xff\r\n'];
const INTEGERS = [
  '0',
  '1',
  '-1',
  '7',
  '10',
  '9999',
  '10000',
  '123456789',
  '9007199254740991',
  '9007199254740993',
  '-9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775806',
];
const NOT_INTEGERS = [
  '',
  ' 1',
  '1 ',
  '+1',
  '01',
  '-0',
  '--1',
  '1.5',
  '1e3',
  'abc',
  '0x10',
  '9223372036854775808',
  '-9223372036854775809',
  '99999999999999999999999',
  '1\0',
];
const FLOATS = [
  '0.1',
  '0.2',
  '-0.3',
  '3.0e3',
  '1e17',
  '1.5',
  '10.50',
  '5.0e-5',
  '-1e-17',
  '0x1p-3',
  '1e400',
  '123456789012345678.25',
  'inf',
  '-inf',
  'nan',
  '1e5000',
  '.5',
  '5.',
  '1e',
];
const TEXTS = [
  '',
  'hello',
  'x'.repeat(44),
  'x'.repeat(45),
  'y'.repeat(3000),
  'bin\0\r\n\xff',
  '{"a":1}',
];
const WORDS = ['foo', 'GETT', 'ho:st', 'se t', 'x'.repeat(200), 'hs\0et', 'a\r\nb', "qu'ote"];
const DATABASES = ['0', '0', '1', '1', '-1', '99', 'x'];
const GATHERING = ['mset', 'msetnx', 'rename', 'renamenx', 'copy', 'move'];
const SLEEPS = ['0', '0.001', 'x'];
/** What is put in the place of an argument to make a command nearly valid. */
const JUNK = [...NOT_INTEGERS, 'nx', 'EX', 'get', 'foo', '*'];

/** Random commands, valid and nearly valid, of the families of this directory's handlers. */
export class RandomCommands {
  readonly #random: Random;
  readonly #mix: CommandMix;
  readonly #usedAmounts = new Set<number>();
  readonly #generators: (() => string[])[];
  readonly #start: number;
  #next: string[] | null = null;

  /** `start` is the Unix time in milliseconds that absolute expiries are counted from. */
  constructor(random: Random, mix: CommandMix, start: number) {
    this.#random = random;
    this.#mix = mix;
    this.#start = start;
    this.#generators = this.#weighted();
  }

  next(): string[] {
    if (this.#next) {
      const next = this.#next;
      this.#next = null;
      return next;
    }
    const command = this.#pick(this.#generators)();
    const changed = this.#chance(0.1) ? this.#distort(command) : command;
    return this.#isHarmless(changed)
      ? changed.map((arg, i) => (i < 2 ? this.#anyCase(arg) : arg))
      : ['PING'];
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!;
  }

  #anyCase(text: string): string {
    // Second words may be keys: only words that are no key are changed.
    if (KEYS.includes(text) || !/^[a-z-]+$/i.test(text)) return text;
    return this.#pick([text.toUpperCase(), text.toLowerCase(), text, text]);
  }

  #distort(command: string[]): string[] {
    const changed = [...command];
    const at = 1 + Math.floor(this.#random() * changed.length);
    const what = this.#random();
    if (what < 0.4) changed.splice(at, 1);
    else if (what < 0.7) changed.splice(at, 0, this.#pick(JUNK));
    else if (at < changed.length) changed[at] = this.#pick(JUNK);
    return changed;
  }

  /** Some commands, once distorted, would stop or stall one of the two, or answer what Redis leaves open. */
  #isHarmless(command: readonly string[]): boolean {
    const [name, second = ''] = command.map((arg) => arg.toLowerCase());
    if (!this.#mix.gathers && GATHERING.includes(name!))
      return command.length < 4 && name === 'mset';
    if (name === 'shutdown') return command.length > 1 && command.some((arg) => JUNK.includes(arg));
    if (name === 'wait') return command.length !== 3 || command[1] === '0' || command[2] !== '0';
    if (name === 'client' && second === 'pause') return !/^\d+$/.test(command[2] ?? '');
    if (name === 'config' && second === 'get')
      return !command.slice(2).some((arg) => /[*?[]/.test(arg));
    // A limit makes the two evict and refuse at different sizes, and Tandis takes none beyond 2^53.
    if (name === 'config' && second === 'set') return !/^\d/.test(command[3] ?? '');
    if (name === 'debug') return command.length !== 3 || SLEEPS.includes(command[2]!);
    if (name === 'command') return second === 'getkeys' || second === 'getkeysandflags';
    // A cursor that neither has given out stands for any place in its own order.
    if (name === 'scan' && /^[+-]?0*[1-9]\d{0,19}(\0.*)?$/.test(second)) return false;
    if (name === 'scan') return command.length !== 2 && command.some((arg) => /^\d{4,}$/.test(arg));
    return true;
  }

  #key = (): string => this.#pick(KEYS);
  #number = (): string => this.#pick(this.#chance(0.85) ? INTEGERS : NOT_INTEGERS);
  #value = (): string => this.#pick(this.#pick([INTEGERS, NOT_INTEGERS, TEXTS, TEXTS]));

  /** Seconds that were not drawn before: two expiries never differ by less than what the two servers' clocks may. */
  #amount(): number {
    for (;;) {
      const amount = 1000 + Math.floor(this.#random() * 1e6) * 10;
      if (this.#usedAmounts.has(amount)) continue;
      this.#usedAmounts.add(amount);
      return amount;
    }
  }

  #seconds(): string {
    if (this.#chance(0.2)) return this.#pick([...NOT_INTEGERS, '0', '-1', '-5']);
    if (this.#chance(0.08))
      return this.#pick(['9223372036854775807', '9223372036854775', '-9223372036854775808']);
    return String(this.#amount());
  }

  #milliseconds(): string {
    const seconds = this.#seconds();
    return /^[1-9]\d{0,9}$/.test(seconds) ? `${seconds}000` : seconds;
  }

  #unixSeconds(): string {
    if (this.#chance(0.2)) return this.#pick([...NOT_INTEGERS, '0', '-1', '1']);
    return String(Math.floor(this.#start / 1000) + this.#amount());
  }

  #unixMilliseconds(): string {
    const seconds = this.#unixSeconds();
    return /^\d{10,11}$/.test(seconds) ? `${seconds}000` : seconds;
  }

  #expiryOption(): string[] {
    return this.#pick([
      () => ['EX', this.#seconds()],
      () => ['px', this.#milliseconds()],
      () => ['EXAT', this.#unixSeconds()],
      () => ['PxAt', this.#unixMilliseconds()],
    ])();
  }

  #set = (): string[] => {
    const key = this.#key();
    const options: string[][] = [];
    while (this.#chance(0.5)) {
      options.push(this.#pick([this.#expiryOption(), ['nx'], ['XX'], ['GET'], ['KEEPTTL']]));
    }
    // Redis removes what has expired already when it is looked at, and later on its own: so it is looked at.
    this.#next = ['EXISTS', key];
    return ['SET', key, this.#value(), ...options.flat()];
  };

  #getex = (): string[] => {
    const options = this.#chance(0.7) ? this.#pick([this.#expiryOption(), ['PERSIST']]) : [];
    return ['GETEX', this.#key(), ...options];
  };

  #many(each: () => string[], most: number): string[] {
    const list: string[] = [];
    for (let i = 1 + Math.floor(this.#random() * most); i > 0; i--) list.push(...each());
    return list;
  }

  #expire(name: string, amount: () => string): string[] {
    const conditions = this.#chance(0.5)
      ? this.#many(() => [this.#pick(['nx', 'XX', 'gt', 'LT'])], 2)
      : [];
    return [name, this.#key(), amount.call(this), ...conditions];
  }

  #offset(): string {
    if (this.#chance(0.15)) return this.#number();
    return String(Math.floor(this.#random() * 60) - 20);
  }

  #rangeOffset(): string {
    if (this.#chance(0.1))
      return this.#pick(['-1', '536870912', '9223372036854775807', ...NOT_INTEGERS]);
    return String(Math.floor(this.#random() * 80));
  }

  #strings(): (() => string[])[] {
    const key = this.#key;
    return [
      this.#set,
      this.#set,
      this.#set,
      this.#getex,
      () => ['GET', key()],
      () => ['GET', key()],
      () => ['SETEX', key(), this.#seconds(), this.#value()],
      () => ['PSETEX', key(), this.#milliseconds(), this.#value()],
      () => ['SETNX', key(), this.#value()],
      () => ['GETSET', key(), this.#value()],
      () => ['GETDEL', key()],
      () => ['MGET', ...this.#many(() => [key()], 4)],
      () => ['MSET', ...this.#many(() => [key(), this.#value()], 3)],
      () => ['MSETNX', ...this.#many(() => [key(), this.#value()], 3)],
      () => ['STRLEN', key()],
      () => ['APPEND', key(), this.#value()],
      () => ['GETRANGE', key(), this.#offset(), this.#offset()],
      () => ['SUBSTR', key(), this.#offset(), this.#offset()],
      () => ['SETRANGE', key(), this.#rangeOffset(), this.#value()],
      () => ['INCR', key()],
      () => ['DECR', key()],
      () => ['INCRBY', key(), this.#number()],
      () => ['DECRBY', key(), this.#number()],
      ...(this.#mix.floats
        ? [
            () => ['INCRBYFLOAT', key(), this.#pick(this.#chance(0.8) ? FLOATS : INTEGERS)],
            () => ['INCRBYFLOAT', key(), this.#pick(FLOATS)],
            () => ['SET', key(), this.#pick(FLOATS)],
          ]
        : [
            () => ['OBJECT', 'ENCODING', key()],
            () => ['OBJECT', 'REFCOUNT', key()],
            () => ['OBJECT', 'IDLETIME', key()],
            () => ['OBJECT', 'FREQ', key()],
            () => ['OBJECT', this.#pick(['HELP', 'foo', 'encodin'])],
          ]),
    ];
  }

  #copyOptions(): string[] {
    const replace = this.#chance(0.5) ? [this.#pick(['REPLACE', 'replace'])] : [];
    const db = this.#chance(0.5) ? ['DB', this.#pick(DATABASES)] : [];
    return this.#chance(0.5) ? [...replace, ...db] : [...db, ...replace];
  }

  #keyspace(): (() => string[])[] {
    const key = this.#key;
    return [
      () => ['DEL', ...this.#many(() => [key()], 3)],
      () => ['UNLINK', ...this.#many(() => [key()], 3)],
      () => ['EXISTS', ...this.#many(() => [key()], 3)],
      () => ['TOUCH', ...this.#many(() => [key()], 3)],
      () => this.#expire('EXPIRE', this.#seconds),
      () => this.#expire('PEXPIRE', this.#milliseconds),
      () => this.#expire('EXPIREAT', this.#unixSeconds),
      () => this.#expire('PEXPIREAT', this.#unixMilliseconds),
      () => [this.#pick(['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME']), key()],
      () => [this.#pick(['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME']), key()],
      () => ['PERSIST', key()],
      () => ['TYPE', key()],
      () => ['RENAME', key(), key()],
      () => ['RENAMENX', key(), key()],
      () => ['COPY', key(), key(), ...this.#copyOptions()],
      () => ['COPY', key(), key(), ...this.#copyOptions()],
      () => ['MOVE', key(), this.#pick(DATABASES)],
      () => ['KEYS', this.#pick(['*', 'a*', '?', '{t}[12]', '[^a]', 'nul*', ''])],
      () => [
        'SCAN',
        this.#pick(['0', '0', '0', '', '+0', 'x', '-', '99999999999999999999']),
        ...this.#pick([[], ['MATCH', '*'], ['MATCH', '?'], ['TYPE', 'string'], ['TYPE', 'hash']]),
        'COUNT',
        this.#pick(['10000', '10000', '10000', '0', '-1', 'x']),
      ],
      () => ['RANDOMKEY'],
      () => ['DBSIZE'],
    ];
  }

  #others(): (() => string[])[] {
    return [
      () => this.#pick([['PING'], ['PING', this.#value()], ['PING', 'a', 'b']]),
      () => ['ECHO', this.#value()],
      () => ['SELECT', this.#pick(['0', '0', '1', '15', '16', '-1', '99999999999', 'x'])],
      ...(this.#mix.swapdb ? [() => ['SWAPDB', this.#pick(DATABASES), this.#pick(DATABASES)]] : []),
      () => (this.#chance(0.15) ? [this.#pick(['FLUSHDB', 'FLUSHALL'])] : ['FLUSHALL', 'foo']),
      () => ['AUTH', ...this.#many(() => [this.#pick(['default', 'foo', ''])], 3)],
      () => ['HELLO', this.#pick(['1', '4', 'x', '']), 'SETNAME', 'n'],
      () => ['HELLO', '3', this.#pick(['AUTH', 'SETNAME', 'foo']), this.#pick(['a b', 'foo'])],
      () => ['CLIENT', 'SETNAME', this.#pick(['n', '', 'a b', 'x\n', 'é'])],
      () => ['CLIENT', 'GETNAME'],
      () => ['CLIENT', 'NO-EVICT', this.#pick(['on', 'off', 'foo'])],
      () => [
        'CLIENT',
        'KILL',
        this.#pick(['ID', 'ADDR', 'LADDR', 'TYPE', 'USER', 'SKIPME']),
        'foo',
      ],
      () => ['CLIENT', 'KILL', '1.2.3.4:5'],
      () => [
        'CLIENT',
        'PAUSE',
        this.#pick(['x', '-1', '']),
        ...this.#pick([[], ['foo'], ['WRITE']]),
      ],
      () => ['CLIENT', 'LIST', this.#pick(['foo', 'ID', 'TYPE']), 'foo'],
      () => ['CLIENT', this.#pick(['GETREDIR', 'TRACKINGINFO', 'UNPAUSE', 'foo'])],
      () => ['CONFIG', 'GET', this.#pick(['maxmemory', 'SAVE', 'databases', 'foo', 'appendonly'])],
      () => ['CONFIG', 'SET', this.#pick(['maxmemory', 'foo', 'databases']), 'x'],
      () => ['CONFIG', this.#pick(['RESETSTAT', 'REWRITE', 'HELP', 'foo'])],
      () => ['COMMAND', this.#pick(['GETKEYS', 'GETKEYSANDFLAGS']), ...this.#set()],
      () => ['COMMAND', 'GETKEYSANDFLAGS', ...this.#pick(this.#keyspace())()],
      () => ['WAIT', this.#pick(['0', '1', 'x']), this.#pick(['1', '-1', 'x', '0'])],
      () => ['DEBUG', 'SLEEP', this.#pick(SLEEPS)],
      () => ['SHUTDOWN', this.#pick(['foo', '1.5'])],
      () => ['ROLE'],
      () => ['MODULE', this.#pick(['LIST', 'foo'])],
      () => this.#many(() => [this.#pick(WORDS)], 6),
      () => [this.#pick(WORDS), 'v'.repeat(100), 'w'.repeat(100)],
    ];
  }

  #weighted(): (() => string[])[] {
    const strings = this.#strings();
    const keyspace = this.#keyspace();
    return [...strings, ...strings, ...strings, ...keyspace, ...keyspace, ...this.#others()];
  }
}
