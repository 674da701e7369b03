/**
 * Values of options: how each type is read from text (command line and CONFIG SET) and shown (CONFIG GET). Readers
 * throw an OptionError whose message is Redis's text for the same mistake.
 */

export class OptionError extends Error {
  override readonly name = 'OptionError';
}

/** When a client with waiting output is closed: at `hardBytes`, or at `softBytes` for `softSeconds`; 0 is never. */
export interface OutputLimit {
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly softSeconds: number;
}

/** Redis's classes of clients; `replica` exists for clients that ask, no connection is ever in it. */
export interface OutputLimits {
  readonly normal: OutputLimit;
  readonly replica: OutputLimit;
  readonly pubsub: OutputLimit;
}

const BYTE_UNITS: Record<string, number> = {
  '': 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1000 ** 2,
  mb: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1024 ** 3,
};

/** "64mb", "1g", "100": bytes, with Redis's units (k is 1000, kb is 1024). NaN when it is none. */
function bytesOf(text: string): number {
  const match = /^(\d{1,15})([a-z]{0,2})$/i.exec(text);
  const unit = match === null ? undefined : BYTE_UNITS[match[2]!.toLowerCase()];
  return match === null || unit === undefined ? Number.NaN : Number(match[1]) * unit;
}

function inRange(value: number, min: number, max: number): number {
  if (value < min || value > max)
    throw new OptionError(`argument must be between ${min} and ${max} inclusive`);
  return value;
}

export function readInteger(text: string, min: number, max: number): number {
  if (!/^-?\d{1,15}$/.test(text)) {
    throw new OptionError("argument couldn't be parsed into an integer");
  }
  return inRange(Number(text), min, max);
}

export function readBytes(text: string, min: number, max: number): number {
  const bytes = bytesOf(text);
  if (Number.isNaN(bytes)) throw new OptionError('argument must be a memory value');
  return inRange(bytes, min, max);
}

export function readString(text: string, lengthMax = Number.POSITIVE_INFINITY): string {
  if (text.length <= lengthMax) return text;
  throw new OptionError(`argument must not be longer than ${lengthMax} characters`);
}

export function readChoice<Choice extends string>(
  text: string,
  choices: readonly Choice[],
): Choice {
  const choice = choices.find((one) => one === text.toLowerCase());
  if (choice !== undefined) return choice;
  throw new OptionError(`argument(s) must be one of the following: ${choices.join(', ')}`);
}

/** "normal 0 0 0 pubsub 32mb 8mb 60": any of the classes; those left out keep what `present` says. */
export function readOutputLimits(text: string, present: OutputLimits): OutputLimits {
  const words = text.trim().split(/\s+/);
  if (words.length % 4 !== 0)
    throw new OptionError('Wrong number of arguments in buffer limit configuration.');
  const limits = { ...present };
  for (let i = 0; i < words.length; i += 4) {
    const name = words[i]!.toLowerCase().replace('slave', 'replica');
    if (name !== 'normal' && name !== 'replica' && name !== 'pubsub')
      throw new OptionError('Invalid client class specified in buffer limit configuration.');
    const limit = {
      hardBytes: bytesOf(words[i + 1]!),
      softBytes: bytesOf(words[i + 2]!),
      softSeconds: /^\d{1,9}$/.test(words[i + 3]!) ? Number(words[i + 3]) : Number.NaN,
    };
    if (Object.values(limit).some(Number.isNaN)) {
      throw new OptionError(
        'Error in hard, soft or soft_seconds setting in buffer limit configuration.',
      );
    }
    limits[name] = limit;
  }
  return limits;
}

export function showOutputLimits(limits: OutputLimits): string {
  const show = (name: string, limit: OutputLimit): string =>
    `${name} ${limit.hardBytes} ${limit.softBytes} ${limit.softSeconds}`;
  return [
    show('normal', limits.normal),
    // CONFIG GET of Redis 7 still says slave here, and clients parse it.
    show('slave', limits.replica),
    show('pubsub', limits.pubsub),
  ].join(' ');
}

/** "host:port", "[v6]:port": a bus address to join. */
export function readHostPort(text: string): string {
  const match = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):(\d{1,5})$/.exec(text);
  const port = match === null ? 0 : Number(match[1]);
  if (port < 1 || port > 65535) throw new OptionError('argument must be host:port (a bus port)');
  return text;
}
