import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { parseAllDocuments } from 'yaml';
import { freePorts } from '../support/test-cluster.js';
import { clientOf, tandis } from './processes.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, 'deploy', path), 'utf8');

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: unknown;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly serviceName?: string;
    readonly selector?: unknown;
    readonly template?: {
      readonly metadata: { readonly labels: unknown };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly containers: readonly [
          {
            readonly env: readonly Variable[];
            readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
            readonly livenessProbe: Probe;
            readonly readinessProbe: Probe;
          },
        ];
      };
    };
  };
}

function manifests(): Manifest[] {
  return parseAllDocuments(read('kubernetes/tandis.yaml')).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    return document.toJS() as Manifest;
  });
}

const named = (kind: string, name: string): Manifest =>
  manifests().find((one) => one.kind === kind && one.metadata.name === name)!;

/** A node started with these variables, on free ports in place of those of a container. */
async function startWith(t: Test, variables: readonly Variable[]) {
  const [port, busPort, adminPort, other] = (await freePorts(4)) as [
    number,
    number,
    number,
    number,
  ];
  const environment = new Map(variables.map(({ name, value }) => [name, value ?? '']));
  environment.set('TANDIS_CONFIG_BIND', '127.0.0.1');
  environment.set('TANDIS_CONFIG_CLUSTER_ANNOUNCE_IP', '127.0.0.1');
  environment.set('TANDIS_CONFIG_ADMIN_BIND', '127.0.0.1');
  environment.set('TANDIS_CONFIG_CLUSTER_SECRET', 'a secret of the test');
  environment.set('TANDIS_CONFIG_REQUIREPASS', 'password');
  environment.set('TANDIS_CONFIG_JOIN', `localhost:${other}`);
  environment.set('TANDIS_CONFIG_EXPECT', '1');
  const ports = [
    '--port',
    `${port}`,
    '--cluster-port',
    `${busPort}`,
    '--admin-port',
    `${adminPort}`,
  ];
  for (const [name, value] of environment) process.env[name] = value;
  const run = tandis(t, 'server', ...ports);
  for (const name of environment.keys()) delete process.env[name];
  await run.printed(/view-installed/);
  return { port, adminPort };
}

t.test('a node starts with the variables of the Kubernetes manifest', async (t) => {
  const { template, serviceName } = named('StatefulSet', 'tandis').spec;
  const [container] = template!.spec.containers;
  const { port, adminPort } = await startWith(t, container.env);
  const client = clientOf(t, port, 'password');
  t.same(await client.config('GET', 'maxmemory'), ['maxmemory', String(1536 * 1024 * 1024)]);
  for (const { httpGet } of [container.livenessProbe, container.readinessProbe]) {
    t.ok(container.ports.some(({ name }) => name === httpGet.port));
    t.equal((await fetch(`http://127.0.0.1:${adminPort}${httpGet.path}`)).status, 200);
  }
  const leaveTimeout = (await client.config('GET', 'leave-timeout')) as [string, string];
  t.ok(template!.spec.terminationGracePeriodSeconds > Number(leaveTimeout[1]));
  const joined = container.env.find(({ name }) => name === 'TANDIS_CONFIG_JOIN')!.value;
  const bus = container.ports.find(({ name }) => name === 'bus')!.containerPort;
  t.equal(joined, `${serviceName}:${bus}`);
  t.same(named('Service', serviceName!).spec.selector, template!.metadata.labels);
  t.same(named('Service', 'tandis').spec.selector, template!.metadata.labels);
});

t.test('the Dockerfile copies what is there, and the node takes its variables', async (t) => {
  const lines = read('Dockerfile').replaceAll('\\\n', ' ').split('\n');
  const sources = lines.flatMap((line) =>
    /^COPY (?!--from)/.test(line) ? line.split(/\s+/).slice(1, -1) : [],
  );
  t.ok(sources.length > 3);
  for (const source of sources) t.ok(existsSync(join(ROOT, source)), source);
  const variables = lines
    .filter((line) => line.startsWith('ENV '))
    .flatMap((line) => line.slice(4).trim().split(/\s+/))
    .map((pair) => pair.split('='))
    .map(([name, value]): Variable => ({ name: name!, value: value! }))
    .filter(({ name }) => name.startsWith('TANDIS_'));
  t.ok(variables.length > 0);
  await startWith(t, variables);
});

t.test('a node starts with the sample file', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tandis-deploy-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const [port, busPort, adminPort] = (await freePorts(3)) as [number, number, number];
  const text = read('tandis.conf')
    .replaceAll(/10\.0\.0\.\d/g, '127.0.0.1')
    .replace('bind 0.0.0.0', 'bind 127.0.0.1')
    .replace('/var/lib/tandis', directory);
  const file = join(directory, 'tandis.conf');
  writeFileSync(file, text);
  const ports = [
    '--port',
    `${port}`,
    '--cluster-port',
    `${busPort}`,
    '--admin-port',
    `${adminPort}`,
  ];
  const run = tandis(t, 'server', file, ...ports, '--expect', '1');
  await run.printed(/view-installed/);
  t.equal(await clientOf(t, port, 'replace-this-password').ping(), 'PONG');
});

const systemd = spawnSync('systemd-analyze', ['--version']).error;
const missing = systemd === undefined ? false : 'systemd-analyze is not installed';

t.test('systemd finds nothing wrong with the unit', { skip: missing }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tandis-unit-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const unit = join(directory, 'tandis.service');
  // The program need not be installed for the unit to be right.
  writeFileSync(unit, read('tandis.service').replace('/usr/bin/tandis', process.execPath));
  const verified = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
  t.equal(verified.status, 0, verified.stderr);
  t.notMatch(verified.stderr, /tandis\.service/);
});
