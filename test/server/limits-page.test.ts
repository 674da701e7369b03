import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { readBytes, readOutputLimits, showOutputLimits } from '../../lib/base/option-values.js';
import { isOptionName, OPTIONS, type OptionName, optionFacts } from '../../lib/base/options.js';
import { ClusterStatistics } from '../../lib/cluster/statistics.js';
import { Statistics } from '../../lib/commands/statistics.js';
import { freePorts, serves, startNode } from '../cli/processes.js';

/** docs/limits.md: every option, default, error, figure and test that it names is there. */

const ROOT = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const PAGE = read('docs/limits.md');
const COLUMNS = 7;

/** Of lib/base/limits.ts, what nobody outside meets: sizes of buffers, pauses, and bounds for members that have proved who they are. */
const INTERNAL = new Set(
  (
    'READ_BUFFER_BYTES INPUT_BYTES_PER_TURN COMMANDS_AHEAD REPLY_BYTES_PER_TURN STRING_WRITE_BYTES REPLY_BUFFER_KEEP_BYTES ' +
    'CLIENT_SWEEP_MS LINGER_MS PROTOCOL_LINGER_MS REFUSED_MS CONTROL_FRAME_BYTES CONTROL_BACKLOG_BYTES TLS_HANDSHAKES_PER_TURN ' +
    'TLS_HELLO_BYTES TLS_FILE_BYTES BUS_REFUSAL_LOG_MS BUS_REFUSALS_KEPT'
  ).split(' '),
);

interface Row {
  readonly what: string;
  readonly setBy: string;
  readonly byDefault: string;
  readonly atBound: string;
  readonly info: readonly string[];
  readonly metrics: readonly string[];
  readonly test: string;
}

const codesOf = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, one]) => one!);

const ROWS: readonly Row[] = PAGE.split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (---|what is bounded) /.test(line))
  .map((line) => {
    const cells = line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim());
    if (cells.length !== COLUMNS) throw new Error(`${cells.length} cells: ${line}`);
    const [what, setBy, byDefault, atBound, info, metrics, test] = cells as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    return {
      what,
      setBy: codesOf(setBy)[0] ?? '',
      byDefault,
      atBound,
      info: codesOf(info),
      metrics: codesOf(metrics),
      test: codesOf(test)[0] ?? '',
    };
  });

