import { formatFixed, parseDouble } from '../protocol/numbers.js';
import type { ReplyWriter } from '../protocol/reply-writer.js';
import type { Request } from '../protocol/request.js';
import { LATITUDE_MAX, LONGITUDE_MAX, type Position } from '../store/geo/geohash.js';
import { Errors } from './errors.js';

/** Decimals of a refused degree in its error. */
const REFUSED_DECIMALS = 6;

/** Metres. */
const UNITS: readonly (readonly [name: string, metres: number])[] = [
  ['M', 1],
  ['KM', 1000],
  ['FT', 0.3048],
  ['MI', 1609.34],
];

/** A finite or infinite number; undefined after an error reply. */
export function doubleOrReply(
  request: Request,
  index: number,
  reply: ReplyWriter,
  error: string = Errors.notFloat,
): number | undefined {
  const value = parseDouble(request.buffer, request.start[index]!, request.end[index]!);
  if (!Number.isNaN(value)) return value;
  reply.error(error);
  return undefined;
}

/** Longitude and latitude from argument `index` on; null after an error reply. */
export function positionOrReply(
  request: Request,
  index: number,
  reply: ReplyWriter,
): Position | null {
  const longitude = doubleOrReply(request, index, reply);
  const latitude = longitude === undefined ? undefined : doubleOrReply(request, index + 1, reply);
  if (longitude === undefined || latitude === undefined) return null;
  if (Math.abs(longitude) <= LONGITUDE_MAX && Math.abs(latitude) <= LATITUDE_MAX) {
    return { longitude, latitude };
  }
  const pair = [longitude, latitude].map((one) => formatFixed(one, REFUSED_DECIMALS));
  reply.error(`ERR invalid longitude,latitude pair ${pair}`);
  return null;
}

/** Metres of the unit that an argument names; null after an error reply. */
export function unitOrReply(request: Request, index: number, reply: ReplyWriter): number | null {
  const unit = UNITS.find(([name]) => request.is(index, name));
  if (unit !== undefined) return unit[1];
  reply.error('ERR unsupported unit provided. please use M, KM, FT, MI');
  return null;
}
