import type { Random } from '../support/control-network.js';
import type { Call } from './history.js';
import type { Process } from './process.js';
import { newestOf, SplitRound, winnersOf } from './split-round.js';

/** What a run of partitions needs of the simulation. */
export interface Stage {
  readonly now: number;
  readonly keys: readonly string[];
  readonly calls: readonly Call[];
  processes(): Process[];
  /** Runs on for so long; `look` is called after every event. */
  run(forMs: number, look?: () => void): void;
  cut(one: number, other: number): void;
  heal(): void;
  /** Clients stop. */
  hush(): void;
  /** A node is killed after so long, and started again. */
  crash(machine: number, afterMs: number): void;
  /** Clients begin, or go on. */
  go(): void;
  /** Clients stop, and the cluster becomes whole; `look` is called after every event. */
  calmDown(look: () => void): void;
  /** Equal nodes, two copies of each key, and every key read through every node. */
  checkWhole(): void;
  /** Sends a command through some node, and waits for its reply. */
  command(args: readonly string[]): void;
  /** Sends a command through a node of those, and does not wait. */
  send(machines: readonly number[], args: readonly string[]): void;
  /** A node of those is told that the one on that machine is gone for good. */
  forget(machines: readonly number[], gone: number): void;
  /** One of these must be linearizable. */
  check(what: string, key: string, histories: readonly (readonly Call[])[]): void;
  violated(what: string, key: string): void;
  toTrueTime(unixMs: number): number;
  note(text: string): void;
  count(what: string): void;
}

const FLUSH_SHARE = 0.25;
/** Commands that are under way when clients stop are answered by then, as a rule. */
const HUSH_MS = 700;
/** A merge takes about so long. */
const MERGE_MS = 60;

const isMerging = ({ node }: Process): boolean => node.state.mergingSlots > 0;

export interface SplitOptions {
  readonly lastsMs: readonly [number, number];
  readonly sides: 2 | 3;
  /** A node that can be spared is killed while the sides merge. */
  readonly crashes: boolean;
  /** Somebody may be told to forget members of the other side. */
  readonly forgets: boolean;
}

/** Cuts the cluster in two for longer than node-timeout, lets both sides serve, heals it, and checks what became of it. */
export class Splits {
  readonly #stage: Stage;
  readonly #random: Random;
  readonly #options: SplitOptions;

  constructor(stage: Stage, random: Random, options: SplitOptions) {
    this.#stage = stage;
    this.#random = random;
    this.#options = options;
  }

  run(rounds: number): void {
    for (let i = 0; i < rounds; i++) {
      if (this.#options.sides === 2) this.#round();
      else this.#roundOfThree();
    }
  }

  #round(): void {
    const stage = this.#stage;
    const random = this.#random;
    const round = this.#begin();
    const lastsMs = this.#lastsMs();
    const flushes = random.next() < FLUSH_SHARE;
    stage.run(lastsMs * 0.8);
    if (flushes) stage.send(random.pick(round.sides), ['FLUSHALL']);
    if (this.#options.forgets) this.#forget(round);
    stage.run(lastsMs * 0.2);
    const isSplit = round.healed(stage.now, stage.processes());
    stage.note('heal');
    stage.heal();
    let victim = this.#options.crashes ? this.#spare(round) : null;
    const look = (): void => {
      round.look(stage.now, stage.processes());
      if (victim === null || !stage.processes().some(isMerging)) return;
      stage.crash(victim, random.between(0, MERGE_MS));
      stage.count('crashes in a merge');
      victim = null;
    };
    stage.run(random.between(0, 3000), look);
    stage.calmDown(look);
    stage.checkWhole();
    this.#check(round, isSplit);
  }

  /**
   * Three sides meet at once, and become one by one. Nobody writes any more then, so that what is newest is known before.
   */
  #roundOfThree(): void {
    const stage = this.#stage;
    const round = this.#begin();
    stage.run(this.#lastsMs());
    stage.hush();
    stage.run(HUSH_MS);
    const isSplit = round.healed(stage.now, stage.processes());
    const newest = stage.keys.map((key) => winnersOf(stage.processes(), key));
    stage.note('heal');
    stage.heal();
    stage.calmDown(() => undefined);
    stage.checkWhole();
    stage.count(isSplit ? 'merges of three' : 'unsplit');
    if (!isSplit) return;
    stage.keys.forEach((key, index) => {
      const winners = newest[index]!;
      const found = newestOf(stage.processes(), key).value;
      if (winners.some(({ value, expireAt }) => expireAt !== 0 || value === found)) return;
      const values = winners.map(({ value }) => value).join(' or ');
      stage.violated(`${key} is ${found} after the merge, and the newest was ${values}`, key);
    });
  }

  #begin(): SplitRound {
    const stage = this.#stage;
    // What was there before is deleted: it must not come back.
    for (const key of stage.keys) stage.command(['DEL', key]);
    const firstCall = stage.calls.length;
    stage.go();
    stage.run(this.#random.between(200, 2500));
    return this.#cut(firstCall);
  }

  /** Of the other side all are forgotten, or some; or nobody is. */
  #forget({ sides }: SplitRound): void {
    const random = this.#random;
    const [side, other] = random.next() < 0.5 ? sides : [sides[1]!, sides[0]!];
    for (const gone of other!) if (random.next() < 0.6) this.#stage.forget(side!, gone);
  }

