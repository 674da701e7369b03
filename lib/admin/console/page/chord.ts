import { svg } from './dom.js';

/** Units of the picture, whose middle is 0, 0. */
const SIZE = 384;
const OUTER = 150;
const INNER = 136;
/** Between two arcs, radians. */
const GAP = 0.06;
const LABEL = 172;
/** Members are shown as nothing thinner than this, radians. */
const ARC_MIN = 0.03;

export interface ChordMember {
  readonly letter: string;
  readonly address: string;
  /** Class that sets the colour. */
  readonly colour: string;
}

interface Ribbon {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** An end of a ribbon on its member's arc, radians. */
interface End {
  begin: number;
  end: number;
}

const at = (angle: number, radius: number): string =>
  `${(Math.sin(angle) * radius).toFixed(1)} ${(-Math.cos(angle) * radius).toFixed(1)}`;

function arcPath({ begin, end }: End): string {
  const large = end - begin > Math.PI ? 1 : 0;
  return (
    `M${at(begin, OUTER)}A${OUTER} ${OUTER} 0 ${large} 1 ${at(end, OUTER)}` +
    `L${at(end, INNER)}A${INNER} ${INNER} 0 ${large} 0 ${at(begin, INNER)}Z`
  );
}

/** Broad where it begins, with an arrow where it ends. */
function ribbonPath(from: End, to: End): string {
  const base = INNER - 3;
  const neck = INNER - 16;
  const tip = (to.begin + to.end) / 2;
  const large = from.end - from.begin > Math.PI ? 1 : 0;
  return (
    `M${at(from.begin, base)}A${base} ${base} 0 ${large} 1 ${at(from.end, base)}` +
    `Q0 0 ${at(to.begin, neck)}L${at(tip, base)}L${at(to.end, neck)}` +
    `Q0 0 ${at(from.begin, base)}Z`
  );
}

/** Shares the circle among the members by the copies that each of them holds, and each arc among its ribbons. */
function layOut(members: number, ribbons: readonly Ribbon[]) {
  const held = new Array<number>(members).fill(0);
  for (const { from, to, count } of ribbons) {
    held[from]! += count;
    held[to]! += count;
  }
  const total = held.reduce((sum, count) => sum + count, 0);
  const room = Math.PI * 2 - members * (GAP + ARC_MIN);
  const arcs: End[] = [];
  let angle = GAP / 2;
  for (const count of held) {
    const width = ARC_MIN + (total === 0 ? room / members : (room * count) / total);
    arcs.push({ begin: angle, end: angle + width });
    angle += width + GAP;
  }
  const used = arcs.map(({ begin }) => begin);
  const take = (member: number, count: number): End => {
    const begin = used[member]!;
    const end = begin + ((arcs[member]!.end - arcs[member]!.begin) * count) / held[member]!;
    used[member] = end;
    return { begin, end };
  };
  // On each arc what leads to the neighbour before comes first: ribbons cross as little as may be.
  const ends = new Map<Ribbon, { from: End; to: End }>();
  const sides = ribbons.flatMap((ribbon) => [
    { ribbon, member: ribbon.from, other: ribbon.to, isFrom: true },
    { ribbon, member: ribbon.to, other: ribbon.from, isFrom: false },
  ]);
  const distance = (member: number, other: number): number => (member - other + members) % members;
  sides.sort(
    (a, b) =>
      a.member - b.member ||
      distance(a.member, a.other) - distance(b.member, b.other) ||
      // Of two members the two ribbons lie side by side, and do not cross.
      (a.isFrom ? -1 : 1),
  );
  for (const { ribbon, member, isFrom } of sides) {
    const known = ends.get(ribbon) ?? { from: arcs[member]!, to: arcs[member]! };
    known[isFrom ? 'from' : 'to'] = take(member, ribbon.count);
    ends.set(ribbon, known);
  }
  return { arcs, ends };
}

function label(member: ChordMember, { begin, end }: End): SVGElement {
  const angle = (begin + end) / 2;
  const [x, y] = at(angle, LABEL).split(' ') as [string, string];
  return svg(
    'text',
    { x, y, class: 'chord-label', 'text-anchor': 'middle', 'dominant-baseline': 'middle' },
    member.letter,
  );
}

/**
 * A picture of copies: an arc for each member, a ribbon for each pair with copies. `matrix[p][b]`: keys whose primary is
 * member p and whose backup is member b; null where unknown, which is not drawn.
 */
export function drawChord(
  members: readonly ChordMember[],
  matrix: readonly (readonly (number | null)[])[],
  describe: (from: ChordMember, to: ChordMember, count: number) => string,
): SVGElement {
  const ribbons: Ribbon[] = [];
  matrix.forEach((row, from) => {
    row.forEach((count, to) => {
      if (count !== null && count > 0 && from !== to) ribbons.push({ from, to, count });
    });
  });
  const { arcs, ends } = layOut(members.length, ribbons);
  const picture = svg('svg', {
    viewBox: `${-SIZE / 2} ${-SIZE / 2} ${SIZE} ${SIZE}`,
    role: 'img',
    'aria-label': 'Copies between members; the table below says the same',
  });
  for (const [{ from, to, count }, end] of ends) {
    const title = describe(members[from]!, members[to]!, count);
    picture.append(
      svg(
        'path',
        { d: ribbonPath(end.from, end.to), class: `ribbon ${members[from]!.colour}` },
        svg('title', {}, title),
      ),
    );
  }
  members.forEach((member, i) => {
    const arc = svg('path', { d: arcPath(arcs[i]!), class: `arc ${member.colour}` });
    arc.append(svg('title', {}, member.address));
    picture.append(arc, label(member, arcs[i]!));
  });
  return picture;
}
