import type { Incarnation } from '../../lib/cluster/member.js';
import type { Random } from '../support/control-network.js';
import type { Victims } from './faults.js';

/** How often it is tried to have a lost member forgotten. */
const FORGET_MS = 200;
/** Nodes that are told to leave together are told one after the other, within so long. */
export const TOLD_MS_MAX = 60;
/** Who is killed in the midst of a stop of all is so within so long from when it only waits for the others. */
const KILL_MS_MAX = 30;
const ENDING_LOOK_MS = 2;
/** All machines of a cluster that was stopped are started again within so long. */
const START_MS_MAX = 1500;
/** Where all parts are there, and nothing is in the way, they are loaded within so long; a part that does not come is waited for longer. */
const LOADED_MS_MAX = 10_000;
const LOOK_MS = 50;
/** Of the starts with snapshots, so many see one node killed or frozen while they are loaded, within so long, for so long. */
const CRASH_SHARE = 0.4;
const CRASH_MS_MAX = 400;
const AWAY_MS_MAX = 3000;
/** Of the machines without a snapshot of the cluster that was stopped, so many have an older one put there. */
const OLD_SHARE = 0.3;

/** What operators do to a cluster as a whole. */
export class Operations {
  readonly #victims: Victims;
  readonly #random: Random;
  /** Machines that were, and what is down of these still is: a cluster that begins waits for who does not answer. */
  readonly #unplugged = new Set<number>();
  #open = 0;
  /** One was killed as all stopped, and has written nothing. */
  #isPartMissing = false;
  isStopping = false;

  constructor(victims: Victims, random: Random) {
    this.#victims = victims;
    this.#random = random;
  }

  /** Operations that are not through yet. */
  get open(): number {
    return this.#open;
  }

  /** One is lost for good, with its machine or not, and then forgotten. */
  lose(machine: number, up: readonly number[]): void {
    const victims = this.#victims;
    if (up.length < 2) return;
    victims.note(`lose machine ${machine}`);
    const id = victims.memberAt(machine)!;
    if (this.#random.next() < 0.5) {
      victims.unplug(machine);
      this.#unplugged.add(machine);
    } else victims.kill(machine);
    this.#open++;
    this.#forget(id, false);
  }

  /** Said again until it is done, and with FORCE where that is asked for. */
  #forget(id: Incarnation, certain: boolean): void {
    const victims = this.#victims;
    victims.at(this.#random.between(0, FORGET_MS), () => {
      const up = victims.up();
      const at = up.length === 0 ? null : this.#random.pick(up);
      const outcome = at === null ? null : victims.forget(at, id, certain);
      if (outcome !== null)
        victims.note(`machine ${at} is to forget ${id.slice(0, 6)}: ${outcome}`);
      if (outcome === 'forgotten' || outcome === 'unknown') this.#open--;
      else this.#forget(id, certain || outcome === 'unproven');
    });
  }

  /** Anybody is said to be gone, who is or is not. */
  misjudge(up: readonly number[], all: readonly number[]): void {
    const machine = this.#random.pick([...all]);
    const at = this.#random.pick(up);
    const id = this.#victims.memberAt(machine);
    if (id === null) return;
    const outcome = this.#victims.forget(at, id, false);
    this.#victims.note(`machine ${at} is to forget machine ${machine}: ${outcome}`);
  }

  /** All leave, at one moment or one after the other, and are started again. */
  stop(up: readonly number[], atOnce: boolean): void {
    this.#victims.note(`all stop ${atOnce ? 'at once' : 'one by one'}`);
    this.isStopping = true;
    this.#isPartMissing = false;
    this.#open++;
    if (!atOnce) return this.#stopNext([...up], up);
    let left = up.length;
    const ended = (): void => {
      left -= 1;
      if (left === 0) this.#stopped(up);
    };
    for (const machine of up) {
      this.#victims.at(this.#random.between(0, TOLD_MS_MAX), () => {
        if (this.#victims.up().includes(machine)) this.#victims.leave(machine, ended);
        else ended();
      });
    }
  }

  /** One of those who stop is killed before it has, if there is time. */
  killInTheMidst(up: readonly number[]): void {
    const machine = this.#random.pick(up);
    this.#killOnceEnding(machine, this.#victims.memberAt(machine)!);
  }

  /** Before, the others may have handed over to it, so that its death is one too many. */
  #killOnceEnding(machine: number, id: Incarnation): void {
    const victims = this.#victims;
    const isThere = (): boolean =>
      !victims.down().includes(machine) && victims.memberAt(machine) === id;
    if (!isThere()) return;
    if (!victims.isEnding(machine)) {
      victims.at(ENDING_LOOK_MS, () => this.#killOnceEnding(machine, id));
      return;
    }
    victims.at(this.#random.between(0, KILL_MS_MAX), () => {
      if (!isThere()) return;
      victims.note(`kill machine ${machine} as all stop`);
      victims.kill(machine);
      this.#isPartMissing = true;
    });
  }

  #stopNext(left: number[], all: readonly number[]): void {
    const machine = left.splice(this.#random.below(left.length), 1)[0];
    if (machine === undefined) return this.#stopped(all);
    this.#victims.leave(machine, () => {
      if (left.length === 0) this.#stopped(all);
      else this.#stopNext(left, all);
    });
  }

  #stopped(machines: readonly number[]): void {
    const victims = this.#victims;
    const random = this.#random;
    victims.stopped();
    for (const machine of machines) {
      if (!victims.hasSnapshot(machine) && random.next() < OLD_SHARE) victims.putBackOld(machine);
    }
    let missing = machines.length;
    for (const machine of machines) {
      victims.at(random.between(0, START_MS_MAX), () => {
        victims.start(machine, machines.length);
        missing -= 1;
        if (missing === 0) this.#started(machines);
      });
    }
  }

  /** All were started. One may be killed, or freeze, while it loads what it has: its file is still there. */
  #started(machines: readonly number[]): void {
    const victims = this.#victims;
    const random = this.#random;
    const holders = machines.filter((machine) => victims.hasSnapshot(machine));
    if (holders.length === 0 || random.next() >= CRASH_SHARE) {
      const isCut = victims.down().some((machine) => this.#unplugged.has(machine));
      const isWhole = holders.length === machines.length && !this.#isPartMissing;
      this.#untilLoaded(isWhole && !isCut, victims.now);
      return;
    }
    this.isStopping = false;
    const machine = random.pick(holders);
    const freezes = random.next() < 0.5;
    victims.at(random.between(0, CRASH_MS_MAX), () => {
      // Nobody knows yet what it has.
      if (!victims.isMember(machine)) {
        this.#open--;
        return;
      }
      victims.note(`${freezes ? 'freeze' : 'kill'} machine ${machine} while it loads`);
      if (freezes) victims.pause(machine);
      else victims.kill(machine);
      victims.at(random.between(0, AWAY_MS_MAX), () => {
        if (freezes) victims.resume(machine, 0);
        else victims.start(machine, machines.length);
        this.#open--;
      });
    });
  }

  /** Nothing else happens meanwhile. `isWhole`: all parts are there. */
  #untilLoaded(isWhole: boolean, since: number): void {
    const victims = this.#victims;
    const isLate = victims.now - since > LOADED_MS_MAX;
    if (isWhole && !isLate && !victims.mayStop()) {
      victims.at(LOOK_MS, () => this.#untilLoaded(isWhole, since));
      return;
    }
    if (isWhole && isLate)
      victims.violated('all parts of a snapshot are there, and it is not loaded');
    this.isStopping = false;
    this.#open--;
  }
}
