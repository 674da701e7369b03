import { checkBusSecrecy } from '../base/bus-secrecy.js';
import { busPortOf, Config } from '../base/config.js';
import { OptionError } from '../base/option-values.js';
import { isOptionName, type OPTIONS, type OptionName, optionFacts } from '../base/options.js';

/** "cluster-port" is "clusterPort". */
type CamelCase<Name extends string> = Name extends `${infer First}-${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : Name;

/** What an option of this type is given as: sizes also as "512mb", yes and no as a boolean, one address without an array. */
type ValueOf<Facts> = Facts extends { type: 'integer' }
  ? number
  : Facts extends { type: 'bytes' }
    ? number | string
    : Facts extends { choices: readonly (infer Choice)[] }
      ? Exclude<Choice, 'yes' | 'no'> extends never
        ? Choice | boolean
        : Choice
      : Facts extends { type: 'addresses' | 'lines' }
        ? string | readonly string[]
        : string;

/**
 * Not for a node in a process of somebody else: what is logged is the logger's to decide, who listens is said by `port`,
 * and what makes the application warm makes the node warm.
 */
type Elsewhere = 'loglevel' | 'log-format' | 'port' | 'warm-up';

type GivenName = {
  [Name in OptionName]: (typeof OPTIONS)[Name] extends { fixed: true } ? never : Name;
}[Exclude<OptionName, Elsewhere>];

/** Where a node tells what happens to it: a pino logger is one. */
export interface NodeLogger {
  debug(facts: object, event: string): void;
  info(facts: object, event: string): void;
  warn(facts: object, event: string): void;
  error(facts: object, event: string): void;
}

/** The options of the server by their names in camelCase, with the same defaults (docs/options.md), and those below. */
export type NodeOptions = {
  readonly [Name in GivenName as CamelCase<Name>]?: ValueOf<(typeof OPTIONS)[Name]>;
} & {
  /** TCP port for clients from elsewhere; 0 takes a free one. None unless given. */
  readonly port?: number | false;
  /** Nothing is logged unless given. */
  readonly logger?: NodeLogger;
};

/** The bus port of a node without a port for clients: that of a server with the default port. */
const BUS_PORT = 17_001;

const ELSEWHERE: Readonly<Record<string, string>> = {
  loglevel: 'give a logger, which has its own level',
  logFormat: 'give a logger, which has its own format',
  warmUp: 'a node in an application does not warm up',
};

function optionOf(key: string): OptionName {
  const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  // A name with "-" in it would be one that the command line knows, and the types do not.
  if (key.includes('-') || !isOptionName(name) || optionFacts(name).fixed) {
    throw new OptionError(`unknown option '${key}'`);
  }
  if (ELSEWHERE[key] !== undefined) throw new OptionError(`${key}: ${ELSEWHERE[key]}`);
  return name;
}

function textOf(name: OptionName, value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.join(optionFacts(name).type === 'lines' ? '\n' : ' ');
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw new OptionError('give a text, a number, a boolean or an array of texts');
}

/** What the options mean; `isPortless` when no port for clients was asked for. */
export interface NodeConfig {
  readonly config: Config;
  readonly isPortless: boolean;
}

/** Throws OptionError, which names the option. */
export function readNodeOptions(options: NodeOptions): NodeConfig {
  const { logger: _, port = false, ...given } = options;
  const texts: Partial<Record<OptionName, string>> = { port: '0' };
  const entries = Object.entries(port === false ? given : { port, ...given });
  for (const [key, value] of entries) {
    if (value === undefined) continue;
    const name = optionOf(key);
    try {
      texts[name] = textOf(name, value);
      new Config().read(name, texts[name]);
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      throw new OptionError(`${key}: ${error.message}`);
    }
  }
  // Asked for TLS alone, clients get no other port, as with the server.
  const isPortless = port === false && texts['tls-port'] === undefined;
  if (isPortless) texts['cluster-port'] ??= String(BUS_PORT);
  const config = new Config(texts);
  busPortOf(config);
  checkBusSecrecy(config);
  return { config, isPortless };
}
