import type { Incarnation } from '../../lib/cluster/member.js';
import type { ForgetOutcome } from '../../lib/cluster/membership/forgetting.js';
import { sameViewId } from '../../lib/cluster/membership/views.js';
import type { Victims } from './faults.js';
import { Peace } from './peace.js';
import { type Machine, Process, type ProcessOptions, type World } from './process.js';
import type { Profile } from './profiles.js';
import type { Disk } from './snapshots.js';
import type { Tally } from './tally.js';

/** A process that is started again so soon has hardly been missed. */
const AT_ONCE_MS = 50;
/** The wall clocks of all machines at true time 0, but for their skew. */
export const UNIX_MS = 1_700_000_000_000;

/** The machines of a simulation, what runs on them, and all that can be done to them. Faults that happen are counted. */
export class Machines implements Victims {
  readonly all: Machine[] = [];
  /** When connections between nodes that live were whole. */
  readonly peace = new Peace();
  readonly #world: World;
  readonly #profile: Profile;
  readonly #tally: Tally;
  readonly #lives: number[] = [];
  /** When the process of each machine ended last. */
  readonly #endedAt: number[] = [];
  readonly #pausedAt: number[] = [];
  readonly #disks: Disk[] = [];
  /** Which members the last processes of the machines were. */
  readonly #lastIds: Incarnation[] = [];
  /** Told when nobody runs any more. */
  readonly #lost: (since: number) => void;
  #safe: Process[] = [];

  constructor(world: World, profile: Profile, tally: Tally, lost: (since: number) => void) {
    this.#lost = lost;
    this.#world = world;
    this.#profile = profile;
    this.#tally = tally;
    const random = world.scheduler.random('machines');
    for (let i = 0; i < profile.nodes + profile.spares; i++) this.#addMachine(random);
    for (let i = 0; i < profile.nodes; i++) this.at(random.between(0, 300), () => this.start(i));
  }

  #addMachine(random: { between(low: number, high: number): number }): void {
    const index = this.all.length;
    this.#disks.push({ snapshot: null, old: null, did: (what) => this.#tally.count(what) });
    const address = { host: `10.0.0.${index + 1}`, port: 6379, busPort: 16379 };
    this.#world.network.addMachine(address);
    this.#lives.push(0);
    this.all.push({
      index,
      address,
      rate: 1 + random.between(-0.004, 0.004),
      monotonicOffset: random.between(1, 1e6),
      wallOffset: UNIX_MS + random.between(0, this.#profile.clockSkewMs),
      process: null,
    });
  }

  processes(): Process[] {
    const processes: Process[] = [];
    for (const { process } of this.all) if (process !== null) processes.push(process);
    return processes;
  }

  /** A process is gone, whatever the reason. */
  ended(process: Process): void {
    this.#lastIds[process.machine] = process.incarnation;
    this.#endedAt[process.machine] = this.now;
    this.#tally.count('evicted', process.node.state.statistics.evicted);
  }

  get now(): number {
    return this.#world.scheduler.now;
  }

  at(delayMs: number, run: () => void): void {
    this.#world.scheduler.at(delayMs, run);
  }

  up(): number[] {
    return this.processes()
      .filter((process) => !process.isLeaving && !process.isPaused)
      .map(({ machine }) => machine);
  }

  down(): number[] {
    return this.all.filter(({ process }) => process === null).map(({ index }) => index);
  }

  isQuiet(): boolean {
    const processes = this.processes();
    const view = processes[0]?.node.state.view ?? null;
    if (view === null || view.members.length !== processes.length) return false;
    return processes.every((process) => {
      const own = process.node.state.view;
      if (own === null || !sameViewId(own.id, view.id) || process.isPaused) return false;
      if (!view.members.some(({ id }) => id === process.incarnation)) return false;
      const isSafe = process.node.keysWithoutBackup() === 0 || processes.length === 1;
      return isSafe && process.serves && process.hasLoaded;
    });
  }

  markSafe(): void {
    this.#safe = this.processes().filter((process) => !process.isLeaving);
    // A node alone has no second copy of anything.
    if (this.processes().length < 2) this.#safe = [];
  }

  safe(): number[] {
    return this.#safe
      .filter((process) => !process.hasEnded && !process.isLeaving)
      .map(({ machine }) => machine);
  }

