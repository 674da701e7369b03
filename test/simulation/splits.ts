import type { Random } from '../support/control-network.js';
import type { Call } from './history.js';
import type { Process } from './process.js';
import { SplitRound } from './split-round.js';

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
  /** One of these must be linearizable. */
  check(what: string, key: string, histories: readonly (readonly Call[])[]): void;
  violated(what: string, key: string): void;
  toTrueTime(unixMs: number): number;
  note(text: string): void;
  count(what: string): void;
}

const FLUSH_SHARE = 0.25;

/** Cuts the cluster in two for longer than node-timeout, lets both sides serve, heals it, and checks what became of it. */
export class Splits {
  readonly #stage: Stage;
  readonly #random: Random;
  readonly #lastsMs: readonly [number, number];

  constructor(stage: Stage, random: Random, lastsMs: readonly [number, number]) {
    this.#stage = stage;
    this.#random = random;
    this.#lastsMs = lastsMs;
  }

  run(rounds: number): void {
    for (let i = 0; i < rounds; i++) this.#round();
  }

  #round(): void {
    const stage = this.#stage;
    const random = this.#random;
    // What was there before is deleted: it must not come back.
    for (const key of stage.keys) stage.command(['DEL', key]);
    const firstCall = stage.calls.length;
    stage.go();
    stage.run(random.between(200, 2500));
    const round = this.#cut(firstCall);
    // Detection takes up to node-timeout and a little more; some cuts are healed soon after.
    const [shortest, longest] = this.#lastsMs;
    const lastsMs = random.between(shortest, random.next() < 0.5 ? 1.3 * shortest : longest);
    const flushes = random.next() < FLUSH_SHARE;
    stage.run(lastsMs * 0.8);
    if (flushes) stage.send(random.pick(round.sides), ['FLUSHALL']);
    stage.run(lastsMs * 0.2);
    const isSplit = round.healed(stage.now, stage.processes());
    stage.note('heal');
    stage.heal();
    const look = (): void => round.look(stage.now, stage.processes());
    stage.run(random.between(0, 3000), look);
    stage.calmDown(look);
    stage.checkWhole();
    this.#check(round, isSplit);
  }

  #cut(firstCall: number): SplitRound {
    const stage = this.#stage;
    const random = this.#random;
    const machines = stage.processes().map(({ machine }) => machine);
    const inFirst = 1 + random.below(machines.length - 1);
    const shuffled = machines
      .map((machine) => ({ machine, luck: random.next() }))
      .sort((a, b) => a.luck - b.luck)
      .map(({ machine }) => machine);
    const sides = [shuffled.slice(0, inFirst), shuffled.slice(inFirst)];
    for (const one of sides[0]!) for (const other of sides[1]!) stage.cut(one, other);
    stage.note(`cut ${sides[0]!.join(' ')} from ${sides[1]!.join(' ')}`);
    return new SplitRound(firstCall, stage.now, sides, stage.processes(), stage.keys);
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
