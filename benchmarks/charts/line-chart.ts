import { line, picture, round, SERIES_MAX, text } from './svg.js';

export interface Series {
  readonly label: string;
  /** Above 0, by `x` growing. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  readonly show: (y: number) => string;
}

const WIDTH = 760;
const HEIGHT = 440;
const PLOT = { left: 80, right: 560, top: 70, bottom: 380 };
const LABEL_HEIGHT = 32;

/** Both axes are logarithmic: what grows linearly is a straight line of slope 1, the square has slope 2. */
export function lineChart(chart: LineChart): string {
  if (chart.series.length > SERIES_MAX) throw new Error(`at most ${SERIES_MAX} series`);
  const points = chart.series.flatMap((series) => series.points);
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const decades = decadesOf(points.map(({ y }) => y));
  const x = scale([xs[0]!, xs.at(-1)!], [PLOT.left, PLOT.right]);
  const y = scale([decades[0]!, decades.at(-1)!], [PLOT.bottom, PLOT.top]);
  const parts = [
    text(20, 28, chart.title, 'title'),
    text(20, 50, chart.yLabel, 'small'),
    text((PLOT.left + PLOT.right) / 2, HEIGHT - 18, chart.xLabel, 'small', 'middle'),
    ...decades.flatMap((decade) => [
      line(PLOT.left, y(decade), PLOT.right, y(decade), 'grid'),
      text(PLOT.left - 8, y(decade) + 4, chart.show(decade), 'small', 'end'),
    ]),
    ...xs.map((value) => text(x(value), PLOT.bottom + 20, String(value), 'small', 'middle')),
    ...chart.series.flatMap((series, i) => drawn(series, i, x, y)),
    ...labels(chart, y),
  ];
  return picture(WIDTH, HEIGHT, chart.title, parts);
}

function drawn(
  series: Series,
  i: number,
  x: (value: number) => number,
  y: (value: number) => number,
): string[] {
  const at = series.points.map((point) => `${round(x(point.x))},${round(y(point.y))}`);
  return [
    `<polyline class="line s${i}" points="${at.join(' ')}"/>`,
    ...series.points.map(
      (point) =>
        `<circle class="f${i}" cx="${round(x(point.x))}" cy="${round(y(point.y))}" r="3"/>`,
    ),
  ];
}

/** Beside the last point of each series, moved apart where they would cover each other. */
function labels(chart: LineChart, y: (value: number) => number): string[] {
  const ends = chart.series
    .map((series, i) => ({ series, i, last: series.points.at(-1)!.y }))
    .sort((a, b) => b.last - a.last);
  let free = PLOT.top;
  return ends.flatMap(({ series, i, last }) => {
    const at = Math.max(free, y(last));
    free = at + LABEL_HEIGHT;
    const left = PLOT.right + 12;
    return [text(left, at, series.label, `f${i}`), text(left, at + 14, chart.show(last), 'small')];
  });
}

function decadesOf(values: readonly number[]): number[] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  return Array.from({ length: Math.max(high - low, 1) + 1 }, (_, i) => 10 ** (low + i));
}

function scale([low, high]: [number, number], [from, to]: [number, number]) {
  const span = Math.log(high) - Math.log(low) || 1;
  return (value: number) => from + ((Math.log(value) - Math.log(low)) / span) * (to - from);
}
