/*
 * A position is kept as the score of a sorted set: each of the two ranges, that of longitudes and that of latitudes, is halved 26 times,
 * and the bits that say which half it was are interleaved, from the highest on longitude first. So the cells of any coarser
 * halving are ranges of scores.
 *
 * Scores that no position has (ZADD gives any) are read as Redis does on x86-64: as 64 bits, of which 32 are each coordinate.
 */

/** Degrees. */
export interface Position {
  longitude: number;
  latitude: number;
}

/** Cells of both ranges that are halved `steps` times; the last cell of each has its upper end, as cell 2^steps. */
export interface Cell {
  readonly x: number;
  readonly y: number;
  readonly steps: number;
}

/** Degrees. */
export interface Area {
  readonly west: number;
  readonly east: number;
  readonly south: number;
  readonly north: number;
}

export const LONGITUDE_MAX = 180;
/** The poles have no place on the map that is halved. */
export const LATITUDE_MAX = 85.05112878;
/** Halvings of which a score has the bits. */
export const STEPS = 26;

const WORD = 2 ** 32;
const UINT64 = 2n ** 64n;
const INT64_LIMIT = 2 ** 63;
const BASE32 = '0123456789bcdefghjkmnpqrstuvwxyz';
/** Characters that 52 bits give; the API has one more. */
const HASH_CHARACTERS = 10;
const HASH_LATITUDE_MAX = 90;

/** Sixteen bits, each with a zero above it. */
function spread(bits: number): number {
  let spaced = bits & 0xffff;
  spaced = (spaced | (spaced << 8)) & 0x00ff00ff;
  spaced = (spaced | (spaced << 4)) & 0x0f0f0f0f;
  spaced = (spaced | (spaced << 2)) & 0x33333333;
  return (spaced | (spaced << 1)) & 0x55555555;
}

/** Every second bit of 32, from the lowest on. */
function gather(bits: number): number {
  let close = bits & 0x55555555;
  close = (close | (close >>> 1)) & 0x33333333;
  close = (close | (close >>> 2)) & 0x0f0f0f0f;
  close = (close | (close >>> 4)) & 0x00ff00ff;
  return (close | (close >>> 8)) & 0xffff;
}

const interleavedWord = (x: number, y: number): number => (spread(y) | (spread(x) << 1)) >>> 0;

function interleaved({ x, y }: Cell): bigint {
  const high = interleavedWord(x >>> 16, y >>> 16);
  return (BigInt(high) << 32n) | BigInt(interleavedWord(x, y));
}

export function cellOf(
  { longitude, latitude }: Position,
  steps: number,
  latitudeMax: number = LATITUDE_MAX,
): Cell {
  const cells = 2 ** steps;
  const y = ((latitude + latitudeMax) / (2 * latitudeMax)) * cells;
  const x = ((longitude + LONGITUDE_MAX) / (2 * LONGITUDE_MAX)) * cells;
  return { x: Math.trunc(x), y: Math.trunc(y), steps };
}

/** The score of a position within the bounds above. */
export function scoreOf(position: Position): number {
  return Number(interleaved(cellOf(position, STEPS)));
}

/** Scores of the positions in a cell: from `min` on, below `max`. */
export function scoresOf(cell: Cell): { readonly min: number; readonly max: number } {
  const shift = BigInt(2 * (STEPS - cell.steps));
  const bits = interleaved(cell);
  return { min: Number(bits << shift), max: Number((bits + 1n) << shift) };
}

/** What a C compiler for x86-64 makes of a score that is no unsigned integer of 64 bits: its higher and lower half. */
function wordsOfOther(score: number): [high: number, low: number] {
  if (score >= 0) return [0, 0];
  if (score < -INT64_LIMIT) return [WORD / 2, 0];
  const bits = BigInt.asUintN(64, BigInt(Math.trunc(score)) + UINT64);
  return [Number(bits >> 32n), Number(bits & 0xffffffffn)];
}

const clamp = (value: number, limit: number): number => Math.min(Math.max(value, -limit), limit);

/** The middle between two ends of a cell. `cell + 1` has 32 bits, too. */
function middle(cell: number, limit: number): number {
  const cells = 2 ** STEPS;
  const from = -limit + (cell / cells) * (2 * limit);
  const to = -limit + (((cell + 1) >>> 0) / cells) * (2 * limit);
  return clamp((from + to) / 2, limit);
}

/** Sets `position` to the middle of the cell that a score stands for. */
export function readPosition(score: number, position: Position): void {
  const whole = Math.trunc(score);
  let high = Math.floor(whole / WORD);
  let low = whole - high * WORD;
  if (!(whole >= 0 && high < WORD)) [high, low] = wordsOfOther(score);
  const x = (gather(high >>> 1) * 0x10000 + gather(low >>> 1)) >>> 0;
  const y = (gather(high) * 0x10000 + gather(low)) >>> 0;
  position.longitude = middle(x, LONGITUDE_MAX);
  position.latitude = middle(y, LATITUDE_MAX);
}

export function areaOf({ x, y, steps }: Cell): Area {
  const cells = 2 ** steps;
  const at = (cell: number, limit: number): number => -limit + (cell / cells) * (2 * limit);
  return {
    west: at(x, LONGITUDE_MAX),
    east: at(x + 1, LONGITUDE_MAX),
    south: at(y, LATITUDE_MAX),
    north: at(y + 1, LATITUDE_MAX),
  };
}

/** The cell so many cells to the east and to the north, around the edges of the map. */
export function neighbourOf({ x, y, steps }: Cell, east: -1 | 0 | 1, north: -1 | 0 | 1): Cell {
  const last = 2 ** steps - 1;
  return {
    x: east === 0 ? x : (x + east) & last,
    y: north === 0 ? y : (y + north) & last,
    steps,
  };
}

/** The geohash that others know, of which the map has both poles: eleven characters, the last one always 0. */
export function geohashOf(position: Position): string {
  const bits = interleaved(cellOf(position, STEPS, HASH_LATITUDE_MAX));
  let text = '';
  for (let i = 1; i <= HASH_CHARACTERS; i++) {
    text += BASE32[Number((bits >> BigInt(2 * STEPS - 5 * i)) & 31n)];
  }
  return `${text}0`;
}
