// Runs the built test files, a few at a time, and ends with one line: "N passed, N failed".
//
//     node scripts/run-tests.js [--sample] [words]     only files whose path contains one of the words
//
// With --sample, for a second version of Node: of what is simulated those runs that the first one does not make
// (test/support/own-share.ts), and nothing of what one version is enough for (ONCE).
// Fails when a test failed, when nothing ran, and, with CI=true, when a test was skipped.
//
// Each file is a program that says TAP. `tap run` would load its hooks into every process that a test starts: a node of
// the cluster would need 1.0 s of processor time to start instead of 0.4 s, and there are a thousand such starts.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const TESTS = join('dist', 'test');
/** Two more than there are processors: tests of several processes wait half of their time. See also `free-ports.ts`. */
const JOBS = Math.min(5, availableParallelism() + 2);
const FILE_TIMEOUT_S = 480;
/** After this, a file that was told to end is killed; and the output of one that has ended is waited for no longer. */
const GRACE_MS = 10_000;
/** What takes longest begins first, so that no file is left to run alone at the end. */
const LONGEST = [
  'variants-',
  'differential',
  'documented-programs',
  'simulation/',
  'faults/',
  'rolling-restart',
];
/**
 * What one version of Node is enough for: clients, servers and browsers that are not Node's, whose bytes are the same for
 * each version of it; what measures Tandis; what builds its image; and what compares texts.
 */
const ONCE = [
  'stores/debian',
  'cluster/redis-tools',
  'scenarios/balancers',
  'commands/every-command',
  'console/console-page',
  'console/ssh-tunnel',
  'demo/demo-page',
  'benchmarks/',
  'cli/documented-programs',
  'cli/dockerfile',
  'cli/help',
  'cli/kubernetes-types',
  'server/limits-page',
];

function testFiles(words, isSample) {
  if (!existsSync(join(ROOT, TESTS))) return [];
  return (
    readdirSync(join(ROOT, TESTS), { recursive: true })
      .filter((name) => name.endsWith('.test.js'))
      .map((name) => join(TESTS, name))
      .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
      .filter((name) => !isSample || !ONCE.some((part) => name.includes(part)))
      // A renamed test leaves its old build behind; what has no source is not run.
      .filter((name) => existsSync(join(ROOT, name.replace(/^dist./, '').replace(/\.js$/, '.ts'))))
      .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
  );
}

function rank(file) {
  const at = LONGEST.findIndex((part) => file.includes(part));
  return at === -1 ? LONGEST.length : at;
}

/** The numbers of the last line of counts: "# { total: 72, pass: 70, fail: 1, skip: 1 }"; null without one. */
function countsOf(lines) {
  const line = lines.findLast((line) => line.startsWith('# { total: '));
  if (line === undefined) return null;
  const count = (name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(line)?.[1] ?? 0);
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') };
}

/** Of what one file said, what went wrong: lines "not ok" with the diagnostics below them, and what is no TAP. */
function complaints(lines) {
  let isDiagnostic = false;
  return lines.filter((line) => {
    const isFailure = /^\s*not ok\b/.test(line);
    if (isFailure || isDiagnostic) {
      isDiagnostic = isFailure || !/^\s*\.\.\.$/.test(line);
      return isFailure || !/^\s*(---|\.\.\.)$/.test(line);
    }
    return !/^\s*(ok\b|# |\d+\.\.\d+|TAP version|---|\.\.\.|[a-z]+:|- |$)/i.test(line);
  });
}

/** What one file has skipped, with the reason: "ok 1 - the test # SKIP the reason". */
function skips(lines) {
  return lines.flatMap((line) => {
    const skip = /^\s*ok \d+ - (.*) # SKIP (.*)$/.exec(line);
    return skip === null ? [] : [`${skip[1]}: ${skip[2]}`];
  });
}

/** Runs one file to its end, at most FILE_TIMEOUT_S long, as one of those that run at a time (`slot`); resolves to its lines and its end: an exit status or a reason. */
function linesOf(file, slot) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--enable-source-maps', file], {
      cwd: ROOT,
      env: { ...process.env, TAP_TIMEOUT: String(FILE_TIMEOUT_S), TEST_SLOT: String(slot) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = [];
    const reader = createInterface({ input: child.stdout });
    reader.on('line', (line) => lines.push(line));
    let isOverdue = false;
    const kill = () => child.kill('SIGKILL');
    const timers = [];
    const giveUp = () => {
      isOverdue = true;
      child.kill('SIGTERM');
      timers.push(setTimeout(kill, GRACE_MS));
    };
    timers.push(setTimeout(giveUp, FILE_TIMEOUT_S * 1000));
    // A process that the test left behind may hold the output open for ever.
    child.on('exit', () => timers.push(setTimeout(() => child.stdout.destroy(), GRACE_MS)));
    child.on('close', (status, signal) => {
      for (const timer of timers) clearTimeout(timer);
      resolve({ lines, end: isOverdue ? `no end after ${FILE_TIMEOUT_S} s` : (signal ?? status) });
    });
  });
}

/** Runs one file, and prints a line about it, what it skipped and what went wrong in it; resolves to its counts. */
async function runFile(file, slot) {
  const start = performance.now();
  const { lines, end } = await linesOf(file, slot);
  const counts = countsOf(lines) ?? { passed: 0, failed: 0, skipped: 0 };
  // A file that crashed, or said nothing, may have counted nothing as failed.
  const isCrash = counts.failed === 0 && (end !== 0 || counts.passed + counts.skipped === 0);
  if (isCrash) counts.failed = 1;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${counts.failed === 0 ? 'ok' : 'not ok'} ${file} ${seconds} s`);
  if (counts.failed > 0) console.log(complaints(lines).join('\n'));
  if (isCrash) console.log(`  the file did not end well: ${end}`);
  for (const why of skips(lines)) console.log(`  skipped: ${why}`);
  return counts;
}

async function runAll(files) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  const waiting = [...files];
  const worker = async (slot) => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const counts = await runFile(file, slot);
      for (const name of Object.keys(total)) total[name] += counts[name];
    }
  };
  await Promise.all(Array.from({ length: JOBS }, (_, slot) => worker(slot)));
  return total;
}

async function main() {
  const args = process.argv.slice(2);
  const isSample = args.includes('--sample');
  if (isSample) process.env['TEST_SAMPLE'] = '1';
  const files = testFiles(
    args.filter((arg) => arg !== '--sample'),
    isSample,
  );
  let { passed, failed, skipped } = await runAll(files);
  if (process.env.CI === 'true') failed += skipped;
  console.log(`Node ${process.version}, ${files.length} files`);
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

await main();
