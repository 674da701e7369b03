// Runs the built tests with tap, two files at a time, and ends with one line: "N passed, N failed".
//
//     node scripts/run-tests.js [--sample] [words]     only files whose path contains one of the words
//
// With --sample the long simulations make one run of each profile: what has been run on one version of Node need not be on all.
// Fails when a test failed, when nothing ran, and, with CI=true, when a test was skipped.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const TESTS = join('dist', 'test');
const TAP = join(ROOT, 'node_modules', 'tap', 'dist', 'esm', 'run.mjs');
const FILE_TIMEOUT_S = 240;
/** tap waits for ever for a process that a test left behind; without a word for so long it is ended. */
const SILENCE_S = FILE_TIMEOUT_S + 60;

function testFiles(words) {
  if (!existsSync(join(ROOT, TESTS))) return [];
  return (
    readdirSync(join(ROOT, TESTS), { recursive: true })
      .filter((name) => name.endsWith('.test.js'))
      .map((name) => join(TESTS, name))
      .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
      // A renamed test leaves its old build behind; what has no source is not run.
      .filter((name) => existsSync(join(ROOT, name.replace(/^dist./, '').replace(/\.js$/, '.ts'))))
      .sort()
  );
}

/** The numbers of tap's last line: "# { total: 72, pass: 70, fail: 1, skip: 1 }". */
function countsOf(line) {
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

/** Runs tap, prints a line per file, what it skipped and what went wrong in it; resolves to the counts and tap's exit status. */
async function run(files) {
  const options = ['--disable-coverage', '--jobs=2', `--timeout=${FILE_TIMEOUT_S}`];
  const tap = spawn(process.execPath, [TAP, 'run', ...options, '--reporter=tap', ...files], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let counts = { passed: 0, failed: 0, skipped: 0 };
  let lines = [];
  const reader = createInterface({ input: tap.stdout });
  const giveUp = () => {
    console.log(`tap has said nothing for ${SILENCE_S} seconds: ended`);
    tap.kill('SIGKILL');
    reader.close();
    tap.stdout.destroy();
  };
  let silence = setTimeout(giveUp, SILENCE_S * 1000);
  const ended = new Promise((resolve) => tap.on('exit', resolve));
  for await (const line of reader) {
    clearTimeout(silence);
    silence = setTimeout(giveUp, SILENCE_S * 1000);
    const result = /^(ok|not ok) \d+ - (.*)$/.exec(line);
    if (result !== null) {
      console.log(`${result[1]} ${result[2].replace(/ \{$/, '')}`);
      if (result[1] !== 'ok') console.log(complaints(lines).join('\n'));
      for (const why of skips(lines)) console.log(`  skipped: ${why}`);
      lines = [];
    } else if (/^# \{ total: /.test(line)) {
      counts = countsOf(line);
    } else {
      lines.push(line);
    }
  }
  clearTimeout(silence);
  return { status: await ended, ...counts };
}

async function main() {
  const args = process.argv.slice(2);
  if (args.includes('--sample')) process.env['TEST_SAMPLE'] = '1';
  const files = testFiles(args.filter((arg) => arg !== '--sample'));
  const counts =
    files.length === 0 ? { status: 1, passed: 0, failed: 0, skipped: 0 } : await run(files);
  let { failed } = counts;
  // A file that crashed may have counted nothing as failed.
  if (counts.status !== 0 && failed === 0) failed = 1;
  if (process.env.CI === 'true') failed += counts.skipped;
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
  console.log(`Node ${process.version}, ${files.length} files`);
  console.log(`${counts.passed} passed, ${failed} failed${skipped}`);
  process.exitCode = failed > 0 || counts.passed === 0 ? 1 : 0;
}

await main();
