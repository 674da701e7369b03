import type { Incarnation } from '../../lib/cluster/member.js';
import type { ForgetOutcome } from '../../lib/cluster/membership/forgetting.js';
import type { Random } from '../support/control-network.js';
import { Operations, TOLD_MS_MAX } from './operations.js';
import type { Profile } from './profiles.js';

/** What the faults are done to. */
export interface Victims {
  readonly now: number;
  at(delayMs: number, run: () => void): void;
  /** Machines that run a process which is not leaving, and those that run none. */
  up(): number[];
  down(): number[];
  /** All who are up are in one view, and every key has two copies. */
  isQuiet(): boolean;
  /** Remembers those who are up: between them they hold two copies of everything. */
  markSafe(): void;
  /** Those of them that are still there. */
  safe(): number[];
  /** `expect`: so many have to hear each other before they found a cluster. */
  start(machine: number, expect?: number): void;
  kill(machine: number): void;
  unplug(machine: number): void;
  plug(machine: number): void;
  /** Begins to leave; `ended` is called when it has left, or stays after all. */
  leave(machine: number, ended: (hasLeft: boolean) => void): void;
  /** Takes a leaving back, if it is not too late. */
  stay(machine: number): void;
  pause(machine: number): void;
  /** `clockStoodMs`: its monotonic clock, too, stood still for so long. */
  resume(machine: number, clockStoodMs: number): void;
  cut(from: number, to: number, oneWay: boolean): void;
  /** What is said on control connections is on its way for so much longer, until all is healed. */
  lag(from: number, to: number, byMs: number): void;
  heal(): void;
  reset(kind: 'control' | 'data'): void;
  stepClock(machine: number, byMs: number): void;
  /** Without regard to other clocks. */
  jumpClock(machine: number, byMs: number): void;
  /** Tells one that another one is gone for good; null where nobody hears it. `certain`: with FORCE. */
  forget(at: number, gone: Incarnation, certain: boolean): ForgetOutcome | null;
  /** Which member the process of that machine is, or its last one was; null when it never ran. */
  memberAt(machine: number): Incarnation | null;
  /** Whether what runs there is in a view. */
  isMember(machine: number): boolean;
  /** All stop, as it knows, and it waits for nothing but them. */
  isEnding(machine: number): boolean;
  /** Whether the next process of that machine finds one. */
  hasSnapshot(machine: number): boolean;
  /** Somebody puts an older snapshot there, where none is. */
  putBackOld(machine: number): void;
  /** All who are up are members, and nothing is being loaded. */
  mayStop(): boolean;
  /** All were stopped in good order, to be started again. */
  stopped(): void;
  /** Nobody runs any more: what they held is gone. `since`: when they began to go. */
  vanished(since: number): void;
  note(text: string): void;
  /** What must never happen was seen. */
  violated(what: string): void;
}

export type FaultKind =
  | 'crash'
  | 'silent-crash'
  | 'pause'
  | 'stop'
  | 'cut'
  | 'partition'
  | 'deaf'
  | 'late'
  | 'join'
  | 'leave'
  | 'drain'
  | 'shutdown'
  | 'stop-all'
  | 'stop-in-turn'
  | 'stop-and-kill'
  | 'lose'
  | 'forget'
  | 'reset'
  | 'clock'
  | 'jump';

/** These leave the keys with two copies and all members connected: they may come at any time. */
const HARMLESS: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'join',
  'leave',
  'drain',
  'reset',
  'clock',
  'stop-all',
  'forget',
]);
const LOOK_MS = 20;
/** Of the leavings that are begun, so many are taken back, if there is time, within so long. */
const STAY_SHARE = 0.3;
const STAY_MS_MAX = 200;

/**
 * Injects faults. Where the profile says "one at a time", the next failure comes only after the cluster was quiet again:
 * then, and only then, nothing that was acknowledged may be lost.
 */
export class FaultDriver {
  readonly #victims: Victims;
  readonly #profile: Profile;
  readonly #random: Random;
  #isOn = true;
  /** No failure is being recovered from. */
  #isFree = false;
  /** Things that are to be undone. */
  #open = 0;
  #nextAt: number;
  #nextHarmlessAt: number;
  #leaving = 0;
  /** Machines that will be started again. */
  #starts = 0;
  /** All are leaving. */
  #isEnding = false;
  /** Faults that may still be begun. */
  #left: number;
  readonly #operations: Operations;

