import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VARIANTS } from '../simulation/variants.js';
import { Random } from '../support/control-network.js';
import { FAULT_KINDS, type FaultKind, type Policy } from './fault-kinds.js';
import { FaultRun } from './fault-run.js';
import { clockMs } from './recorder.js';
import { Report } from './report.js';

const BREAK_NODE = new URL('./break-node.js', import.meta.url).href;
/** Of the time, so much is for faults of processes; the rest for those of links, with cables between the nodes. */
const PROCESS_SHARE = 0.65;

const USAGE = `usage: faults [--minutes N] [--nodes N] [--policy NAME] [--seed N] [--fault NAME] [--break NAME]
  --minutes N       lasts so long in all; 4 unless given
  --nodes N         so many nodes; 3 unless given
  --policy NAME     available or majority; first the one, then the other unless given
  --seed N          chooses faults, victims, moments and commands; drawn unless given
  --fault NAME      only this kind: ${FAULT_KINDS.map(({ name }) => name).join(', ')}
  --node-timeout N  milliseconds; 2000 unless given
  --keep-logs       keeps the logs of the nodes, failure or not
  --break NAME      with nodes that are broken on purpose: one of the simulator's variants`;

interface Options {
  readonly minutes: number;
  readonly nodes: number;
  readonly policies: readonly Policy[];
  readonly seed: number;
  readonly kinds: readonly FaultKind[];
  readonly nodeTimeoutMs: number;
  readonly variant: string | null;
}

function readOptions(args: readonly string[]): Options | null {
  const value = (name: string): string | undefined => {
    const at = args.indexOf(`--${name}`);
    return at < 0 ? undefined : args[at + 1];
  };
  const fault = value('fault');
  const policy = value('policy');
  const variant = value('break') ?? null;
  const options: Options = {
    minutes: Number(value('minutes') ?? 4),
    nodes: Number(value('nodes') ?? 3),
    policies: policy === undefined ? ['available', 'majority'] : [policy as Policy],
    seed: Number(value('seed') ?? Math.floor(Math.random() * 1e6)),
    kinds: FAULT_KINDS.filter(({ name }) => fault === undefined || name === fault),
    nodeTimeoutMs: Number(value('node-timeout') ?? 2000),
    variant,
  };
  const { minutes, nodes, seed, kinds, policies } = options;
  const isValid =
    minutes > 0 && nodes >= 3 && seed >= 0 && kinds.length > 0 && options.nodeTimeoutMs >= 200;
  const isKnown = policies.every((one) => one === 'available' || one === 'majority');
  const isVariant = variant === null || VARIANTS.some(({ name }) => name === variant);
  return isValid && isKnown && isVariant && !args.includes('--help') ? options : null;
}

/** One cluster, and faults of these kinds until the time is over, each kind as often as the others. */
async function runCluster(
  options: Options,
  policy: Policy,
  kinds: readonly FaultKind[],
  hasProxy: boolean,
  untilMs: number,
  directory: string,
): Promise<Report> {
  const { nodes, nodeTimeoutMs, seed, variant } = options;
  const report = new Report();
  const run = new FaultRun(
    {
      nodes,
      policy,
      nodeTimeoutMs,
      seed,
      hasProxy,
      clients: { sticky: nodes, turns: 2, random: 2 },
      sparesFirst: false,
      preload: variant === null ? [] : [`${BREAK_NODE}?${variant}`],
      directory,
      print: (line) => console.log(line),
    },
    report,
  );
  const random = new Random(seed + 1);
  try {
    await run.begin();
    let bag: FaultKind[] = [];
    for (let round = 1; clockMs() < untilMs; round++) {
      if (bag.length === 0) bag = [...kinds];
      const [kind] = bag.splice(random.below(bag.length), 1) as [FaultKind];
      const since = clockMs();
      await run.round(kind);
      const seconds = ((clockMs() - since) / 1000).toFixed(1);
      console.log(`  round ${round}: ${kind.name}, ${seconds} s`);
    }
  } finally {
    await run.end();
  }
  return report;
}

async function runPolicy(options: Options, policy: Policy, directory: string): Promise<boolean> {
  const own = options.kinds.filter(({ policies }) => policies.includes(policy));
  const budgetMs = (options.minutes * 60_000) / options.policies.length;
  const parts = [false, true].map((hasProxy) => own.filter((kind) => kind.needsProxy === hasProxy));
  let isGood = true;
  for (const [index, kinds] of parts.entries()) {
    if (kinds.length === 0) continue;
    const hasProxy = index === 1;
    const share = parts[1 - index]!.length === 0 ? 1 : hasProxy ? 1 - PROCESS_SHARE : PROCESS_SHARE;
    const what = hasProxy ? 'cables that can be cut' : 'processes';
    console.log(`${policy}, ${options.nodes} nodes, ${what}`);
    const logs = join(directory, `${policy}-${hasProxy ? 'links' : 'processes'}`);
    const until = clockMs() + budgetMs * share;
    const report = await runCluster(options, policy, kinds, hasProxy, until, logs);
    console.log(report.lines().join('\n'));
    isGood &&= report.complaints.length === 0;
  }
  return isGood;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    console.log(USAGE);
    return process.argv.includes('--help') ? 0 : 2;
  }
  const directory = mkdtempSync(join(tmpdir(), 'tandis-faults-'));
  console.log(`seed ${options.seed}, node-timeout ${options.nodeTimeoutMs} ms`);
  let isGood = true;
  try {
    for (const policy of options.policies) {
      isGood = (await runPolicy(options, policy, directory)) && isGood;
    }
  } catch (error) {
    console.log(`FAILED, seed ${options.seed}: ${String((error as Error).stack)}`);
    isGood = false;
  }
  if (isGood && !process.argv.includes('--keep-logs')) rmSync(directory, { recursive: true });
  else if (isGood) console.log(`the logs are in ${directory}`);
  else console.log(`FAILED, seed ${options.seed}; the logs of the nodes are in ${directory}`);
  return isGood ? 0 : 1;
}

process.exitCode = await main();
