import { readFileSync } from 'node:fs';
import type { NodeProcess } from '../support/test-cluster.js';

/** A process that has run for less says nothing about what it takes in the long run. */
const JUDGED_MS_MIN = 120_000;
/** Flat is what grows by no more than this from the middle third of a process's life to the last one. */
const GROWTH_SHARE_MAX = 0.05;
const GROWTH_BYTES_MAX = 4 * 1024 * 1024;
const COLUMNS = 24;
const BARS = '▁▂▃▄▅▆▇█';
const MB = 1024 * 1024;
const PAGE_BYTES = 4096;

/** Resident memory of one process, from its start on. */
export class Curve {
  readonly name: string;
  readonly fromMs: number;
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = [];

  constructor(name: string, fromMs: number) {
    this.name = name;
    this.fromMs = fromMs;
  }

  add(atMs: number, bytes: number): void {
    this.#samples.push({ atMs, bytes });
  }

  get lastsMs(): number {
    return (this.#samples.at(-1)?.atMs ?? this.fromMs) - this.fromMs;
  }

  /** Median of the samples in this part of its life; both ends between 0 and 1. */
  median(from: number, until: number): number {
    const part = this.#samples
      .filter(({ atMs }) => {
        const share = (atMs - this.fromMs) / this.lastsMs;
        return share >= from && share <= until;
      })
      .map(({ bytes }) => bytes)
      .sort((a, b) => a - b);
    return part[Math.floor(part.length / 2)] ?? Number.NaN;
  }

  /** Null for a process that has not run for long enough to be judged. */
  get isFlat(): boolean | null {
    if (this.lastsMs < JUDGED_MS_MIN) return null;
    const middle = this.median(1 / 3, 2 / 3);
    return this.median(2 / 3, 1) <= middle * (1 + GROWTH_SHARE_MAX) + GROWTH_BYTES_MAX;
  }

  /** One line: when it ran, what it took at the beginning, in the middle and at the end, and bars up to `mostBytes`. */
  line(mostBytes: number): string {
    const columns = Math.max(1, Math.min(COLUMNS, this.#samples.length));
    const bars = Array.from({ length: columns }, (_, i) => {
      const bytes = this.median(i / columns, (i + 1) / columns);
      return BARS[Math.min(BARS.length - 1, Math.floor((bytes / mostBytes) * BARS.length))] ?? ' ';
    });
    const thirds = [0, 1, 2].map((i) => (this.median(i / 3, (i + 1) / 3) / MB).toFixed(0));
    const judged = { true: 'flat', false: 'GROWS', null: '' }[String(this.isFlat)]!;
    const time = `${seconds(this.fromMs)} to ${seconds(this.fromMs + this.lastsMs)}`;
    const text = `${this.name.padEnd(6)} ${time.padEnd(14)} ${bars.join('').padEnd(COLUMNS)}`;
    return `${text} ${thirds.join(' ').padEnd(12)} ${judged}`.trimEnd();
  }

  get mostBytes(): number {
    return Math.max(...this.#samples.map(({ bytes }) => bytes));
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(0)} s`;

/** Bytes that the system keeps in memory for a process; NaN where it does not tell, or the process has ended. */
function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
  } catch {
    return Number.NaN;
  }
}

/** Looks at the memory of all nodes again and again. */
export class MemoryWatch {
  readonly curves: Curve[] = [];
  readonly #open = new Map<number, Curve>();
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();

  /** `nameOf` names the process that a node runs now. */
  constructor(
    nodes: readonly NodeProcess[],
    nameOf: (node: NodeProcess) => string,
    everyMs: number,
  ) {
    this.#timer = setInterval(() => {
      for (const node of nodes) if (node.isRunning) this.#look(node, nameOf(node));
    }, everyMs);
  }

  #look(node: NodeProcess, name: string): void {
    const bytes = residentBytes(node.pid);
    const now = performance.now() - this.#startedAt;
    if (!(bytes > 0)) return;
    let curve = this.#open.get(node.pid);
    if (curve === undefined) {
      curve = new Curve(name, now);
      this.#open.set(node.pid, curve);
      this.curves.push(curve);
    }
    curve.add(now, bytes);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** The curves of all that were judged, and a line on those that were not. */
export function showCurves(curves: readonly Curve[]): string[] {
  const most = Math.max(...curves.map(({ mostBytes }) => mostBytes));
  const judged = curves.filter(({ isFlat }) => isFlat !== null);
  const short = curves.length - judged.length;
  return [
    'resident memory: process, its time, curve from 0 to the most of all, MB in each third of its life',
    ...judged.map((curve) => curve.line(most)),
    `${short} processes ran for less than ${seconds(JUDGED_MS_MIN)}; the most of all was ${(most / MB).toFixed(0)} MB`,
  ];
}
