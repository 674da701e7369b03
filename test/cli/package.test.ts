import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

/** The package as it is published: what somebody else's project finds in it. */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

interface Manifest {
  readonly dependencies: Record<string, string>;
}

const CONSUMER = `
import express from 'express';
import session from 'express-session';
import { createNode, type NodeOptions, OptionError, type Reply, type TandisNode } from 'tandis';
import { createStore } from 'tandis/express';

const options: NodeOptions = { clusterPort: 0, maxmemory: '64mb', tlsCluster: false, zone: 'a' };
// @ts-expect-error no such option
const misspelt: NodeOptions = { clusterport: 0 };
// @ts-expect-error no such choice
const unknown: NodeOptions = { partitionPolicy: 'both' };
// @ts-expect-error a number
const text: NodeOptions = { nodeTimeout: '2000' };

export const node: TandisNode = await createNode(options);
await node.ready();
const value: string | null = await node.get('key');
// @ts-expect-error it may be null
const sure: string = await node.get('key');
const reply: Reply = await node.call('SET', 'key', Buffer.from('value'), 'EX', 10);
const app = express();
app.use(session({ store: createStore(session, { node }), secret: 'a', resave: false, saveUninitialized: false }));
// @ts-expect-error a node is needed
createStore(session, {});
if (value !== null || reply !== 'OK' || (await node.get('key')) !== 'value') throw new Error('not so');
await createNode({ bind: '0.0.0.0' }).then(
  () => process.exit(1),
  (error: unknown) => {
    if (!(error instanceof OptionError)) process.exit(2);
  },
);
await node.close();
console.log('as it should be', [misspelt, unknown, text, sure].length);
`;

/** Runs a program to its end; its output when it has failed goes to the test. */
function finish(t: Test, cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  t.equal(status, 0, `${command} ${args[0]}\n${status === 0 ? '' : stdout + stderr}`);
  return stdout;
}

/** A directory with the packed package installed, and what it and its user need linked from here. */
function install(t: Test): string {
  const project = mkdtempSync(join(tmpdir(), 'tandis-'));
  t.teardown(() => rmSync(project, { recursive: true }));
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, 'tandis'), { recursive: true });
  const pack = ['pack', '--ignore-scripts', '--offline', '--loglevel=error'];
  finish(t, ROOT, 'npm', ...pack, '--pack-destination', project);
  const [tarball] = readdirSync(project).filter((name) => name.endsWith('.tgz'));
  finish(t, project, 'tar', '-xzf', tarball!, '-C', 'node_modules/tandis', '--strip-components=1');
  const { dependencies } = JSON.parse(
    readFileSync(join(modules, 'tandis/package.json'), 'utf8'),
  ) as Manifest;
  const types = ['@types/node', '@types/express', '@types/express-session'];
  for (const name of [...Object.keys(dependencies), 'express', 'express-session', ...types]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  return project;
}

t.test('the packed package, in a strict TypeScript project', async (t) => {
  const project = install(t);
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(project, 'app.ts'), CONSUMER);
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2023',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
  };
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['app.ts'] }),
  );
  finish(t, project, process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.');
  t.equal(finish(t, project, process.execPath, 'app.js'), 'as it should be 4\n');
  const inside = "import('tandis/dist/lib/server/server.js').catch((e) => console.log(e.code))";
  t.equal(
    finish(t, project, process.execPath, '--input-type=module', '--eval', inside),
    'ERR_PACKAGE_PATH_NOT_EXPORTED\n',
  );
  const program = join(project, 'node_modules/tandis/dist/bin/tandis.js');
  t.match(finish(t, project, process.execPath, program, '--version'), /^\d+\.\d+\.\d+\n$/);
  const names = readdirSync(join(project, 'node_modules/tandis'), { recursive: true }).map(String);
  t.notOk(names.some((name) => /(^|\/)(test|benchmarks|node_modules)\//.test(name)));
});
