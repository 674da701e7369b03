import { readEventClasses, showEventClasses } from './event-classes.js';
import {
  OptionError,
  type OutputLimits,
  readBytes,
  readChoice,
  readHostPort,
  readInteger,
  readOutputLimits,
  readString,
  showOutputLimits,
} from './option-values.js';
import { OPTION_NAMES, type OptionName, type OptionValue, optionFacts } from './options.js';

type AnyValue = string | number | readonly string[] | OutputLimits;

function readOption(name: OptionName, text: string, present: AnyValue): AnyValue {
  const facts = optionFacts(name);
  switch (facts.type) {
    case 'integer':
      return readInteger(text, facts.min, facts.max);
    case 'bytes':
      return readBytes(text, facts.min, facts.max);
    case 'choice':
      return readChoice(text, facts.choices);
    case 'addresses':
      return text.split(/\s+/).filter(Boolean).map(readHostPort);
    case 'lines':
      return text.split('\n').filter(Boolean);
    case 'output-limits':
      return readOutputLimits(text, present as OutputLimits);
    case 'event-classes':
      return showEventClasses(readEventClasses(text));
    case 'string':
      return readString(text, facts.lengthMax);
  }
}

/** The options of one node: defaults, then what was set. Values are read by name and typed by the table. */
export class Config {
  readonly #values = new Map<OptionName, AnyValue>();
  readonly #listeners: { names: readonly OptionName[]; changed: () => void }[] = [];

  constructor(texts: Partial<Record<OptionName, string>> = {}) {
    for (const name of OPTION_NAMES) this.#values.set(name, optionFacts(name).default);
    for (const [name, text] of Object.entries(texts) as [OptionName, string][]) {
      this.#values.set(name, this.read(name, text));
    }
  }

  get<Name extends OptionName>(name: Name): OptionValue<Name> {
    return this.#values.get(name) as OptionValue<Name>;
  }

  /** The value as CONFIG GET shows it: numbers without unit, lists with spaces between, lines with line ends. */
  show(name: OptionName): string {
    const value = this.#values.get(name)!;
    if (typeof value !== 'object') return String(value);
    if ('normal' in value) return showOutputLimits(value);
    return value.join(optionFacts(name).type === 'lines' ? '\n' : ' ');
  }

  /** Keeps what has been changed by other ways than CONFIG SET, for CONFIG REWRITE. */
  note(name: OptionName, text: string): void {
    this.#values.set(name, this.read(name, text));
  }

  /** The value that `text` means for this option, changing nothing. Throws OptionError. */
  read(name: OptionName, text: string): AnyValue {
    return readOption(name, text, this.#values.get(name)!);
  }

  /**
   * CONFIG SET: all or nothing. Throws OptionError, its message naming the option as Redis does, for texts that are no
   * value, for options that cannot change at run time, and for one named twice.
   */
  change(changes: readonly (readonly [OptionName, string])[]): void {
    const values = new Map<OptionName, AnyValue>();
    for (const [name, text] of changes) {
      try {
        if (values.has(name)) throw new OptionError('duplicate parameter');
        values.set(name, this.#readChange(name, text));
      } catch (error) {
        if (!(error instanceof OptionError)) throw error;
        throw new OptionError(
          `CONFIG SET failed (possibly related to argument '${name}') - ${error.message}`,
        );
      }
    }
    for (const [name, value] of values) this.#values.set(name, value);
    for (const { names, changed } of this.#listeners) {
      if (names.some((name) => values.has(name))) changed();
    }
  }

  #readChange(name: OptionName, text: string): AnyValue {
    const facts = optionFacts(name);
    // Setting what is so already does no harm: clients do it ("save ''") without asking first.
    if (facts.mutable !== true && text === this.show(name)) return this.#values.get(name)!;
    if (facts.mutable !== true) throw new OptionError("can't set immutable config");
    return this.read(name, text);
  }

  /** Calls `changed` now and after every change of one of these options. */
  watch(names: readonly OptionName[], changed: () => void): void {
    this.#listeners.push({ names, changed });
    changed();
  }
}

/** The bus port of a client port: as in Redis 10000 above, unless set. Throws OptionError past 65535. */
export function busPortOf(config: Config): number {
  const set = config.get('cluster-port');
  const port = config.get('port');
  if (set !== 0 || port === 0) return set;
  if (port + 10_000 <= 65_535) return port + 10_000;
  throw new OptionError(`port ${port} leaves no bus port 10000 above it: set --cluster-port`);
}

/** A secret that is shorter can be tried out. */
const SECRET_LENGTH_MIN = 16;

/**
 * Whoever reaches the bus port of a node without a secret is taken for a member. Throws OptionError where that port
 * would be open to others than this machine, unless told so, and for a secret that is none.
 */
export function checkBusSecrecy(config: Config): void {
  const secret = config.get('cluster-secret');
  if (secret !== '' && secret.length < SECRET_LENGTH_MIN) {
    throw new OptionError(`cluster-secret: give ${SECRET_LENGTH_MIN} characters or more`);
  }
  const bind = config.get('bind');
  const isLoopback = bind === 'localhost' || bind === '::1' || /^127(\.\d+){3}$/.test(bind);
  if (secret !== '' || isLoopback || config.get('cluster-insecure') === 'yes') return;
  throw new OptionError(
    `bind ${bind} opens the cluster bus to others: set cluster-secret, or cluster-insecure yes`,
  );
}
