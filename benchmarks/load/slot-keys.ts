import { keySlot } from '../../lib/protocol/crc16.js';
import { EMPTY_KEY, writeKeyNumber } from './request-bytes.js';
import type { Endpoint } from './run-spec.js';

/** For each endpoint the numbers below `keys` whose keys are in its slots: what a cluster's client would ask it for. */
export function keysBySlots(endpoints: readonly Endpoint[], keys: number): Int32Array[] {
  const key = Buffer.from(EMPTY_KEY, 'latin1');
  const found = endpoints.map((): number[] => []);
  for (let number = 0; number < keys; number++) {
    writeKeyNumber(key, 0, number);
    const slot = keySlot(key, 0, key.length);
    const owner = endpoints.findIndex(({ slots = [] }) =>
      slots.some(([first, last]) => first <= slot && slot <= last),
    );
    if (owner < 0) throw new Error(`slot ${slot} is at none of the endpoints`);
    found[owner]!.push(number);
  }
  return found.map((numbers) => Int32Array.from(numbers));
}
