// Runs the built tests with tap, two files at a time, and ends with one line: "N passed, N failed".
//
//     node scripts/run-tests.js [words]     only files whose path contains one of the words
//
// Fails when a test failed, when nothing ran, and, with CI=true, when a test was skipped.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const TESTS = join('dist', 'test');
const TAP = join(ROOT, 'node_modules', 'tap', 'dist', 'esm', 'run.mjs');
const FILE_TIMEOUT_S = 240;

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
export function countsOf(report) {
  const lines = report.match(/^# \{ total: .*\}$/gm) ?? [];
  const last = lines.at(-1) ?? '';
  const count = (name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(last)?.[1] ?? 0);
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') };
}

function run(files) {
  const directory = mkdtempSync(join(tmpdir(), 'tandis-tests-'));
  const report = join(directory, 'report.tap');
  const options = ['--disable-coverage', '--jobs=2', `--timeout=${FILE_TIMEOUT_S}`];
  const reporter = process.stdout.isTTY ? 'base' : 'terse';
  const { status } = spawnSync(
    process.execPath,
    [TAP, 'run', ...options, `--reporter=${reporter}`, `--output-file=${report}`, ...files],
    { cwd: ROOT, stdio: 'inherit' },
  );
  const text = existsSync(report) ? readFileSync(report, 'utf8') : '';
  rmSync(directory, { recursive: true });
  return { status, ...countsOf(text) };
}

function main() {
  const files = testFiles(process.argv.slice(2));
  const counts = files.length === 0 ? { status: 1, passed: 0, failed: 0, skipped: 0 } : run(files);
  let { failed } = counts;
  // A file that crashed may have counted nothing as failed.
  if (counts.status !== 0 && failed === 0) failed = 1;
  if (process.env.CI === 'true') failed += counts.skipped;
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
  console.log(`Node ${process.version}, ${files.length} files`);
  console.log(`${counts.passed} passed, ${failed} failed${skipped}`);
  process.exitCode = failed > 0 || counts.passed === 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
