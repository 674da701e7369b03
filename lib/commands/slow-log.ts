import type { Config } from '../base/config.js';
import { isOptionName, type OptionName, optionFacts } from '../base/options.js';
import type { Request } from '../protocol/request.js';
import type { ClientSession } from './client-session.js';
import type { CommandSpec } from './spec.js';

/** Arguments of a command that are kept, and bytes of each. */
const ARGUMENTS_MAX = 32;
const ARGUMENT_BYTES_MAX = 128;
/** Below this threshold even commands that take no time are timed: to read the clock twice takes a tenth of GET. */
const TIME_ALL_BELOW_MICROSECONDS = 1000;

export interface SlowEntry {
  readonly id: number;
  /** Unix seconds. */
  readonly at: number;
  readonly microseconds: number;
  readonly args: readonly Buffer[];
  readonly address: string;
  readonly name: string;
}

/** Who has sent a command. */
export type Caller = Pick<ClientSession, 'address' | 'name'>;

/** As Redis shows who has called the commands of a script. */
export const SCRIPT_CALLER: Caller = { address: '?:0', name: '' };

/** The slowest commands of late, latest first; at most `slowlog-max-len`. */
export class SlowLog {
  entries: SlowEntry[] = [];
  /** Commands that take longer are kept, microseconds; negative for none. */
  #threshold = -1;
  #lengthMax = 0;
  #nextId = 0;
  readonly #now: () => number;

  /** `now`: Unix milliseconds. */
  constructor(config: Config, now: () => number) {
    this.#now = now;
    config.watch(['slowlog-log-slower-than', 'slowlog-max-len'], () => {
      this.#threshold = config.get('slowlog-log-slower-than');
      this.#lengthMax = config.get('slowlog-max-len');
      this.entries.length = Math.min(this.entries.length, this.#lengthMax);
    });
  }

  /** Entries since the start. */
  get recorded(): number {
    return this.#nextId;
  }

  /** Whether to time a command: not one that may bring a password, nor one that takes no longer than any other of its kind. */
  times({ noAuth, skipsSlowLog, isQuick }: CommandSpec): boolean {
    if (noAuth || skipsSlowLog || this.#threshold < 0) return false;
    return !isQuick || this.#threshold < TIME_ALL_BELOW_MICROSECONDS;
  }

  /** Whether what took so long is kept. */
  isSlow(milliseconds: number): boolean {
    return this.#threshold >= 0 && Math.round(milliseconds * 1000) >= this.#threshold;
  }

  /** A command of a client took so long. */
  note(request: Request, spec: CommandSpec, milliseconds: number, client: Caller): void {
    if (!this.isSlow(milliseconds) || this.#lengthMax === 0 || !this.times(spec)) return;
    this.entries.unshift({
      id: this.#nextId++,
      at: Math.floor(this.#now() / 1000),
      microseconds: Math.round(milliseconds * 1000),
      args: keptArguments(request),
      address: client.address,
      name: client.name,
    });
    this.entries.length = Math.min(this.entries.length, this.#lengthMax);
  }
}

function keptArguments(request: Request): Buffer[] {
  const { argc } = request;
  const kept: Buffer[] = [];
  for (let i = 0; i < Math.min(argc, ARGUMENTS_MAX); i++) {
    if (argc > ARGUMENTS_MAX && i === ARGUMENTS_MAX - 1) {
      kept.push(Buffer.from(`... (${argc - ARGUMENTS_MAX + 1} more arguments)`));
      break;
    }
    const start = request.start[i]!;
    const bytes = request.length(i);
    const shown = Math.min(bytes, ARGUMENT_BYTES_MAX);
    const text = request.buffer.subarray(start, start + shown);
    const more = bytes > shown ? `... (${bytes - shown} more bytes)` : '';
    kept.push(Buffer.concat([text, Buffer.from(more)]));
  }
  return isSecret(request) ? hidden(kept) : kept;
}

const REDACTED = Buffer.from('(redacted)');

/** What follows the name of an option that holds a password, and all that is said of a user. */
function hidden(args: readonly Buffer[]): Buffer[] {
  const isUser = args[0]!.toString('latin1').toLowerCase() === 'acl';
  return args.map((arg, i) => {
    const option = args[i - 1]?.toString('latin1').toLowerCase() ?? '';
    const isPassword = option === 'requirepass' || (isOptionName(option) && isHidden(option));
    return isPassword || (isUser && i >= 2) ? REDACTED : arg;
  });
}

const isHidden = (name: OptionName): boolean => optionFacts(name).hidden === true;

const isSecret = (request: Request): boolean =>
  (request.argc > 3 && request.is(0, 'CONFIG') && request.is(1, 'SET')) ||
  (request.argc > 2 && request.is(0, 'ACL') && request.is(1, 'SETUSER'));
