/**
 * Strangers at a door: connections of which nobody knows yet who is at the other end, so many at a time. With one more the
 * oldest goes of the address that has the most: a flood drives out itself, and not the members and clients between.
 */
export class Lobby<Guest> {
  readonly #max: number;
  readonly #hosts = new Map<Guest, string>();
  /** Oldest first. */
  readonly #byHost = new Map<string, Set<Guest>>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#hosts.size;
  }

  /** Returns who has to go, and is no guest any more; null for nobody. */
  enter(guest: Guest, host: string): Guest | null {
    const leaving = this.#hosts.size < this.#max ? null : this.makeRoom();
    const neighbours = this.#byHost.get(host) ?? new Set();
    this.#byHost.set(host, neighbours.add(guest));
    this.#hosts.set(guest, host);
    return leaving;
  }

  /** One goes before the lobby is full, as for one more; null where there is nobody. */
  makeRoom(): Guest | null {
    const leaving = this.#oldestOfMost();
    if (leaving !== null) this.leave(leaving);
    return leaving;
  }

  leave(guest: Guest): void {
    const host = this.#hosts.get(guest);
    if (host === undefined) return;
    this.#hosts.delete(guest);
    const neighbours = this.#byHost.get(host)!;
    neighbours.delete(guest);
    if (neighbours.size === 0) this.#byHost.delete(host);
  }

  #oldestOfMost(): Guest | null {
    let most = new Set<Guest>();
    for (const guests of this.#byHost.values()) if (guests.size > most.size) most = guests;
    const [oldest] = most;
    return oldest ?? null;
  }
}
