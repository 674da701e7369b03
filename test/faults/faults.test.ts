import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FAULT_KINDS, type Policy } from './fault-kinds.js';
import { FaultRun } from './fault-run.js';
import { Report } from './report.js';

/** Every kind of fault once; `npm run faults` does the same for as long as one likes. Times are printed, not judged. */

const NODE_TIMEOUT_MS = 1000;

t.setTimeout(200_000);

async function runKinds(
  t: Test,
  policy: Policy,
  hasProxy: boolean,
  isWanted: (name: string) => boolean,
): Promise<void> {
  const seed = Math.floor(Math.random() * 1e6);
  const directory = mkdtempSync(join(tmpdir(), 'tandis-faults-'));
  const report = new Report();
  const run = new FaultRun(
    {
      nodes: 3,
      policy,
      nodeTimeoutMs: NODE_TIMEOUT_MS,
      seed,
      hasProxy,
      clients: { sticky: 3, turns: 1, random: 1 },
      sparesFirst: false,
      preload: [],
      directory,
      print: (line) => t.comment(line),
    },
    report,
  );
  t.comment(`seed ${seed}, logs in ${directory}`);
  t.teardown(() => {
    if (t.passing()) rmSync(directory, { recursive: true });
  });
  try {
    await run.begin();
    for (const kind of FAULT_KINDS) {
      if (kind.needsProxy !== hasProxy || !kind.policies.includes(policy)) continue;
      if (isWanted(kind.name)) await t.resolves(run.round(kind), kind.name);
    }
  } finally {
    await run.end();
  }
  for (const line of report.lines()) t.comment(line);
  t.equal(report.undecided, 0);
  t.ok(report.answered > 100);
}

t.test('faults of processes: histories are linearizable', async (t) => {
  await runKinds(t, 'available', false, () => true);
});

t.test('faults of links', async (t) => {
  await runKinds(t, 'available', true, () => true);
});

t.test('partition-policy majority: killed, frozen, cut off', async (t) => {
  await runKinds(t, 'majority', true, (name) => name === 'alone');
});
