import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Command, CommanderError } from 'commander';
import t from 'tap';
import { buildProgram } from '../../lib/server/cli/program.js';
import { skipWithout } from '../stores/debian-packages.js';
import { invocationOf, RUN_BY, textOf } from './documentation-runs.js';
import { type Documented, documentationPages, documentedCommands } from './documented-commands.js';
import { clientOf, freePorts, tandis } from './processes.js';

/** Every command of the documentation is one that there is, and a test runs it. */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const COMMANDS = documentationPages(ROOT).flatMap((page) => documentedCommands(ROOT, page));
const CI = '.ci/run';
const SCRIPTS: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
).scripts;
const runFile = promisify(execFile);

const placeOf = ({ page, line }: Documented): string => `${page}:${line}`;

t.test('each is run by a test', async (t) => {
  const used = new Set<RegExp>();
  for (const command of COMMANDS) {
    const row = RUN_BY.find(([pattern]) => pattern.test(textOf(command)));
    if (row === undefined) t.fail(`${placeOf(command)}: nothing runs ${textOf(command)}`);
    else used.add(row[0]);
  }
  for (const [pattern, by] of RUN_BY) {
    t.ok(used.has(pattern), `a command is ${pattern}`);
    if ('short' in by) continue;
    const [file, text] = by;
    t.ok(readFileSync(join(ROOT, file), 'utf8').includes(text), `${file} has ${text}`);
  }
});

/** What stands for something, as something that it may stand for. */
const STAND_INS: Readonly<Record<string, string>> = { COMMAND: 'status', PORT: '7001' };

/** The program itself, which parses a command line and does not run it. */
function parser(): Command {
  const program = buildProgram('').configureOutput({ writeOut() {}, writeErr() {} });
  for (const command of program.commands) {
    command.configureOutput({ writeOut() {}, writeErr() {} }).action(() => undefined);
  }
  return program;
}

const PARSER = parser();

/** Why the program would refuse this command line; null when it would not. */
function refusal(args: readonly string[]): string | null {
  // "`tandis import` copies keys" names a command without saying all that it takes.
  if (args.length === 1) return PARSER.commands.some((one) => one.name() === args[0]) ? null : '?';
  try {
    PARSER.parse(args, { from: 'user' });
    return null;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? null : error.message;
    throw error;
  }
}

t.test('the demo is the same as a script of the package', async (t) => {
  t.equal(SCRIPTS['demo'], 'node dist/bin/tandis.js demo');
  t.equal(SCRIPTS['predemo'], 'npm run build');
});

t.test('tandis has the options that are named', async (t) => {
  for (const command of COMMANDS.filter(({ words }) => words[0] === 'tandis')) {
    const args = command.words.slice(1).map((word) => STAND_INS[word] ?? word);
    t.equal(refusal(args), null, `${placeOf(command)}: ${textOf(command)}`);
  }
});

t.test('scripts, programs and packages are there, with the options that are named', async (t) => {
  const packages = readFileSync(join(ROOT, CI), 'utf8').split(/[\s()]+/);
  for (const command of COMMANDS) {
    const place = placeOf(command);
    const [program, verb, ...rest] = command.words;
    if (program === 'npm' && verb === 'run') t.ok(SCRIPTS[rest[0]!], `${place}: ${rest[0]}`);
    if (program === 'apt-get') {
      for (const one of rest) t.ok(packages.includes(one), `${place}: ${one} is in ${CI}`);
    }
    const invocation = invocationOf(command);
    if (invocation === null) continue;
    // Each says in itself what it takes, be it for a parser or as its usage.
    const source = readFileSync(join(ROOT, invocation.path), 'utf8');
    for (const option of invocation.args.filter((word) => word.startsWith('--'))) {
      t.match(source, new RegExp(`${option}\\b`), `${place}: ${option}`);
    }
  }
});

