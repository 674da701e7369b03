import { line, picture, round, text } from './svg.js';

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** The range over the pairs. */
  readonly min: number;
  readonly max: number;
  /** Where a mark is set; null for none. */
  readonly mark: number | null;
}

const WIDTH = 760;
const PLOT = { left: 330, right: 690, top: 66 };
const ROW = 26;
const BAR = 14;

/** One bar per row, from 0; a line at 1 and at each bar's mark. */
export function barChart(title: string, note: string, bars: readonly Bar[]): string {
  const height = PLOT.top + ROW * bars.length + 24;
  const most = Math.max(1, ...bars.map(({ value, mark }) => Math.max(value, mark ?? 0)));
  const x = (value: number) => PLOT.left + (value / most) * (PLOT.right - PLOT.left);
  const rows = bars.flatMap(({ label, value, min, max, mark }, i) => {
    const top = PLOT.top + ROW * i;
    const base = top + BAR - 2;
    const range = `${value.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})`;
    return [
      text(PLOT.left - 10, base, label, '', 'end'),
      `<rect class="f0" x="${PLOT.left}" y="${top}" width="${round(x(value) - PLOT.left)}" height="${BAR}"><title>${range}</title></rect>`,
      ...(mark === null ? [] : [line(x(mark), top - 4, x(mark), top + BAR + 4, 'mark')]),
      text(Math.max(x(value), x(mark ?? 0)) + 6, base, value.toFixed(2), 'small'),
    ];
  });
  return picture(WIDTH, height, title, [
    text(20, 28, title, 'title'),
    text(20, 48, note, 'small'),
    line(x(1), PLOT.top - 8, x(1), height - 20, 'grid'),
    text(x(1), height - 6, '1', 'small', 'middle'),
    ...rows,
  ]);
}