  constructor(victims: Victims, profile: Profile, random: Random, faultsMax: number) {
    this.#left = faultsMax;
    this.#victims = victims;
    this.#profile = profile;
    this.#random = random;
    this.#operations = new Operations(victims, random);
    this.#nextAt = random.between(0, profile.faultEveryMs);
    this.#nextHarmlessAt = random.between(0, profile.faultEveryMs);
    this.#look();
  }

  /** Faults that are to be undone, and machines that are to be started. */
  get open(): number {
    return this.#open + this.#starts + this.#leaving + this.#operations.open;
  }

  /** A fault is to be undone. */
  get isBroken(): boolean {
    return this.#open + this.#operations.open > 0;
  }

  stop(): void {
    this.#isOn = false;
  }

  goOn(): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#look();
  }

  #look(): void {
    const victims = this.#victims;
    victims.at(LOOK_MS, () => {
      if (!this.#isOn) return;
      this.#look();
      if (victims.now >= this.#nextHarmlessAt) this.#harmless();
      if (!this.#profile.oneAtATime) this.#isFree = true;
      else if (!this.#isFree && !this.isBroken && victims.isQuiet()) {
        this.#isFree = true;
        victims.markSafe();
        // Some faults right after the last one was overcome, some later.
        const wait = this.#random.next() < 0.5 ? 50 : this.#profile.faultEveryMs;
        this.#nextAt = victims.now + this.#random.between(0, wait);
      }
      if (this.#isFree && this.#profile.oneAtATime && !this.#isSafe()) this.#isFree = false;
      if (this.#isFree && victims.now >= this.#nextAt) this.#failure();
    });
  }

  #harmless(): void {
    this.#nextHarmlessAt = this.#victims.now + this.#random.between(0, this.#profile.faultEveryMs);
    const kind = this.#pick((each) => HARMLESS.has(each));
    if (kind !== null) this.#inject(kind);
  }

  #failure(): void {
    this.#nextAt = this.#victims.now + this.#random.between(0, this.#profile.faultEveryMs);
    const kind = this.#pick((each) => !HARMLESS.has(each));
    if (kind === null) return;
    this.#isFree = false;
    this.#inject(kind);
  }

  #pick(isWanted: (kind: FaultKind) => boolean): FaultKind | null {
    const weights = Object.entries(this.#profile.faults) as [FaultKind, number][];
    const wanted = weights.filter(([kind]) => isWanted(kind));
    let luck = this.#random.next() * wanted.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [kind, weight] of wanted) {
      luck -= weight;
      if (luck < 0) return kind;
    }
    return null;
  }

  #inject(kind: FaultKind): void {
    const victims = this.#victims;
    const random = this.#random;
    const up = victims.up();
    if (up.length === 0 || this.#isEnding) return;
    if (this.#operations.isStopping || this.#left-- <= 0) return;
    const machine = random.pick(up);
    switch (kind) {
      case 'crash':
      case 'silent-crash':
        return this.#crash(machine, kind === 'silent-crash');
      case 'pause':
      case 'stop':
        return this.#pause(machine, kind === 'stop');
      case 'cut':
        return this.#cut(machine, up);
      case 'partition':
        return this.#partition(up, false);
      case 'deaf':
        return this.#partition(up, true);
      case 'late':
        return this.#late(up);
      case 'join':
        return this.#join();
      case 'leave':
        return this.#leave([machine], up);
      case 'drain':
        return this.#drain(up);
      case 'shutdown':
        return this.#shutdown(up);
      case 'stop-all':
      case 'stop-in-turn':
      case 'stop-and-kill':
        return this.#stopAll(up, kind);
      case 'lose':
        return this.#operations.lose(machine, up);
      case 'forget':
        return this.#operations.misjudge(up, [...up, ...victims.down()]);
      case 'reset':
        victims.note('reset');
        return victims.reset(random.next() < 0.8 ? 'data' : 'control');
      case 'clock':
        return victims.stepClock(machine, Math.round(random.between(-50, 50)));
      case 'jump':
        return this.#jump(machine);
    }
  }

  /** Undone after a time; until then nothing counts as quiet. */
  #later(delayMs: number, undo: () => void): void {
    this.#open++;
    this.#victims.at(delayMs, () => {
      undo();
      this.#open--;
    });
  }

  #crash(machine: number, isSilent: boolean): void {
    const victims = this.#victims;
    if (victims.up().length < 2) return;
    victims.note(`${isSilent ? 'unplug' : 'kill'} machine ${machine}`);
    if (isSilent) victims.unplug(machine);
    else victims.kill(machine);
    const luck = this.#random.next();
    const delay = luck < 0.3 ? 1 : luck < 0.6 ? 500 : luck < 0.9 ? 5000 : 20_000;
    // Staying down is no longer a failure once the others have recovered.
    this.#starts++;
    victims.at(this.#random.between(0, delay), () => {
      this.#starts--;
      victims.plug(machine);
      if (victims.down().includes(machine)) victims.start(machine);
    });
  }

  #pause(machine: number, isStop: boolean): void {
    const { nodeTimeoutMs } = this.#profile;
    const most = this.#profile.pauseMsMax || 3 * nodeTimeoutMs;
    const longest = this.#random.next() < 0.5 ? nodeTimeoutMs / 2 : most;
    const pauseMs = this.#random.between(10, longest);
    this.#victims.note(
      `${isStop ? 'stop' : 'pause'} machine ${machine} for ${pauseMs.toFixed(0)} ms`,
    );
    this.#victims.pause(machine);
    this.#later(pauseMs, () => this.#victims.resume(machine, isStop ? pauseMs : 0));
  }

  #cut(machine: number, up: number[]): void {
    const others = up.filter((other) => other !== machine);
    if (others.length < 2) return;
    const other = this.#random.pick(others);
    const oneWay = this.#random.next() < 0.4;
    const { nodeTimeoutMs } = this.#profile;
    const longest = this.#random.next() < 0.5 ? nodeTimeoutMs / 2 : 3 * nodeTimeoutMs;
    const lastsMs = this.#random.between(10, longest);
    this.#victims.note(`cut ${machine}${oneWay ? '>' : '-'}${other} for ${lastsMs.toFixed(0)} ms`);
    this.#victims.cut(machine, other, oneWay);
    this.#later(lastsMs, () => this.#victims.heal());
  }

  /** `isDeaf`: it is heard by the others, and does not hear them. */
  #partition(up: number[], isDeaf: boolean): void {
    const random = this.#random;
    if (up.length < 3) return;
    const alone = random.pick(up);
    const { nodeTimeoutMs, partitionPolicy } = this.#profile;
    // For longer, and it would be a side of its own where both sides may serve.
    const longest = partitionPolicy === 'available' ? 1.15 : 5;
    const lastsMs = random.between(100, longest * nodeTimeoutMs);
    const what = isDeaf ? 'deaf' : 'alone';
    this.#victims.note(`machine ${alone} ${what} for ${lastsMs.toFixed(0)} ms`);
    for (const other of up) if (other !== alone) this.#victims.cut(other, alone, isDeaf);
    this.#later(lastsMs, () => this.#victims.heal());
    // Cut off again before it has heard anybody, it would be cut off for the sum.
    this.#later(lastsMs + nodeTimeoutMs / 2, () => {});
  }

  /** One node hears the others late, but in time; then they do not hear it any more. Answers are still on their way to it. */
  #late(up: number[]): void {
    const random = this.#random;
    if (up.length < 3) return;
    const alone = random.pick(up);
    const { nodeTimeoutMs } = this.#profile;
    const lagMs = random.between(0.3, 0.95) * nodeTimeoutMs;
    const mutedMs = lagMs + random.between(0, nodeTimeoutMs);
    const lastsMs = mutedMs + random.between(0.5, 4) * nodeTimeoutMs;
    const others = up.filter((machine) => machine !== alone);
    this.#victims.note(`machine ${alone} hears all ${lagMs.toFixed(0)} ms late`);
    for (const other of others) this.#victims.lag(other, alone, lagMs);
    this.#later(mutedMs, () => {
      this.#victims.note(`machine ${alone} is not heard`);
      for (const other of others) this.#victims.cut(alone, other, true);
    });
    this.#later(lastsMs, () => this.#victims.heal());
  }

  #join(): void {
    const down = this.#victims.down();
    if (down.length === 0) return;
    const machine = this.#random.pick(down);
    this.#victims.note(`start machine ${machine}`);
    this.#victims.plug(machine);
    this.#victims.start(machine);
  }

  #jump(machine: number): void {
    const byMs = Math.round(this.#random.between(200, this.#profile.clockJumpMs));
    const lastsMs = this.#random.between(100, 2 * this.#profile.nodeTimeoutMs);
    this.#victims.note(
      `the clock of machine ${machine} is ahead ${byMs} ms for ${lastsMs.toFixed(0)} ms`,
    );
    this.#victims.jumpClock(machine, byMs);
    this.#later(lastsMs, () => this.#victims.jumpClock(machine, -byMs));
  }

  #leave(machines: readonly number[], up: readonly number[]): void {
    if (up.length < this.#profile.nodes || this.#leaving > 0) return;
    // A node alone has nobody to hand anything to: it exits with what it has.
    if (this.#profile.oneAtATime && !this.#isSafe()) return;
    for (const machine of machines) this.#leaveOne(machine);
  }

  /**
   * One stays who is a member: one that is still joining would be too late to take anything over, and so would one that was
   * left out since all was quiet.
   */
  #drain(up: readonly number[]): void {
    const victims = this.#victims;
    const safe = victims.safe().filter((one) => up.includes(one) && victims.isMember(one));
    if (safe.length === 0) return;
    const stays = this.#random.pick(safe);
    this.#leave(
      up.filter((machine) => machine !== stays),
      up,
    );
  }

  /** Two still hold what was there when all was quiet, so that one may fail. */
  #isSafe(): boolean {
    return this.#victims.safe().length >= 2;
  }

  #stopAll(up: readonly number[], kind: 'stop-all' | 'stop-in-turn' | 'stop-and-kill'): void {
    if (this.open > 0 || !this.#victims.mayStop()) return;
    this.#isFree = false;
    this.#operations.stop(up, kind !== 'stop-in-turn');
    // Of two the other one would have no majority, and wait for it to come again.
    const mayKill = up.length > 2 || this.#profile.partitionPolicy === 'available';
    if (kind === 'stop-and-kill' && mayKill) this.#operations.killInTheMidst(up);
  }

  #leaveOne(machine: number): void {
    const victims = this.#victims;
    victims.note(`machine ${machine} leaves`);
    this.#leaving++;
    if (this.#random.next() < STAY_SHARE) {
      victims.at(this.#random.between(0, STAY_MS_MAX), () => victims.stay(machine));
    }
    victims.leave(machine, (hasLeft) => {
      this.#leaving--;
      if (hasLeft) this.#startWithin(machine, 3000);
    });
  }

  #startWithin(machine: number, delayMs: number): void {
    this.#starts++;
    this.#victims.at(this.#random.between(0, delayMs), () => {
      this.#starts--;
      if (this.#victims.down().includes(machine)) this.#victims.start(machine);
    });
  }

  /** All leave: nobody takes anything over, and what they held is gone when the last one is. */
  #shutdown(up: readonly number[]): void {
    const victims = this.#victims;
    if (up.length < this.#profile.nodes || this.open > 0) return;
    victims.note('all leave');
    const since = victims.now;
    this.#isEnding = true;
    let left = 0;
    this.#open++;
    const ended = (): void => {
      if (++left < up.length) return;
      this.#isEnding = false;
      this.#open--;
      const down = victims.down().filter((each) => up.includes(each));
      if (down.length === up.length) victims.vanished(since);
      for (const each of down) this.#startWithin(each, 3000);
    };
    for (const machine of up) {
      const inMs = this.#random.between(0, TOLD_MS_MAX);
      victims.at(inMs, () => victims.leave(machine, ended));
    }
  }
}
