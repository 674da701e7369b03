import { DATABASES_MAX } from './entry.js';

/**
 * The number that entries carry for each database: SWAPDB exchanges two of them. It is this store's own affair: two
 * stores with the same keys may number their databases differently, so nothing that they compare may depend on it.
 */
export class DatabaseNumbers {
  /** Number by database, and the other way round. */
  readonly numbers = Uint8Array.from({ length: DATABASES_MAX }, (_, db) => db);
  readonly byNumber = Uint8Array.from(this.numbers);

  swap(first: number, second: number): void {
    const { numbers, byNumber } = this;
    const number = numbers[first]!;
    numbers[first] = numbers[second]!;
    numbers[second] = number;
    byNumber[numbers[first]!] = first;
    byNumber[numbers[second]!] = second;
  }
}
