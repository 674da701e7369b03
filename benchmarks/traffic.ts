/** Bus bytes and messages per session: the headline figure, see README.md in this directory. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describeMachine } from './compare/machine.js';
import { endChildrenOnExit } from './servers/children.js';
import { startProcesses } from './traffic/process-cluster.js';
import { measureSessions } from './traffic/session-traffic.js';
import { SimulatedCluster } from './traffic/simulated-cluster.js';
import { LOCATION_LISTS, type LocationList } from './traffic/traffic-cluster.js';
import { formatTraffic, type MeasuredTraffic, trafficCharts } from './traffic/traffic-report.js';

interface Options {
  readonly processes: string[];
  readonly simulated: string[];
  readonly sessions: string;
  readonly valueBytes: string;
  readonly rest?: true;
  readonly json?: string;
  readonly charts?: string;
}

function parseOptions(): Options {
  return new Command('traffic')
    .description('Counts what sessions cost on the bus, as the cluster grows.')
    .option('--processes <n...>', 'clusters of real processes', ['2', '4', '8', '16'])
    .option('--simulated <n...>', 'simulated clusters', ['32', '64', '128'])
    .option('--sessions <n>', 'sessions of each node', '200')
    .option('--value-bytes <n>', 'bytes of a session', '500')
    .option('--rest', 'also what simulated clusters send at rest')
    .option('--json <file>', 'write everything counted to this file')
    .option('--charts <directory>', 'write the charts there')
    .parse()
    .opts<Options>();
}

async function measure(
  nodes: number,
  list: LocationList,
  means: MeasuredTraffic['means'],
  options: Options,
): Promise<MeasuredTraffic> {
  const settings = {
    sessionsPerNode: Number(options.sessions),
    valueBytes: Number(options.valueBytes),
  };
  console.error(`  ${nodes} nodes ${means}, --location-list ${list}`);
  if (means === 'processes') {
    const cluster = await startProcesses(nodes, list);
    const sessions = await measureSessions(cluster, list, settings).finally(() => cluster.stop());
    return { ...sessions, means, atRest: null };
  }
  const cluster = new SimulatedCluster(nodes, list);
  const sessions = await measureSessions(cluster, list, settings);
  const wantsRest = options.rest === true && list === 'anchor';
  return { ...sessions, means, atRest: wantsRest ? await cluster.atRest() : null };
}

async function main(): Promise<void> {
  const options = parseOptions();
  endChildrenOnExit();
  const measured: MeasuredTraffic[] = [];
  for (const list of LOCATION_LISTS) {
    for (const nodes of options.processes)
      if (Number(nodes) > 0)
        measured.push(await measure(Number(nodes), list, 'processes', options));
    for (const nodes of options.simulated)
      if (Number(nodes) > 0)
        measured.push(await measure(Number(nodes), list, 'simulated', options));
  }
  const { valueBytes, sessions } = options;
  const report = {
    valueBytes: Number(valueBytes),
    sessionsPerNode: Number(sessions),
    measured,
  };
  console.log(formatTraffic(report));
  if (options.json !== undefined) {
    const whole = { machine: describeMachine(), ...report };
    writeFileSync(options.json, `${JSON.stringify(whole, null, 1)}\n`);
  }
  if (options.charts === undefined) return;
  mkdirSync(options.charts, { recursive: true });
  for (const [name, svg] of trafficCharts(report)) writeFileSync(join(options.charts, name), svg);
}

await main();