  start(machine: number, expect = 0): void {
    const place = this.all[machine]!;
    if (place.process !== null) return;
    const since = this.now - (this.#endedAt[machine] ?? Number.NaN);
    if (since >= 0) this.#tally.fault(since < AT_ONCE_MS ? 'restarts at once' : 'restarts later');
    else if (machine >= this.#profile.nodes) this.#tally.fault('joins');
    const { nodeTimeoutMs, partitionPolicy, takeOverAfter, partBytes } = this.#profile;
    const { maxMemoryBytes, maxMemoryPolicy, zones, locationList } = this.#profile;
    const options: ProcessOptions = {
      tombstoneTtlMs: this.#profile.tombstoneTtlMs,
      nodeTimeoutMs,
      partitionPolicy,
      takeOverAfter,
      partBytes,
      stepKeys: this.#profile.stepKeys,
      lateShare: this.#profile.lateShare,
      slowShare: this.#profile.slowShare,
      // Unequal nodes: what one may take the other one need not have room for.
      maxMemoryBytes: machine === 0 ? maxMemoryBytes / 4 : maxMemoryBytes,
      maxMemoryPolicy,
      zone: zones === 0 ? '' : `zone${machine % zones}`,
      locationList,
      join: this.all.map(({ address }) => address),
      expect,
      ...(this.#profile.snapshots ? { disk: this.#disks[machine]! } : {}),
    };
    const process = new Process(this.#world, place, ++this.#lives[machine]!, options);
    place.process = process;
    this.#world.network.listen(machine, process);
  }

  kill(machine: number): void {
    this.#tally.fault('kills');
    this.all[machine]!.process?.kill();
  }

  unplug(machine: number): void {
    for (const { index } of this.all)
      if (index !== machine) this.#world.network.cut(index, machine);
    this.#tally.fault('unplugged');
    this.all[machine]!.process?.kill();
  }

  plug(machine: number): void {
    for (const { index } of this.all) this.#world.network.mend(index, machine);
  }

  leave(machine: number, ended: (hasLeft: boolean) => void): void {
    const process = this.all[machine]!.process!;
    process.leave();
    const look = (): void => {
      if (process.hasEnded || !process.isLeaving) {
        if (process.hasEnded) this.#tally.fault('leaves');
        ended(process.hasEnded);
      } else this.at(50, look);
    };
    look();
  }

  stay(machine: number): void {
    if (this.all[machine]!.process?.stay()) this.#tally.fault('stays');
  }

  pause(machine: number): void {
    this.peace.disturbed();
    this.all[machine]!.process?.pause();
    this.#pausedAt[machine] = this.now;
  }

  resume(machine: number, clockStoodMs: number): void {
    const place = this.all[machine]!;
    this.#countPause(place, clockStoodMs);
    place.monotonicOffset -= clockStoodMs * place.rate;
    place.process?.resume();
    // Whatever it does first, it reads its clocks before.
    if (clockStoodMs > 0) place.process?.input('woken', () => undefined);
  }

  #countPause({ index, process }: Machine, clockStoodMs: number): void {
    if (process === null || !process.isPaused) return;
    const lastedMs = this.now - this.#pausedAt[index]!;
    const { nodeTimeoutMs, tombstoneTtlMs } = this.#profile;
    if (clockStoodMs > 0) this.#tally.fault('stops');
    else if (lastedMs > tombstoneTtlMs) this.#tally.fault('pauses > tombstone-ttl');
    else this.#tally.fault(lastedMs > nodeTimeoutMs ? 'pauses > node-timeout' : 'pauses');
  }

  cut(from: number, to: number, oneWay: boolean): void {
    this.#tally.fault(oneWay ? 'one-way cuts' : 'cuts');
    this.peace.disturbed();
    this.#world.network.cut(from, to, oneWay);
  }

  lag(from: number, to: number, byMs: number): void {
    this.#tally.fault('lags');
    this.peace.disturbed();
    this.#world.network.lag(from, to, byMs);
  }

  heal(): void {
    this.#world.network.heal();
  }

  reset(kind: 'control' | 'data'): void {
    if (this.#world.network.resetSome(kind, this.#world.scheduler.random(`reset ${this.now}`))) {
      this.#tally.fault('resets');
      this.peace.disturbed();
    }
  }

  stepClock(machine: number, byMs: number): void {
    const place = this.all[machine]!;
    const { clockSkewMs } = this.#profile;
    this.#tally.fault('clock steps');
    const offset = place.wallOffset - UNIX_MS + byMs;
    place.wallOffset = UNIX_MS + Math.max(0, Math.min(clockSkewMs, offset));
  }

  jumpClock(machine: number, byMs: number): void {
    this.#tally.fault(byMs > 0 ? 'clock jumps' : 'clock jumps back');
    this.all[machine]!.wallOffset += byMs;
  }

  memberAt(machine: number): Incarnation | null {
    return this.all[machine]!.process?.incarnation ?? this.#lastIds[machine] ?? null;
  }

  forget(at: number, gone: Incarnation, certain: boolean): ForgetOutcome | null {
    const outcome = this.all[at]!.process?.forget(gone, certain);
    if (outcome != null) this.#tally.count(`FORGET: ${outcome}`);
    return outcome ?? null;
  }

  isMember(machine: number): boolean {
    return (this.all[machine]!.process?.node.state.view ?? null) !== null;
  }

  isEnding(machine: number): boolean {
    return this.all[machine]!.process?.node.state.isEnding === true;
  }

  hasSnapshot(machine: number): boolean {
    return this.#disks[machine]!.snapshot !== null;
  }

  putBackOld(machine: number): void {
    const disk = this.#disks[machine]!;
    if (disk.snapshot !== null || disk.old === null) return;
    disk.snapshot = disk.old;
    this.#tally.fault('old snapshots');
  }

  mayStop(): boolean {
    return this.processes().every(
      ({ node, hasLoaded, isPaused, isLeaving }) =>
        node.state.view !== null && hasLoaded && !isPaused && !isLeaving,
    );
  }

  stopped(): void {
    this.#tally.fault('planned stops');
  }

  vanished(since: number): void {
    this.#tally.fault('shutdowns');
    this.#lost(since);
  }

  note(text: string): void {
    this.#world.trace.fault(text);
  }

  violated(what: string): void {
    this.#world.violated(what);
  }
}