t.test('cases of the benchmarks that are named, and what the fuzzer is asked for', async (t) => {
  const named = COMMANDS.flatMap(({ words }) => {
    const at = words.findIndex((word) => word === '--only' || word === '--case');
    const end = words.findIndex((word, i) => i > at && word.startsWith('--'));
    return at < 0 ? [] : words.slice(at + 1, end < 0 ? words.length : end);
  });
  const main = join(ROOT, 'dist/benchmarks/main.js');
  const { stdout } = await runFile(process.execPath, [main, '--list', '--only', ...new Set(named)]);
  t.match(stdout, /^set-16 /m);
  const fuzz = COMMANDS.find(({ words }) => words[2] === 'fuzz' && words.includes('--inputs'))!;
  const { path, args } = invocationOf(fuzz)!;
  const fuzzed = await runFile(process.execPath, [join(ROOT, path), ...args]);
  t.match(fuzzed.stdout, /^requests +1 inputs, /m);
});

/** The commands of the README that are run with this program, in their order. */
function ofReadme(program: string): string[][] {
  const own = COMMANDS.filter(({ page, words }) => page === 'README.md' && words.length > 3);
  return own.map(({ words }) => [...words]).filter((words) => words.join(' ').startsWith(program));
}

const skip = skipWithout('redis-tools', ['redis-cli', '--version']);

t.test('the lines of the README to try it', { skip }, async (t) => {
  const port = await freePorts(3);
  const start = SCRIPTS['start']!.split(' ').slice(2);
  const run = tandis(t, ...start.map((word) => (word === '7001' ? String(port) : word)));
  const [, pid] = await run.printed(/kill -9 (\d+)/);
  const outputs: string[] = [];
  for (const [program, ...args] of ofReadme('redis-cli')) {
    // They kill the first node between the second line and the third.
    if (outputs.length === 2) process.kill(Number(pid), 'SIGKILL');
    const own = args.map((word) =>
      word.replace(/^700(\d)$/, (_, n) => String(port + Number(n) - 1)),
    );
    outputs.push((await runFile(program!, own)).stdout);
  }
  t.same(outputs, ['OK\n', 'hello\n', 'hello\n']);
  run.child.kill('SIGINT');
  t.equal(await run.ended, 0);
});

/** Of the commands that look at a cluster, what they show of that of the README. */
const LOOKS: readonly (readonly [string, RegExp])[] = [
  ['tandis status -h 10.0.0.1 -p 7001', /^127\.0\.0\.3:\d+ /m],
  ['tandis locate sess:1', /^primary +127\.0\.0\.1:\d+$/m],
  ['tandis top --once', /^tandis .*: view \d+, 3 of 3 members answer, 1 keys, /],
  ['tandis events --count 100', /a view of 3 members$/m],
];

t.test('three machines, as the README starts them', async (t) => {
  // Three addresses of this machine, which share their environment.
  const port = await freePorts(1);
  const secrets = COMMANDS.filter(
    ({ page, words }) => page === 'README.md' && words[0] === 'export',
  );
  for (const { words } of secrets) process.env[words[1]!.split('=')[0]!] = 'a password of ours';
  process.env['REDISCLI_AUTH'] = 'a password of ours';
  t.ok(process.env['TANDIS_CONFIG_CLUSTER_SECRET'], 'it names the secret');
  const here = (words: readonly string[]): string[] =>
    words.map((word) => {
      const place = word.replace(/^10\.0\.0\./, '127.0.0.').replace(/:17001$/, `:${port + 10_000}`);
      return place === '7001' ? String(port) : place;
    });
  const nodes = ofReadme('tandis server').map((words) => tandis(t, ...here(words.slice(1))));
  t.equal(nodes.length, 3);
  await Promise.all(nodes.map((node) => node.printed(/"members":\["\w+","\w+","\w+"\]/)));
  await clientOf(t, port, 'a password of ours').set('sess:1', 'hello');

  for (const [line, shown] of LOOKS) {
    t.ok(
      COMMANDS.some(({ words }) => words.join(' ') === line),
      `there is ${line}`,
    );
    const words = line.split(' ').slice(1);
    const place = words.includes('-p') ? [] : ['-p', String(port)];
    const run = tandis(t, ...here(words), ...place);
    t.equal(await run.ended, 0, `${line}: ${run.err}`);
    t.match(run.out, shown, line);
  }
  for (const { child } of nodes) child.kill('SIGTERM');
  for (const { ended } of nodes) t.equal(await ended, 0);
});
