import {
  areaOf,
  type Cell,
  cellOf,
  neighbourOf,
  type Position,
  STEPS,
  scoresOf,
} from './geohash.js';

const METRES_OF_RADIUS = 6372797.560856;
/** Half of the equator on the map, metres. */
const MAP_METRES = 20037726.37;
const RADIAN = Math.PI / 180;
/** Towards the poles cells become narrow: from these latitudes on they are taken one size larger. */
const NARROW_LATITUDES = [66, 80];

/** What is searched: a circle, or a box whose sides are so long, both of them around a position. */
export interface Shape extends Position {
  /** NaN for a box; in `unit`s, as the other two. */
  radius: number;
  width: number;
  height: number;
  /** Metres. */
  unit: number;
}

/** Scores from `min` on, below `max`. */
export interface Scores {
  readonly min: number;
  readonly max: number;
}

/** Metres between two positions on a sphere. */
export function distanceBetween(a: Position, b: Position): number {
  const u = Math.sin((b.latitude * RADIAN - a.latitude * RADIAN) / 2);
  const v = Math.sin((b.longitude * RADIAN - a.longitude * RADIAN) / 2);
  const cosines = Math.cos(a.latitude * RADIAN) * Math.cos(b.latitude * RADIAN);
  // Of antipodes rounding may make more than 1.
  return 2 * METRES_OF_RADIUS * Math.asin(Math.min(1, Math.sqrt(u * u + cosines * v * v)));
}

const isBox = ({ radius }: Shape): boolean => Number.isNaN(radius);

/** Metres from the middle of a shape to a position within it, -1 for one outside. */
export function distanceWithin(shape: Shape, position: Position): number {
  if (isBox(shape)) {
    const { longitude, latitude } = position;
    const { unit, width, height } = shape;
    const vertical = distanceBetween(position, { longitude, latitude: shape.latitude });
    if (vertical > (height * unit) / 2) return -1;
    const horizontal = distanceBetween(position, { longitude: shape.longitude, latitude });
    if (horizontal > (width * unit) / 2) return -1;
    return distanceBetween(shape, position);
  }
  const distance = distanceBetween(shape, position);
  return distance > shape.radius * shape.unit ? -1 : distance;
}

/** Degrees: the box around a shape, which may reach over the edges of the map. */
function boundsOf(shape: Shape) {
  const { longitude, latitude, unit } = shape;
  const height = unit * (isBox(shape) ? shape.height / 2 : shape.radius);
  const width = unit * (isBox(shape) ? shape.width / 2 : shape.radius);
  const vertical = height / METRES_OF_RADIUS / RADIAN;
  // The edge that is nearer to its pole is the longer one in degrees.
  const widest = latitude < 0 ? latitude - vertical : latitude + vertical;
  const horizontal = width / METRES_OF_RADIUS / Math.cos(widest * RADIAN) / RADIAN;
  return {
    west: longitude - horizontal,
    east: longitude + horizontal,
    south: latitude - vertical,
    north: latitude + vertical,
  };
}

/** Halvings after which a cell and those around it cover a shape that reaches so far; about. */
function stepsFor(metres: number, latitude: number): number {
  if (metres === 0) return STEPS;
  let steps = -1;
  for (let reach = metres; reach < MAP_METRES; reach *= 2) steps++;
  for (const narrow of NARROW_LATITUDES) if (Math.abs(latitude) > narrow) steps--;
  return Math.min(Math.max(steps, 1), STEPS);
}

/** In the order in which they are searched, by which results are ordered that nobody has sorted. */
const AROUND = [
  [0, 0],
  [0, 1],
  [0, -1],
  [1, 0],
  [-1, 0],
  [1, 1],
  [-1, 1],
  [1, -1],
  [-1, -1],
] as const;

/** The cell of the shape's middle where its neighbours on all sides reach as far as the shape does; else a larger one. */
function centralCell(shape: Shape, bounds: ReturnType<typeof boundsOf>): Cell {
  const reach = isBox(shape)
    ? Math.sqrt((shape.width / 2) ** 2 + (shape.height / 2) ** 2)
    : shape.radius;
  const steps = stepsFor(reach * shape.unit, shape.latitude);
  const cell = cellOf(shape, steps);
  const isTooSmall =
    areaOf(neighbourOf(cell, 0, 1)).north < bounds.north ||
    areaOf(neighbourOf(cell, 0, -1)).south > bounds.south ||
    areaOf(neighbourOf(cell, 1, 0)).east < bounds.east ||
    areaOf(neighbourOf(cell, -1, 0)).west > bounds.west;
  return isTooSmall && steps > 1 ? cellOf(shape, steps - 1) : cell;
}

/** The scores that positions within a shape may have: at most nine ranges, of which no two overlap. */
export function scoresToSearch(shape: Shape): Scores[] {
  const bounds = boundsOf(shape);
  const cell = centralCell(shape, bounds);
  const area = areaOf(cell);
  const found: Scores[] = [];
  let last: Cell | null = null;
  for (const [east, north] of AROUND) {
    const isBeside = east !== 0 || north !== 0;
    if (isBeside && cell.steps >= 2) {
      if (north < 0 && area.south < bounds.south) continue;
      if (north > 0 && area.north > bounds.north) continue;
      if (east < 0 && area.west < bounds.west) continue;
      if (east > 0 && area.east > bounds.east) continue;
    }
    const neighbour = neighbourOf(cell, east, north);
    // Around a map of four cells each of them is met twice.
    if (isBeside && last !== null && last.x === neighbour.x && last.y === neighbour.y) continue;
    found.push(scoresOf(neighbour));
    if (isBeside) last = neighbour;
  }
  return found;
}
