import uPlot from '/console/uplot.js';
import type { Frame, MemberFigures } from '../frame.js';
import { byId, h, svg } from './dom.js';
import { hourAndMinute } from './format.js';
import { badge, colourClass, colourOf, letterOf } from './marks.js';

/** Seconds of history that are kept, since the page is open. */
const HISTORY_S = 180;
const HEIGHT = 170;
/** Lines are told apart by their dashes as well, canvas pixels. */
const DASHES: readonly number[][] = [
  [],
  [8, 4],
  [2, 3],
  [12, 3, 2, 3],
  [5, 2],
  [1, 2],
  [16, 4],
  [3, 6],
];

type Read = (figures: MemberFigures) => number | null;

/** One line for each member, over the last minutes. */
class Chart {
  readonly #root: HTMLElement;
  readonly #legend: HTMLElement = h('p', { class: 'legend' });
  readonly #read: Read;
  #plot: uPlot | null = null;
  #addresses = '';
  #theme = '';
  readonly #times: number[] = [];
  /** By address, as long as the times. */
  readonly #values = new Map<string, (number | null)[]>();

  constructor(id: string, read: Read) {
    this.#root = byId(id);
    this.#read = read;
    this.#root.after(this.#legend);
    new ResizeObserver(() => this.#resize()).observe(this.#root);
  }

  show({ at, members }: Frame): void {
    const second = Math.floor(at / 1000);
    const isSame = this.#times.at(-1) === second;
    if (!isSame) this.#times.push(second);
    for (const { address, figures } of members) {
      const values = this.#values.get(address) ?? [];
      this.#values.set(address, values);
      while (values.length < this.#times.length) values.push(null);
      values[this.#times.length - 1] = figures === null ? null : this.#read(figures);
    }
    for (const values of this.#values.values()) {
      while (values.length < this.#times.length) values.push(null);
    }
    this.#forget();
    this.#draw();
  }

  #forget(): void {
    const from = this.#times.at(-1)! - HISTORY_S;
    const old = this.#times.findIndex((time) => time >= from);
    this.#times.splice(0, old);
    for (const [address, values] of this.#values) {
      values.splice(0, old);
      if (values.every((value) => value === null)) this.#values.delete(address);
    }
  }

  #draw(): void {
    const addresses = [...this.#values.keys()].sort();
    const theme = getComputedStyle(document.body).color;
    if (this.#plot === null || this.#addresses !== addresses.join() || this.#theme !== theme) {
      this.#addresses = addresses.join();
      this.#theme = theme;
      this.#plot?.destroy();
      this.#plot = new uPlot(this.#options(addresses), this.#data(addresses), this.#root);
      this.#legend.replaceChildren(...addresses.map(legendOf));
    } else this.#plot.setData(this.#data(addresses));
  }

  #data(addresses: readonly string[]): uPlot.AlignedData {
    return [this.#times, ...addresses.map((address) => this.#values.get(address)!)];
  }

  #options(addresses: readonly string[]): uPlot.Options {
    const style = getComputedStyle(document.documentElement);
    const stroke = style.getPropertyValue('--quiet').trim();
    const grid = { stroke: style.getPropertyValue('--line').trim(), width: 1 };
    const font = '12px system-ui, sans-serif';
    return {
      width: this.#root.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { range: (_plot, _min, max) => [max - HISTORY_S, max] },
        y: { range: (_plot, _min, max) => [0, Math.max(10, max * 1.15)] },
      },
      axes: [
        {
          stroke,
          grid: { show: false },
          ticks: grid,
          font,
          size: 28,
          space: 60,
          values: (_plot, times) => times.map((time) => hourAndMinute(time * 1000)),
        },
        { stroke, grid, ticks: { show: false }, font, size: 52, space: 28 },
      ],
      series: [
        {},
        ...addresses.map((address, i) => ({
          label: letterOf(address),
          stroke: colourOf(address),
          width: 2,
          dash: DASHES[i % DASHES.length]!,
          points: { show: false },
        })),
      ],
    };
  }

  #resize(): void {
    this.#plot?.setSize({ width: this.#root.clientWidth, height: HEIGHT });
  }
}

/** A piece of the member's line, with its dashes. */
function legendOf(address: string, index: number): HTMLElement {
  const dash = DASHES[index % DASHES.length]!.join(' ');
  const line = svg('line', { x1: '0', x2: '30', y1: '5', y2: '5', 'stroke-dasharray': dash });
  const sample = svg('svg', { width: '30', height: '10', class: colourClass(address) }, line);
  sample.setAttribute('aria-hidden', 'true');
  return h('span', {}, badge(address), sample);
}

/** Operations and latency of each member. */
export function chartsPanel(): (frame: Frame) => void {
  const operations = new Chart('operations', ({ operationsPerSecond }) => operationsPerSecond);
  const latency = new Chart('latency', ({ microsecondsPerCommand }) => microsecondsPerCommand);
  return (frame) => {
    operations.show(frame);
    latency.show(frame);
  };
}
