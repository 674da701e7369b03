/** Text of a chart is readable in light and dark: the picture brings its own ground, by what the reader prefers. */
const STYLE = `
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px }
.small { font-size: 11px; fill: #57606a }
.ground { fill: #ffffff }
.grid { stroke: #d0d7de; stroke-width: 1 }
.mark { stroke: #24292f; stroke-width: 1.5; stroke-dasharray: 3 2 }
.s0 { stroke: #0969da } .f0 { fill: #0969da }
.s1 { stroke: #1a7f37 } .f1 { fill: #1a7f37 }
.s2 { stroke: #bc4c00 } .f2 { fill: #bc4c00 }
.s3 { stroke: #8250df } .f3 { fill: #8250df }
.line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9da7b3 } .ground { fill: #0d1117 } .grid { stroke: #30363d } .mark { stroke: #e6edf3 }
  .s0 { stroke: #58a6ff } .f0 { fill: #58a6ff } .s1 { stroke: #3fb950 } .f1 { fill: #3fb950 }
  .s2 { stroke: #f0883e } .f2 { fill: #f0883e } .s3 { stroke: #bc8cff } .f3 { fill: #bc8cff }
}`;

/** Classes of series, in the order in which they are drawn. */
export const SERIES_MAX = 4;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

export const escaped = (text: string): string =>
  text.replace(/[&<>]/g, (character) => ENTITIES[character]!);

export type Anchor = 'start' | 'middle' | 'end';

/** Coordinates are pixels from the upper left corner; `y` is the base line. */
export function text(x: number, y: number, content: string, kind = '', anchor: Anchor = 'start') {
  const attributes = `x="${round(x)}" y="${round(y)}" class="${kind}" text-anchor="${anchor}"`;
  return `<text ${attributes}>${escaped(content)}</text>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, kind: string): string {
  const ends = `x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"`;
  return `<line ${ends} class="${kind}"/>`;
}

export const round = (value: number): number => Math.round(value * 10) / 10;

/** A whole picture; `title` is also what is read out. */
export function picture(width: number, height: number, title: string, parts: readonly string[]) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escaped(title)}</title>
<style>${STYLE}
</style>
<rect class="ground" width="${width}" height="${height}" rx="6"/>
${parts.join('\n')}
</svg>
`;
}
