import { SLOTS } from '../protocol/crc16.js';
import { DATABASES_MAX, ROLES, Role } from './entry.js';

/** What of each kind the store holds, kept up to date with every change. */
export class StoreCounts {
  /** Entries, at role * DATABASES_MAX + database. */
  private readonly byRoleAndDatabase = new Uint32Array(ROLES * DATABASES_MAX);
  private readonly byRole = new Uint32Array(ROLES);
  private readonly valueBytesByRole = new Float64Array(ROLES);
  private readonly expiringByDatabase = new Uint32Array(DATABASES_MAX);
  private readonly tombstonesBySlot = new Uint32Array(SLOTS);
  private expiring = 0;

  /** Adds an entry (sign 1) or takes it out again (sign -1). */
  entry(sign: 1 | -1, role: Role, db: number, slot: number, valueBytes: number): void {
    this.byRoleAndDatabase[role * DATABASES_MAX + db]! += sign;
    this.byRole[role]! += sign;
    this.valueBytesByRole[role]! += sign * valueBytes;
    if (role === Role.Tombstone) this.tombstonesBySlot[slot]! += sign;
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

  tombstonesIn(slot: number): number {
    return this.tombstonesBySlot[slot]!;
  }

  clear(): void {
    this.byRoleAndDatabase.fill(0);
    this.byRole.fill(0);
    this.valueBytesByRole.fill(0);
    this.expiringByDatabase.fill(0);
    this.tombstonesBySlot.fill(0);
    this.expiring = 0;
  }
}
