import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Histogram } from '../../base/histogram.js';
import type { Access } from './asking.js';
import { BenchConnection, encode } from './bench-connection.js';
import type { NodeLine } from './show-status.js';

/** What a load that was ended by force leaves behind expires by itself, seconds. */
const EXPIRY_SECONDS = 600;
/** Keys that are removed by one command. */
const KEYS_PER_REMOVAL = 100;
/** A connection that has lost its node takes the next one after so long, milliseconds. */
const RECONNECT_MS = 100;

export interface LoadOptions extends Access {
  readonly connections: number;
  readonly depth: number;
  readonly keys: number;
  /** Bytes. */
  readonly size: number;
}

/** The commands of one session, as bytes. */
interface Session {
  readonly read: Buffer;
  readonly write: Buffer;
  readonly touch: Buffer;
}

/**
 * Session traffic: a page reads its session and then touches it, or, every other time, writes it. Each connection has
 * sessions of its own, as behind a sticky balancer. The keys begin with a prefix that was drawn, and a key that is
 * there before is none of ours: it ends the load.
 */
export class BenchLoad {
  readonly prefix = `tandis-bench:${randomBytes(9).toString('base64url')}:`;
  /** Of all commands since the last `reset`. */
  readonly times = new Histogram();
  errors = 0;
  /** The first words of the first error. */
  firstError: string | null = null;
  readonly #options: LoadOptions;
  readonly #members: readonly NodeLine[];
  readonly #lines: Line[];
  #isOver = false;

  constructor(members: readonly NodeLine[], options: LoadOptions) {
    this.#members = members;
    this.#options = options;
    const keys = Array.from({ length: options.keys }, (_, i) => `${this.prefix}${i}`);
    const value = randomBytes(Math.ceil(options.size / 2))
      .toString('hex')
      .slice(0, options.size);
    this.#lines = Array.from({ length: options.connections }, (_, i) => {
      const own = keys.filter((_key, k) => k % options.connections === i);
      return { place: i % members.length, connection: null, keys: own, created: 0, value, turn: 0 };
    });
  }

  /** Connects, and creates the sessions. Throws when it cannot. */
  async prepare(): Promise<void> {
    await Promise.all(
      this.#lines.map(async (line) => {
        await this.#connect(line);
        for (const key of line.keys) {
          if (this.#isOver) return;
          const words = ['SET', key, line.value, 'EX', String(EXPIRY_SECONDS), 'NX'];
          const reply = await line.connection!.ask(encode(...words));
          if (reply === null) throw new Error(`${key} is there already: somebody else's`);
          line.created++;
        }
      }),
    );
  }

  /** Runs until `end`; what was under way then is waited for. */
  async run(): Promise<void> {
    const { depth } = this.#options;
    await Promise.all(
      this.#lines
        .filter(({ keys }) => keys.length > 0)
        .flatMap((line) => Array.from({ length: depth }, () => this.#browse(line))),
    );
  }

  end(): void {
    this.#isOver = true;
  }

  /** Removes what it has created. Resolves to the number of keys that are left, as no node took the command. */
  async remove(): Promise<number> {
    this.#isOver = true;
    let left = 0;
    for (const line of this.#lines) {
      for (let from = 0; from < line.created; from += KEYS_PER_REMOVAL) {
        const some = line.keys.slice(from, Math.min(from + KEYS_PER_REMOVAL, line.created));
        left += await this.#unlink(line, some);
      }
      line.connection?.close();
    }
    return left;
  }

  async #unlink(line: Line, keys: readonly string[]): Promise<number> {
    for (const _ of this.#members) {
      try {
        await this.#connect(line);
        await line.connection!.ask(encode('UNLINK', ...keys));
        return 0;
      } catch {
        line.connection?.close();
        line.place = (line.place + 1) % this.#members.length;
      }
    }
    return keys.length;
  }

  async #connect(line: Line): Promise<void> {
    if (line.connection?.isOpen) return;
    const { host, port } = this.#members[line.place]!;
    line.connection = await BenchConnection.open(host, port, this.#options);
  }

  async #browse(line: Line): Promise<void> {
    const sessions = line.keys.map((key) => sessionOf(key, line.value));
    while (!this.#isOver) {
      const turn = line.turn++;
      const session = sessions[turn % sessions.length]!;
      const isWrite = Math.floor(turn / sessions.length + turn) % 2 === 1;
      await this.#time(line, session.read);
      await this.#time(line, isWrite ? session.write : session.touch);
    }
  }

  async #time(line: Line, command: Buffer): Promise<void> {
    const since = performance.now();
    try {
      await line.connection!.ask(command);
      this.times.record(performance.now() - since);
    } catch (error) {
      this.errors++;
      this.firstError ??= (error as Error).message;
      if (!line.connection!.isOpen) await this.#moveOn(line);
    }
  }

  /** As a balancer would: the next member. Those that wait on the same line move once. */
  #moveOn(line: Line): Promise<void> {
    line.moving ??= (async () => {
      await delay(RECONNECT_MS);
      line.place = (line.place + 1) % this.#members.length;
      await this.#connect(line).catch(() => undefined);
      line.moving = undefined;
    })();
    return line.moving;
  }
}

/** A connection and its sessions. */
interface Line {
  /** Which member it is connected to. */
  place: number;
  connection: BenchConnection | null;
  readonly keys: readonly string[];
  /** So many of the keys exist. */
  created: number;
  readonly value: string;
  turn: number;
  moving?: Promise<void> | undefined;
}

function sessionOf(key: string, value: string): Session {
  return {
    read: encode('GET', key),
    write: encode('SET', key, value, 'EX', String(EXPIRY_SECONDS)),
    touch: encode('EXPIRE', key, String(EXPIRY_SECONDS)),
  };
}
