import { HEADER_UNITS, inlineUnits, UNIT_BYTES } from './entry.js';

/** A page holds entries of one size class. Small pages keep the unfilled last page of each class cheap. */
export const PAGE_UNITS = 32 * 1024;
export const PAGE_UNITS_SHIFT = 15;
export const PAGE_BYTES: number = PAGE_UNITS * UNIT_BYTES;

/**
 * Largest entry in the slab: an eighth of a page, so that even the largest classes lose little at the end of a page.
 * What is larger gets an allocation of its own.
 */
export const ENTRY_UNITS_MAX = PAGE_UNITS / 8;

/** A value of so many bytes is in an allocation of its own, whatever its key. */
export const LARGE_VALUE_BYTES = ENTRY_UNITS_MAX * UNIT_BYTES;

/** Whether an entry with so many bytes of key and value gets an allocation of its own. */
export const isLargePayload = (bytes: number): boolean => inlineUnits(bytes) > ENTRY_UNITS_MAX;

/**
 * Each class is at most this much larger than the one before (small ones by a unit): half of the step is lost to
 * rounding, on average. Finer steps lose less there, and more in the last page of each class: at some 256 MB of
 * entries of 200 to 2000 bytes 1.03 to 1.06 come to the same, with more entries the finer ones are better.
 */
const CLASS_STEP = 1.04;

/** Units of an entry of class i. */
export const classUnits: Uint16Array = sizes();
/** Entries of class i that fit into a page. */
export const classPerPage: Uint16Array = classUnits.map((units) => Math.floor(PAGE_UNITS / units));
/** The class for an entry of n units. */
export const classOfUnits: Uint8Array = lookup();

function sizes(): Uint16Array {
  const units: number[] = [];
  let wanted = HEADER_UNITS;
  while (wanted <= ENTRY_UNITS_MAX) {
    // The largest size of which as many fit into a page: what would be lost at the end of the page is usable.
    const size = Math.floor(PAGE_UNITS / Math.floor(PAGE_UNITS / wanted));
    units.push(size);
    const next = Math.max(size + 1, Math.floor(size * CLASS_STEP));
    wanted = size < ENTRY_UNITS_MAX ? Math.min(next, ENTRY_UNITS_MAX) : next;
  }
  return Uint16Array.from(units);
}

function lookup(): Uint8Array {
  const classes = new Uint8Array(ENTRY_UNITS_MAX + 1);
  let sizeClass = 0;
  for (let units = 0; units <= ENTRY_UNITS_MAX; units++) {
    if (units > classUnits[sizeClass]!) sizeClass++;
    classes[units] = sizeClass;
  }
  return classes;
}
