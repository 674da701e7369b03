import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { parseAllDocuments } from 'yaml';

/** deploy/kubernetes against the types of the Kubernetes API: each field is one that there is, of its type, and none is missing. */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const COMPILER = join(ROOT, 'node_modules/typescript/bin/tsc');

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
}

/** The module that has the types of a version: "apps/v1" is itself, "v1" is the core's. */
const moduleOf = ({ apiVersion }: Manifest): string =>
  `kubernetes-types/${apiVersion.includes('/') ? apiVersion : `core/${apiVersion}`}`;

/** What the compiler says of them; empty for nothing. */
function complaints(t: Test, manifests: readonly Manifest[]): string {
  const project = mkdtempSync(join(tmpdir(), 'tandis-kubernetes-'));
  t.teardown(() => rmSync(project, { recursive: true }));
  symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
  const declared = manifests.map(
    (one, i) =>
      `export const manifest${i}: import('${moduleOf(one)}').${one.kind} = ${JSON.stringify(one, null, 1)};\n`,
  );
  writeFileSync(join(project, 'manifests.ts'), declared.join(''));
  const compilerOptions = {
    noEmit: true,
    strict: true,
    module: 'esnext',
    moduleResolution: 'bundler',
    types: [],
  };
  const config = JSON.stringify({ compilerOptions, files: ['manifests.ts'] });
  writeFileSync(join(project, 'tsconfig.json'), config);
  const run = spawnSync(process.execPath, [COMPILER, '-p', project], { encoding: 'utf8' });
  return run.stdout + run.stderr;
}

const read = (text: string): Manifest[] =>
  parseAllDocuments(text).map((document) => document.toJS() as Manifest);

t.test('the manifest is what the Kubernetes API takes', async (t) => {
  const text = readFileSync(join(ROOT, 'deploy/kubernetes/tandis.yaml'), 'utf8');
  t.equal(complaints(t, read(text)), '');

  const mistakes: [from: string, to: string, told: RegExp][] = [
    ['publishNotReadyAddresses', 'publishUnreadyAddresses', /publishUnreadyAddresses/],
    ['maxUnavailable: 1', 'maxUnavailable: [1]', /'number\[\]' is not assignable/],
    ['minReadySeconds: 5', 'minReadySeconds: "5"', /'string' is not assignable to type 'number'/],
    ['  serviceName: tandis-bus\n', '', /'serviceName' is missing/],
    ['readinessProbe:', 'readyProbe:', /readyProbe/],
  ];
  const spoilt = mistakes.flatMap(([from, to]) => read(text.replace(from, to)));
  const found = complaints(t, spoilt);
  for (const [from, , told] of mistakes) t.match(found, told, `a mistake is told: ${from}`);
});

t.test('never two copies at once', async (t) => {
  const text = readFileSync(join(ROOT, 'deploy/kubernetes/tandis.yaml'), 'utf8');
  const byKind = new Map(read(text).map((one) => [one.kind, one]));
  t.match(byKind.get('PodDisruptionBudget'), {
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'tandis' } } },
  });
  t.match(byKind.get('StatefulSet'), {
    spec: {
      replicas: 3,
      updateStrategy: { type: 'RollingUpdate' },
      template: {
        spec: {
          securityContext: { runAsNonRoot: true },
          affinity: {
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { topologyKey: 'kubernetes.io/hostname' },
              ],
            },
          },
          topologySpreadConstraints: [{ topologyKey: 'topology.kubernetes.io/zone' }],
        },
      },
    },
  });
});
