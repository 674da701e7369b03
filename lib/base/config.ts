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

/** What options are set to. */
export interface Settings {
  get<Name extends OptionName>(name: Name): OptionValue<Name>;
}

/** The options of one node: defaults, then what was set. Values are read by name and typed by the table. */
export class Config implements Settings {
  readonly #values = new Map<OptionName, AnyValue>();
  readonly #listeners: { names: readonly OptionName[]; changed: () => void }[] = [];
  readonly #guards: { names: readonly OptionName[]; check: (next: Settings) => void }[] = [];

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
      namingOption(name, () => {
        if (values.has(name)) throw new OptionError('duplicate parameter');
        values.set(name, this.#readChange(name, text));
      });
    }
    const next: Settings = {
      get: <Name extends OptionName>(name: Name) =>
        (values.get(name) as OptionValue<Name> | undefined) ?? this.get(name),
    };
    for (const { names, check } of this.#guards) {
      const changed = names.find((name) => values.has(name));
      if (changed !== undefined) namingOption(changed, () => check(next));
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

  /**
   * Calls `check` before every change of one of these options, with all of them as they would be then; an OptionError
   * of its refuses the change.
   */
  guard(names: readonly OptionName[], check: (next: Settings) => void): void {
    this.#guards.push({ names, check });
  }

  /** Calls `changed` now and after every change of one of these options. */
  watch(names: readonly OptionName[], changed: () => void): void {
    this.#listeners.push({ names, changed });
    changed();
  }
}

/** Throws what goes wrong in `attempt` as Redis says it of CONFIG SET. */
function namingOption(name: OptionName, attempt: () => void): void {
  try {
    attempt();
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new OptionError(
      `CONFIG SET failed (possibly related to argument '${name}') - ${error.message}`,
    );
  }
}

/** Whether clients get a port without TLS. */
export function hasPlainPort(config: Settings): boolean {
  return config.get('port') !== 0 || config.get('tls-port') === 0;
}

/**
 * The bus port of a client port: as in Redis 10000 above (above the TLS port with tls-cluster), unless set; 0 takes a
 * free one. Throws OptionError past 65535.
 */
export function busPortOf(config: Settings): number {
  const set = config.get('cluster-port');
  const [port, tlsPort] = [config.get('port'), config.get('tls-port')];
  const base = config.get('tls-cluster') === 'yes' ? tlsPort || port : port || tlsPort;
  if (set !== 0 || base === 0) return set;
  if (base + 10_000 <= 65_535) return base + 10_000;
  throw new OptionError(`port ${base} leaves no bus port 10000 above it: set --cluster-port`);
}
