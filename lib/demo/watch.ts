import { Redis } from 'ioredis';
import type { Place } from './place.js';

/** Milliseconds that a node has to say how it is. */
const ANSWER_MS = 1000;

/** What a place is doing, as its node says. */
export interface PlaceStatus {
  readonly route: string;
  readonly address: string;
  /** Of the node; null while none runs. */
  readonly pid: number | null;
  readonly state: 'dead' | 'starting' | 'serving';
  readonly primaries: number;
  readonly backups: number;
  readonly memoryBytes: number;
  readonly operationsPerSecond: number;
  /** Members that it knows of. */
  readonly members: number;
  /** Keys of the whole cluster that have one copy; null when it cannot tell. */
  readonly withoutBackup: number | null;
  readonly settled: boolean;
}

/** Asks one place after the other, and keeps its connections. */
export class Watch {
  readonly #places: readonly Place[];
  readonly #clients = new Map<Place, Redis>();

  constructor(places: readonly Place[]) {
    this.#places = places;
  }

  close(): void {
    for (const client of this.#clients.values()) client.disconnect();
    this.#clients.clear();
  }

  look(): Promise<PlaceStatus[]> {
    return Promise.all(this.#places.map((place) => this.#lookAt(place)));
  }

  async #lookAt(place: Place): Promise<PlaceStatus> {
    const text = place.pid === null ? '' : await this.#info(place);
    const field = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(text)?.[1];
    const number = (name: string) => Number(field(name) ?? 0);
    const serves = field('serving') === '1' && place.applicationPort !== null;
    const running = serves ? 'serving' : 'starting';
    const without = field('keys_without_backup');
    return {
      route: place.route,
      address: place.address,
      pid: place.pid,
      state: place.pid === null ? 'dead' : running,
      primaries: number('primaries'),
      backups: number('backups'),
      memoryBytes: number('used_memory'),
      operationsPerSecond: number('instantaneous_ops_per_sec'),
      members: number('members'),
      withoutBackup: without === undefined ? null : Number(without),
      settled: field('settled') === '1',
    };
  }

  /** Empty when it does not answer. */
  async #info(place: Place): Promise<string> {
    try {
      const sections = ['tandis', 'stats', 'memory'];
      return String(await this.#client(place).call('INFO', ...sections));
    } catch {
      return '';
    }
  }

  #client(place: Place): Redis {
    const known = this.#clients.get(place);
    if (known !== undefined && known.status !== 'end') return known;
    const client = new Redis({
      port: place.port,
      host: '127.0.0.1',
      retryStrategy: null,
      enableReadyCheck: false,
      maxRetriesPerRequest: 0,
      commandTimeout: ANSWER_MS,
    });
    client.on('error', () => undefined);
    this.#clients.set(place, client);
    return client;
  }
}