  /** Detection takes up to node-timeout and a little more; some cuts are healed soon after. */
  #lastsMs(): number {
    const [shortest, longest] = this.#options.lastsMs;
    return this.#random.between(shortest, this.#random.next() < 0.5 ? 1.3 * shortest : longest);
  }

  #cut(firstCall: number): SplitRound {
    const stage = this.#stage;
    const random = this.#random;
    const machines = stage.processes().map(({ machine }) => machine);
    const sizes: number[] = [];
    for (let left = machines.length, missing = this.#options.sides; missing > 1; missing--) {
      sizes.push(1 + random.below(left - missing + 1));
      left -= sizes.at(-1)!;
    }
    const shuffled = machines
      .map((machine) => ({ machine, luck: random.next() }))
      .sort((x, y) => x.luck - y.luck)
      .map(({ machine }) => machine);
    const sides = [...sizes.map((size) => shuffled.splice(0, size)), shuffled];
    sides.forEach((side, index) => {
      const others = sides.slice(index + 1).flat();
      for (const one of side) for (const other of others) stage.cut(one, other);
    });
    stage.note(`cut ${sides.map((side) => side.join(' ')).join(' from ')}`);
    return new SplitRound(firstCall, stage.now, sides, stage.processes(), stage.keys);
  }

  /** A node whose death loses nothing, as its side has two copies of everything. */
  #spare({ sides }: SplitRound): number | null {
    const safe = sides.filter((side) =>
      this.#stage
        .processes()
        .filter(({ machine }) => side.includes(machine))
        .every(({ node }) => side.length > 1 && node.keysWithoutBackup() === 0),
    );
    return safe.length === 0 ? null : this.#random.pick(this.#random.pick(safe));
  }

  #check(round: SplitRound, isSplit: boolean): void {
    const stage = this.#stage;
    const calls = stage.calls.slice(round.firstCall);
    const sideOf = (call: Call): number =>
      round.sides.findIndex((side) => side.includes(Number(/^n(\d+)\./.exec(call.node)![1])));
    const survivor = isSplit && round.frozenAt === 0 ? round.survivor(stage.processes()) : -1;
    if (survivor >= 0) {
      stage.count('discards');
      for (const key of stage.keys) {
        const history = round.survivorHistory(survivor, key, calls, sideOf);
        stage.check(`${key} on the side that stayed`, key, [history]);
      }
      return;
    }
    if (!isSplit || round.frozenAt === 0) {
      // One side was left out before it knew of the cut, and has come back empty.
      stage.count('unsplit');
      return;
    }
    stage.count('merges');
    for (const key of stage.keys) {
      if (!round.isKeptBySoleChanger(key, calls, sideOf)) {
        stage.violated(`${key} was changed on one side only, and is not what it was there`, key);
      }
      round.sides.forEach((side, index) => {
        const history = round.sideHistory(index, key, calls, sideOf);
        stage.check(`${key} on the side of ${side.join(' ')}`, key, [history]);
      });
      const histories = round
        .winners(key)
        .map((one) => round.mergedHistory(key, one, calls, (unixMs) => stage.toTrueTime(unixMs)));
      stage.check(`${key} from the merge on`, key, histories);
    }
  }
}
