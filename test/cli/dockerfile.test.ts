import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { freePorts } from '../support/test-cluster.js';
import { clientOf, spawnProgram } from './processes.js';

/** The steps of deploy/Dockerfile, taken outside a container; what npm would fetch is linked from here. */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Where it has everything. */
const WORKDIR = '/tandis';

interface Step {
  readonly instruction: string;
  readonly text: string;
}

/** By stage. */
function stages(): [build: Step[], image: Step[]] {
  const text = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8').replaceAll('\\\n', ' ');
  const found: Step[][] = [];
  for (const line of text.split('\n')) {
    const [, instruction, rest] = /^([A-Z]+) +(.*)$/.exec(line) ?? [];
    if (instruction === undefined) continue;
    if (instruction === 'FROM') found.push([]);
    else found.at(-1)!.push({ instruction, text: rest! });
  }
  if (found.length !== 2) throw new Error(`${found.length} stages`);
  return found as [Step[], Step[]];
}

/** What follows an instruction that is there once. */
const only = (steps: readonly Step[], wanted: string): string =>
  steps.find(({ instruction }) => instruction === wanted)!.text;

/** A directory is copied as its content, as Docker does it; `node_modules` is not. */
function copy(step: Step, from: string, to: string): void {
  const words = step.text.split(/\s+/).filter((word) => !word.startsWith('--'));
  const target = words.pop()!;
  for (const word of words) {
    if (word.endsWith('node_modules')) continue;
    const source = resolve(from, word.replace(`${WORKDIR}/`, ''));
    const isFile = /\.[a-z]+$/.test(word);
    cpSync(source, join(to, target, isFile ? basename(source) : ''), { recursive: true });
  }
}

/** The first stage: everything is built out of nothing but what it copies. */
function build(t: Test, directory: string): void {
  const [steps] = stages();
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  for (const step of steps) {
    if (step.instruction === 'COPY') copy(step, ROOT, directory);
    if (step.instruction !== 'RUN' || step.text === 'npm ci') continue;
    const [command, ...others] = step.text.split(' && ');
    t.same(others, ['npm prune --omit=dev']);
    const [program, ...args] = command!.split(' ');
    const run = spawnSync(program!, args, { cwd: directory, encoding: 'utf8' });
    t.equal(run.status, 0, `${command}\n${run.status === 0 ? '' : run.stdout + run.stderr}`);
  }
}

/** The second one: of what npm brings it has what a node runs. */
function assemble(from: string, directory: string): void {
  const [, steps] = stages();
  for (const step of steps) if (step.instruction === 'COPY') copy(step, from, directory);
  const { dependencies } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of Object.keys(dependencies)) {
    const link = join(directory, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), link);
  }
}

t.test('the image is built of what the Dockerfile copies, and is healthy', async (t) => {
  const top = mkdtempSync(join(tmpdir(), 'tandis-image-'));
  t.teardown(() => rmSync(top, { recursive: true }));
  const [source, image] = [join(top, 'build'), join(top, 'image')];
  mkdirSync(source);
  build(t, source);
  assemble(source, image);

  const [, steps] = stages();
  const here = (command: string): string[] =>
    (JSON.parse(command) as string[]).map((word) => word.replace(`${WORKDIR}/`, `${image}/`));
  const [node, program, ...args] = here(only(steps, 'ENTRYPOINT'));
  t.same([node, args], ['node', ['server']]);
  t.ok(existsSync(program!));
  t.equal(only(steps, 'USER'), 'node', 'without root');
  t.equal(only(steps, 'STOPSIGNAL'), 'SIGTERM');
  const [port, adminPort] = (await freePorts(2)) as [number, number];
  const own = ['--bind', '127.0.0.1', '--port', `${port}`, '--admin-port', `${adminPort}`];
  const run = spawnProgram(t, program!, [...args, ...own]);
  const health = only(steps, 'HEALTHCHECK').replace(/^.*? CMD /, '');
  t.match(health, /127\.0\.0\.1:9121\//);
  const check = (): number | null => {
    const [, ...words] = here(health).map((word) => word.replace(':9121', `:${adminPort}`));
    return spawnSync(process.execPath, words).status;
  };
  await run.printed(/view-installed/);
  t.equal(await clientOf(t, port).ping(), 'PONG');
  t.equal(check(), 0, 'healthy');
  run.child.kill('SIGTERM');
  t.equal(await run.ended, 0);
  t.equal(check(), 1, 'no more');
});
