import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../support/control-network.js';
import { FAULT_KINDS, type FaultKind, SIZE_KINDS } from './fault-kinds.js';
import { FaultRun } from './fault-run.js';
import { MemoryWatch, showCurves } from './memory.js';
import { clockMs } from './recorder.js';
import { Report } from './report.js';

const SAMPLE_MS = 2000;

const USAGE = `usage: soak [--minutes N] [--nodes N] [--seed N]
  --minutes N   lasts so long; 10 unless given
  --nodes N     up to so many nodes, never less than three; 5 unless given
  --seed N      chooses faults, victims, moments and commands; drawn unless given`;

/** The first node is never ended: one process lives through it all. */
const KINDS = [...FAULT_KINDS, ...SIZE_KINDS].filter(
  ({ isFirst, policies }) => isFirst !== true && policies.includes('available'),
);

function number(args: readonly string[], name: string, otherwise: number): number {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(args[at + 1]);
}

async function soak(run: FaultRun, minutes: number, random: Random): Promise<MemoryWatch> {
  await run.begin();
  const watch = new MemoryWatch(run.nodes, (node) => run.nameOf(node), SAMPLE_MS);
  const until = clockMs() + minutes * 60_000;
  let bag: FaultKind[] = [];
  try {
    while (clockMs() < until) {
      if (bag.length === 0) bag = [...KINDS];
      const [kind] = bag.splice(random.below(bag.length), 1) as [FaultKind];
      await run.round(kind);
    }
  } finally {
    watch.stop();
  }
  return watch;
}

async function main(args: readonly string[]): Promise<number> {
  const minutes = number(args, 'minutes', 10);
  const nodes = number(args, 'nodes', 5);
  const seed = number(args, 'seed', Math.floor(Math.random() * 1e6));
  if (!(minutes > 0 && nodes >= 3 && seed >= 0) || args.includes('--help')) {
    console.log(USAGE);
    return args.includes('--help') ? 0 : 2;
  }
  console.log(`seed ${seed}, ${minutes} minutes, 3 to ${nodes} nodes`);
  const directory = mkdtempSync(join(tmpdir(), 'tandis-soak-'));
  const report = new Report();
  const run = new FaultRun(
    {
      nodes,
      running: Math.max(3, nodes - 1),
      policy: 'available',
      nodeTimeoutMs: 2000,
      seed,
      hasProxy: true,
      clients: { sticky: 4, turns: 2, random: 2 },
      sparesFirst: true,
      preload: [],
      directory,
      print: (line) => console.log(line),
    },
    report,
  );
  let isGood = true;
  try {
    const { curves } = await soak(run, minutes, new Random(seed + 1));
    console.log([...report.lines(), ...showCurves(curves)].join('\n'));
    isGood = curves.every(({ isFlat }) => isFlat !== false) && report.complaints.length === 0;
  } catch (error) {
    console.log(String((error as Error).stack));
    isGood = false;
  } finally {
    await run.end();
  }
  if (isGood) rmSync(directory, { recursive: true });
  else console.log(`FAILED, seed ${seed}; the logs of the nodes are in ${directory}`);
  return isGood ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
