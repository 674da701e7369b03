import { DATABASES_MAX, ROLES, Role } from './entry.js';
import { SlotCounts } from './slot-counts.js';

/** What of each kind the store holds, kept up to date with every change. Databases are those numbers that entries carry. */
export class StoreCounts {
  readonly tombstones = new SlotCounts();
  /** Entries, at role * DATABASES_MAX + database. */
  private readonly byRoleAndDatabase = new Uint32Array(ROLES * DATABASES_MAX);
  private readonly byRole = new Uint32Array(ROLES);
  private readonly valueBytesByRole = new Float64Array(ROLES);
  private readonly expiringByDatabase = new Uint32Array(DATABASES_MAX);
  private expiring = 0;

  /** Adds an entry (sign 1) or takes it out again (sign -1). */
  entry(sign: 1 | -1, role: Role, db: number, slot: number, valueBytes: number): void {
    this.byRoleAndDatabase[role * DATABASES_MAX + db]! += sign;
    this.byRole[role]! += sign;
    this.valueBytesByRole[role]! += sign * valueBytes;
    if (role === Role.Tombstone) this.tombstones.add(slot, sign);
  }

  /** The same for a primary entry's expiry. */
  expiry(sign: 1 | -1, db: number): void {
    this.expiringByDatabase[db]! += sign;
    this.expiring += sign;
  }

  value(role: Role, bytes: number): void {
    this.valueBytesByRole[role]! += bytes;
  }

  of(db: number, role: Role): number {
    return this.byRoleAndDatabase[role * DATABASES_MAX + db]!;
  }

  ofRole(role: Role): number {
    return this.byRole[role]!;
  }

  valueBytes(role: Role): number {
    return this.valueBytesByRole[role]!;
  }

  withExpiry(db: number): number {
    return this.expiringByDatabase[db]!;
  }

  get allWithExpiry(): number {
    return this.expiring;
  }

  clear(): void {
    this.byRoleAndDatabase.fill(0);
    this.byRole.fill(0);
    this.valueBytesByRole.fill(0);
    this.expiringByDatabase.fill(0);
    this.tombstones.clear();
    this.expiring = 0;
  }
}
