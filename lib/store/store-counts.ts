import { DATABASES_MAX, PEERS, ROLES, Role } from './entry.js';
import { SlotCounts } from './slot-counts.js';

/** What of each kind the store holds, kept up to date with every change. Databases are those numbers that entries carry. */
export class StoreCounts {
  readonly tombstones = new SlotCounts();
  /** Entries, at role * DATABASES_MAX + database. */
  private readonly byRoleAndDatabase = new Uint32Array(ROLES * DATABASES_MAX);
  private readonly byRole = new Uint32Array(ROLES);
  /** Copies, at role * PEERS + number of the other holder. */
  private readonly byRoleAndPeer = new Uint32Array((Role.Backup + 1) * PEERS);
  private readonly valueBytesByRole = new Float64Array(ROLES);
  private readonly expiringByDatabase = new Uint32Array(DATABASES_MAX);
  private expiring = 0;

  /** Adds an entry (sign 1) or takes it out again (sign -1). */
  entry(
    sign: 1 | -1,
    role: Role,
    db: number,
    slot: number,
    peer: number,
    valueBytes: number,
  ): void {
    this.byRoleAndDatabase[role * DATABASES_MAX + db]! += sign;
    this.byRole[role]! += sign;
    this.valueBytesByRole[role]! += sign * valueBytes;
    this.peer(sign, role, peer);
    if (role === Role.Tombstone) this.tombstones.add(slot, sign);
  }

  /** The same for the other holder of a copy alone. */
  peer(sign: 1 | -1, role: Role, peer: number): void {
    if (role <= Role.Backup) this.byRoleAndPeer[role * PEERS + peer]! += sign;
  }

  withPeer(role: Role, peer: number): number {
    return this.byRoleAndPeer[role * PEERS + peer]!;
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
    this.byRoleAndPeer.fill(0);
    this.valueBytesByRole.fill(0);
    this.expiringByDatabase.fill(0);
    this.tombstones.clear();
    this.expiring = 0;
  }
}
