import { OptionError } from '../../base/option-values.js';
import { ask } from './asking.js';
import { BenchLoad, type LoadOptions } from './bench-load.js';
import { parseClusterNodes } from './show-status.js';
import { textTable } from './text-table.js';

/** Milliseconds between two lines that tell how far it is. */
const PROGRESS_MS = 1000;
/** The most that options may ask for: a quick load, which is to harm nobody by a slip of the finger. */
const MAX = { connections: 2000, depth: 256, seconds: 3600, keys: 1_000_000, size: 1024 * 1024 };

export interface BenchOptions extends LoadOptions {
  readonly host: string;
  readonly port: number;
  readonly seconds: number;
  readonly oneNode: boolean;
  readonly json: boolean;
}

interface Result {
  readonly members: number;
  readonly seconds: number;
  readonly commands: number;
  readonly commandsPerSecond: number;
  readonly errors: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** `tandis bench`: exit status 1 when no member answers, a command got an error, or keys of its own are left behind. */
export async function runBench(options: BenchOptions): Promise<number> {
  for (const name of ['connections', 'depth', 'seconds', 'keys', 'size'] as const) {
    if (options[name] < 1 || options[name] > MAX[name]) {
      throw new OptionError(`--${name} must be between 1 and ${MAX[name]}`);
    }
  }
  const { host, port } = options;
  try {
    const text = await ask(host, port, options, (client) => client.cluster('NODES'));
    const all = parseClusterNodes(String(text)).filter((member) => {
      return member.port !== 0 && !/fail|leaving/.test(member.flags);
    });
    const members = options.oneNode ? [{ id: '', host, port, flags: '' }] : all;
    return await loaded(new BenchLoad(members, options), members.length, options);
  } catch (error) {
    if (error instanceof OptionError) throw error;
    process.stderr.write(`tandis: ${host}:${port}: ${(error as Error).message}\n`);
    return 1;
  }
}

async function loaded(load: BenchLoad, members: number, options: BenchOptions): Promise<number> {
  const end = (): void => load.end();
  // Ctrl-C ends the load, not before its keys are removed.
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  let result: Result | null = null;
  let left = 0;
  try {
    say(`creating ${options.keys} sessions under ${load.prefix} ...`);
    await load.prepare();
    result = await measured(load, members, options);
  } finally {
    say('removing the sessions ...');
    left = await load.remove();
    say('');
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  }
  process.stdout.write(options.json ? `${JSON.stringify(result, null, 2)}\n` : inWords(result));
  if (load.firstError !== null) process.stderr.write(`tandis: errors: ${load.firstError}\n`);
  if (left > 0) process.stderr.write(`tandis: ${left} keys are left; they expire by themselves\n`);
  return result.errors > 0 || left > 0 ? 1 : 0;
}

async function measured(load: BenchLoad, members: number, options: BenchOptions): Promise<Result> {
  const since = performance.now();
  const passed = (): number => (performance.now() - since) / 1000;
  const { times } = load;
  let before = 0;
  const progress = setInterval(() => {
    const rate = Math.round(((times.count - before) * 1000) / PROGRESS_MS);
    before = times.count;
    const slow = times.percentile(0.99).toFixed(2);
    say(`${Math.round(passed())} of ${options.seconds} s: ${rate} commands/s, p99 ${slow} ms`);
  }, PROGRESS_MS);
  const over = setTimeout(() => load.end(), options.seconds * 1000);
  try {
    await load.run();
  } finally {
    clearInterval(progress);
    clearTimeout(over);
  }
  const seconds = passed();
  return {
    members,
    seconds,
    commands: times.count,
    commandsPerSecond: times.count / seconds,
    errors: load.errors,
    p50: times.percentile(0.5),
    p99: times.percentile(0.99),
    p999: times.percentile(0.999),
    max: times.maxMs,
  };
}

/** How far it is: on a terminal one line that changes. */
function say(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text !== '') process.stderr.write(`${text}\n`);
}

function inWords(result: Result): string {
  const ms = (value: number): string => `${value.toFixed(2)} ms`;
  const rows: [string, string][] = [
    ['commands', `${result.commands} in ${result.seconds.toFixed(1)} s, ${result.errors} errors`],
    [
      'throughput',
      `${Math.round(result.commandsPerSecond)} commands/s, members: ${result.members}`,
    ],
    ['p50', ms(result.p50)],
    ['p99', ms(result.p99)],
    ['p99.9', ms(result.p999)],
    ['longest', ms(result.max)],
  ];
  return `${textTable(rows, 2).join('\n')}\n`;
}