const SOURCES = readdirSync(new URL('lib/', ROOT), { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.ts') && !name.startsWith('console/page'))
  .map((name) => read(`lib/${name}`));

/** What a constant that is exported, or else one that is not, or a field of the request limits, is set to in one place. */
function constant(name: string): number {
  const found = [`export const ${name} =`, `const ${name} =`, `  ${name}:`]
    .map((start) => new RegExp(`^${start} ([\\d_ *]+)[;,]`, 'gm'))
    .map((declared) => SOURCES.flatMap((source) => [...source.matchAll(declared)]))
    .find((values) => values.length > 0);
  if (found?.length !== 1) throw new Error(`${name} is declared ${found?.length ?? 0} times`);
  const factors = found[0]![1]!.replaceAll('_', '').split('*');
  return factors.reduce((product, factor) => product * Number(factor), 1);
}

/** "10,000", "64mb", "300 s", "0, any": the number. */
function numberOf(text: string): number {
  const [, digits, unit] = /^([\d,]*\d)(kb|mb|gb|)(?: m?s)?(?:, [a-z]+)?$/.exec(text) ?? [];
  if (digits === undefined) throw new Error(`no number: ${text}`);
  return readBytes(digits.replaceAll(',', '') + unit, 0, Number.MAX_SAFE_INTEGER);
}

/** The default of an option as this page writes it, as what the table has. */
function defaultOf(name: OptionName, text: string): unknown {
  if (optionFacts(name).type !== 'output-limits') return numberOf(text);
  const limits = OPTIONS['client-output-buffer-limit'].default;
  const nothing = { hardBytes: 0, softBytes: 0, softSeconds: 0 };
  const none = { normal: nothing, replica: nothing, pubsub: nothing };
  const given = showOutputLimits(readOutputLimits(codesOf(text)[0]!, none));
  return given === showOutputLimits(limits) ? limits : given;
}

t.test('options and constants, and their defaults', async (t) => {
  t.ok(ROWS.length > 50, `${ROWS.length} limits`);
  for (const { what, setBy, byDefault } of ROWS) {
    if (isOptionName(setBy)) {
      t.same(defaultOf(setBy, byDefault), optionFacts(setBy).default, `${what}: ${setBy}`);
      const facts = optionFacts(setBy);
      const unit = / (m?s)\b/.exec(byDefault)?.[1];
      if (facts.type === 'integer' && setBy !== 'snapshot-timeout')
        t.equal(unit, facts.unit === 'keys' ? undefined : facts.unit, `${setBy}: its unit`);
    } else t.equal(numberOf(byDefault), constant(setBy), `${what}: ${setBy}`);
  }
});

t.test('no bound is missing', async (t) => {
  const named = new Set(ROWS.map(({ setBy }) => setBy));
  const constants = [...read('lib/base/limits.ts').matchAll(/^export const (\w+)/gm)].map(
    ([, one]) => one!,
  );
  for (const name of constants) t.ok(named.has(name) !== INTERNAL.has(name), name);
  const counted = [
    ...new Statistics().limits.all.keys(),
    ...new ClusterStatistics().limits.all.keys(),
  ];
  for (const name of counted) {
    if (INTERNAL.has(name)) continue;
    const shown = ROWS.filter(({ metrics }) =>
      metrics.some((one) => one.includes(`limit="${name}"`)),
    );
    t.ok(shown.length > 0, `limit="${name}"`);
    const field = `limit_${name.replaceAll('-', '_')}`;
    for (const { what, info } of shown) t.ok(info.includes(field), `${what}: ${field}`);
  }
});

t.test('errors are those of the program', async (t) => {
  for (const { what, atBound } of ROWS) {
    for (const code of codesOf(atBound)) {
      if (!/^(-|TRYAGAIN|OOM|ERR_)/.test(code)) continue;
      const text = code.replace(/^-ERR (Protocol error: )?/, '').replace(/\.$/, '');
      // Numbers are put in when it is said.
      const parts = text.split(/\d+/);
      t.ok(
        SOURCES.some((source) => parts.every((part) => source.includes(part))),
        `${what}: ${code}`,
      );
    }
  }
});

t.test('figures are shown by a node', async (t) => {
  const adminPort = await freePorts(1);
  const { port } = await startNode(t, '--admin-port', String(adminPort));
  const client = await serves(t, port);
  const fields = new Set(
    (await client.info('everything')).split('\r\n').map((line) => line.split(':')[0]),
  );
  const lines = (await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()).split('\n');
  for (const { what, info, metrics } of ROWS) {
    t.ok(info.length > 0, `${what}: INFO`);
    for (const one of info) {
      if (/^[A-Z ]+$/.test(one)) {
        const [command, ...words] = one.split(' ');
        t.ok(await client.call(command!, ...words).then(() => true), `${what}: ${one}`);
      } else t.ok(fields.has(one), `${what}: INFO says ${one}`);
    }
    t.ok(metrics.length > 0 || info.every((one) => /^[A-Z ]+$/.test(one)), `${what}: /metrics`);
    for (const one of metrics) {
      t.ok(
        lines.some((line) => line.startsWith(`${one} `)),
        `${what}: /metrics says ${one}`,
      );
    }
  }
  const text = PAGE.replaceAll(/^\|.*$/gm, '');
  for (const one of codesOf(text).filter((code) => /^(used_|mem_|maxmemory_)/.test(code)))
    t.ok(fields.has(one), one);
});

/** TOMBSTONES_MAX and tombstonesMax are one. */
const plain = (text: string): string => text.replaceAll(/[_-]/g, '').toLowerCase();

t.test('each test exists, and names what it is about', async (t) => {
  for (const { what, setBy, info, metrics, atBound, test } of ROWS) {
    const source = plain(read(test));
    const limits = metrics.flatMap((one) => /limit="([^"]+)"/.exec(one)?.[1] ?? []);
    const errors = codesOf(atBound)
      .filter((code) => code.startsWith('-ERR '))
      .map((code) => code.replace(/^-ERR (Protocol error: )?/, ''));
    const words = [setBy, ...info.filter((one) => one.startsWith('limit_')), ...limits, ...errors];
    t.ok(
      words.some((word) => source.includes(plain(word))),
      `${what}: ${test} has one of ${words.join(', ')}`,
    );
  }
});
