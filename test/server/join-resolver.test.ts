import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { silentLogger } from '../../lib/base/logger.js';
import { ClusterConfigFile } from '../../lib/server/cluster-config-file.js';
import { JoinResolver } from '../../lib/server/join-resolver.js';

t.test('all records of all names are targets, each once', async (t) => {
  const names: Record<string, string[]> = { nodes: ['10.0.0.1', '10.0.0.2'], one: ['10.0.0.2'] };
  const join = new JoinResolver(['nodes:17001', 'one:17001', '[::1]:17002'], silentLogger, (host) =>
    Promise.resolve((names[host] ?? [host]).map((address) => ({ address }))),
  );
  t.equal(join.current.unresolved, 3);
  t.same(join.current.addresses, []);
  await join.refresh();
  t.equal(join.current.unresolved, 0);
  t.same(join.current.addresses, [
    { host: '10.0.0.1', port: 0, busPort: 17001 },
    { host: '10.0.0.2', port: 0, busPort: 17001 },
    { host: '::1', port: 0, busPort: 17002 },
  ]);
});

t.test('a name that stops resolving keeps its last records', async (t) => {
  let up = false;
  const join = new JoinResolver(['nodes:1'], silentLogger, () =>
    up ? Promise.resolve([{ address: '10.0.0.1' }]) : Promise.reject(new Error('ENOTFOUND')),
  );
  await join.refresh();
  t.equal(join.current.unresolved, 1);
  up = true;
  await join.refresh();
  up = false;
  await join.refresh();
  t.same(join.current.addresses, [{ host: '10.0.0.1', port: 0, busPort: 1 }]);
  t.equal(join.current.unresolved, 0);
});

t.test('members seen are found in the file at the next start', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tandis-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'nodes.conf');
  const file = new ClusterConfigFile(path, silentLogger);
  t.same(file.read(), [], 'no file is no members');
  file.write([{ host: '10.0.0.1', port: 1, busPort: 17001 }]);
  file.write([
    { host: '10.0.0.1', port: 1, busPort: 17001 },
    { host: '::1', port: 2, busPort: 17002 },
  ]);
  while (!readFileSync(path, { flag: 'a+' }).includes('17002')) await new Promise(setImmediate);
  t.same(new ClusterConfigFile(path, silentLogger).read(), ['10.0.0.1:17001', '[::1]:17002']);
});

t.test('a file that cannot be written is told, and nothing else', async (t) => {
  const warnings: string[] = [];
  const path = join(tmpdir(), 'tandis-none', 'nodes.conf');
  const logger = { ...silentLogger, warn: (event: string) => void warnings.push(event) };
  const file = new ClusterConfigFile(path, logger);
  file.write([{ host: '10.0.0.1', port: 1, busPort: 17001 }]);
  while (warnings.length === 0) await new Promise(setImmediate);
  t.same(warnings, ['cluster-config-file cannot be written']);
});

t.test('comments and empty lines of the file are skipped', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tandis-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'nodes.conf');
  writeFileSync(path, '# comment\n\n  10.0.0.1:17001  \n');
  t.same(new ClusterConfigFile(path, silentLogger).read(), ['10.0.0.1:17001']);
});
