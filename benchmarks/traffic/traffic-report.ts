import { lineChart } from '../charts/line-chart.js';
import { number, table } from '../compare/table.js';
import { type Cost, KEY_BYTES, type SessionTraffic, toAllNodes } from './session-traffic.js';
import type { AtRest } from './simulated-cluster.js';

/** How a cluster was run. */
export type Means = 'processes' | 'simulated';

export interface MeasuredTraffic extends SessionTraffic {
  readonly means: Means;
  /** Null where it was not measured. */
  readonly atRest: AtRest | null;
}

export interface TrafficReport {
  readonly valueBytes: number;
  readonly sessionsPerNode: number;
  readonly measured: readonly MeasuredTraffic[];
}

/** What the users of one node do per second in the table of totals: requests as in session traffic, and new sessions. */
const LOAD = { touches: 800, updates: 200, creates: 10 };
const MB = 1e6;

type Kind = 'anchor' | 'all' | 'everywhere';

const LABELS: Readonly<Record<Kind, string>> = {
  anchor: 'one backup',
  all: 'one backup, list on all nodes',
  everywhere: 'replication to all (computed)',
};

interface Costs {
  readonly create: Cost;
  readonly update: Cost;
  readonly touch: Cost;
}

/** Of every cluster and kind; replication to all nodes is computed from the clusters with the list on the anchor. */
function costs(measured: readonly MeasuredTraffic[], kind: Kind): (Costs & { nodes: number })[] {
  return measured
    .filter(({ list }) => list === (kind === 'all' ? 'all' : 'anchor'))
    .map((one) => {
      if (kind !== 'everywhere') return one;
      const update = toAllNodes(one.update, one.nodes);
      return { nodes: one.nodes, create: update, update, touch: toAllNodes(one.touch, one.nodes) };
    });
}

/** Bytes per second of the whole cluster under the load above. */
function total({ create, update, touch, nodes }: Costs & { nodes: number }): number {
  const { touches, updates, creates } = LOAD;
  return nodes * (touches * touch.bytes + updates * update.bytes + creates * create.bytes);
}

const KINDS: readonly Kind[] = ['anchor', 'all', 'everywhere'];

/** The tables as text for a terminal. */
export function formatTraffic({ measured, valueBytes }: TrafficReport): string {
  const both = ({ bytes, messages }: Cost) => `${number(bytes)} B, ${number(messages)} msg`;
  const means = (nodes: number) => measured.find((one) => one.nodes === nodes)!.means;
  const rows = [['nodes', 'copies', 'created', 'updated', 'touched', 'all nodes, MB/s']];
  for (const kind of KINDS)
    for (const one of costs(measured, kind))
      rows.push([
        `${one.nodes} ${means(one.nodes)}`,
        LABELS[kind],
        ...[both(one.create), both(one.update), both(one.touch)],
        number(total(one) / MB),
      ]);
  const rest = [['nodes', 'heartbeats, KB/s per node', 'comparison of copies, KB/s per node']];
  for (const { nodes, atRest } of measured)
    if (atRest !== null)
      rest.push([
        `${nodes}`,
        number(atRest.heartbeats / nodes / 1000),
        number(atRest.dataPlane / nodes / 1000),
      ]);
  return [
    `bus traffic per session, keys of ${KEY_BYTES} bytes, values of ${valueBytes} bytes, acks included`,
    table(rows),
    `\nall nodes: ${LOAD.touches} touches, ${LOAD.updates} updates and ${LOAD.creates} new sessions per node and second`,
    ...(rest.length > 1 ? ['\nsent besides, whatever clients do', table(rest)] : []),
  ].join('\n');
}

/** Charts by file name. */
export function trafficCharts({ measured, valueBytes }: TrafficReport): Map<string, string> {
  const chart = (
    title: string,
    yLabel: string,
    value: (one: Costs & { nodes: number }) => number,
  ) =>
    lineChart({
      title,
      yLabel,
      xLabel: 'nodes',
      series: KINDS.map((kind) => ({
        label: LABELS[kind],
        points: costs(measured, kind).map((one) => ({ x: one.nodes, y: value(one) })),
      })).filter(({ points }) => points.length > 0),
      show: number,
    });
  const load = `${LOAD.touches} touches, ${LOAD.updates} updates (${valueBytes} bytes), ${LOAD.creates} new sessions`;
  return new Map([
    [
      'traffic-total.svg',
      chart(
        'Bus traffic of the whole cluster',
        `MB/s; per node and second ${load}`,
        (one) => total(one) / MB,
      ),
    ],
    [
      'traffic-update.svg',
      chart(
        'Bus traffic per updated session',
        `bytes, values of ${valueBytes} bytes`,
        (one) => one.update.bytes,
      ),
    ],
    [
      'traffic-create.svg',
      chart(
        'Bus traffic per created session',
        `bytes, values of ${valueBytes} bytes`,
        (one) => one.create.bytes,
      ),
    ],
  ]);
}
