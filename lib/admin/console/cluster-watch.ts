import { performance } from 'node:perf_hooks';
import type { Incarnation, Member } from '../../cluster/member.js';
import type { MemberQuestions } from '../../cluster/member-questions.js';
import type { ClusterFacts } from '../../commands/services.js';
import type {
  Frame,
  HotKeyFrame,
  MemberFrame,
  MemberState,
  SafetyFrame,
  SlowFrame,
} from './frame.js';
import { addressOf } from './names.js';
import type { MemberReport } from './report.js';
import { Timeline } from './timeline.js';

/** Members are asked each second: who has not answered for so long has not answered. Milliseconds. */
const SILENT_MS = 2000;
const SLOW_SHOWN = 20;
const HOT_SHOWN = 10;

interface Known {
  /** Since when it is known; monotonic milliseconds. */
  readonly since: number;
  isAsked: boolean;
  answeredAt: number | null;
  report: MemberReport | null;
}

/** What all members say, asked over the bus: one question to each that has answered the last one. */
export class ClusterWatch {
  readonly timeline = new Timeline();
  readonly #cluster: ClusterFacts;
  readonly #questions: MemberQuestions;
  readonly #known = new Map<Incarnation, Known>();

  constructor(cluster: ClusterFacts, questions: MemberQuestions) {
    this.#cluster = cluster;
    this.#questions = questions;
  }

  /** To be called in a turn that has begun. */
  ask(): void {
    const now = performance.now();
    const members = this.#members();
    for (const id of this.#known.keys()) {
      if (!members.some((member) => member.id === id)) this.#known.delete(id);
    }
    for (const member of members) {
      const known: Known = this.#known.get(member.id) ?? {
        since: now,
        isAsked: false,
        answeredAt: null,
        report: null,
      };
      this.#known.set(member.id, known);
      if (!known.isAsked) this.#askOne(member, known);
    }
  }

  #askOne(member: Member, known: Known): void {
    known.isAsked = true;
    const since = known.report?.lastEvent ?? 0;
    const isOpen = this.#questions.report(member.id, since, (answer) => {
      known.isAsked = false;
      // A member of another release may answer in another form: here it has not answered then.
      if (!isReport(answer)) return;
      const report = answer;
      known.answeredAt = performance.now();
      known.report = report;
      this.timeline.add(report.events, addressOf(member));
    });
    if (!isOpen) known.isAsked = false;
  }

  /** What is known now, for everybody alike: without events, and with the names of keys as they are. */
  frame(at: number): Omit<Frame, 'events' | 'user' | 'may'> {
    const now = performance.now();
    const members = this.#members();
    const reports = members.map(({ id }) => this.#freshReport(id, now));
    const frames = members.map((member, i) => this.#memberFrame(member, reports[i]!, now));
    return {
      at,
      self: this.#cluster.self.id,
      view: this.#cluster.viewId?.number ?? 0,
      members: frames,
      safety: this.#safety(frames),
      copies: reports.map((report) => members.map(({ id }) => report?.copies[id] ?? null)),
      ...this.#used(members, reports),
    };
  }

  /** In no view a node is all that it knows of. */
  #members(): readonly Member[] {
    const { members, self } = this.#cluster;
    return members.length > 0 ? members : [self];
  }

  #freshReport(id: Incarnation, now: number): MemberReport | null {
    const { answeredAt = null, report = null } = this.#known.get(id) ?? {};
    return answeredAt !== null && now - answeredAt < SILENT_MS ? report : null;
  }

  #memberFrame(member: Member, report: MemberReport | null, now: number): MemberFrame {
    const answeredAt = this.#known.get(member.id)?.answeredAt ?? null;
    return {
      id: member.id,
      address: addressOf(member),
      zone: member.zone,
      state: stateOf(member, report),
      answeredMsAgo: answeredAt === null ? null : Math.round(now - answeredAt),
      figures: report?.figures ?? null,
    };
  }

  #safety(members: readonly MemberFrame[]): SafetyFrame {
    const silent = members.filter(({ figures }) => figures === null).map(({ address }) => address);
    if (silent.length > 0 || this.#cluster.viewId === null) {
      return { state: 'unknown', count: null, silent };
    }
    if (members.length === 1) {
      return { state: 'alone', count: members[0]!.figures!.primaries, silent };
    }
    const { settled, keysWithoutBackup } = this.#cluster.tandis();
    if (settled) {
      const state = keysWithoutBackup === 0 ? 'safe' : 'waiting';
      return { state, count: keysWithoutBackup, silent };
    }
    const count = members.reduce((sum, { figures }) => sum + figures!.keysWithoutBackup, 0);
    return count > 0
      ? { state: 'waiting', count, silent }
      : { state: 'moving', count: null, silent };
  }

  #used(
    members: readonly Member[],
    reports: readonly (MemberReport | null)[],
  ): Pick<Frame, 'slow' | 'hot' | 'hotSamples'> {
    const slow: SlowFrame[] = [];
    const hot = new Map<string, { count: number; readonly by: string[] }>();
    let hotSamples = 0;
    members.forEach((member, i) => {
      const report = reports[i];
      if (report === null || report === undefined) return;
      const by = addressOf(member);
      hotSamples += report.hotSamples;
      for (const { at, microseconds, command, arguments: count, key } of report.slow) {
        slow.push({ at, by, microseconds, command, arguments: count, key });
      }
      for (const { key, count } of report.hot) {
        const known = hot.get(key) ?? { count: 0, by: [] };
        known.count += count;
        known.by.push(by);
        hot.set(key, known);
      }
    });
    slow.sort((a, b) => b.at - a.at || b.microseconds - a.microseconds);
    const hottest = [...hot]
      .map(([key, { count, by: members }]): HotKeyFrame => {
        return { key, by: members, share: count / Math.max(hotSamples, 1) };
      })
      .sort((a, b) => b.share - a.share);
    return { slow: slow.slice(0, SLOW_SHOWN), hot: hottest.slice(0, HOT_SHOWN), hotSamples };
  }
}

function isReport(answer: object | null): answer is MemberReport {
  if (answer === null) return false;
  const { figures, copies, lastEvent, events, slow, hot, hotSamples } =
    answer as Partial<MemberReport>;
  const areObjects = [figures, copies].every((part) => typeof part === 'object' && part !== null);
  const areNumbers = [lastEvent, hotSamples].every((part) => typeof part === 'number');
  return areObjects && areNumbers && [events, slow, hot].every(Array.isArray);
}

function stateOf(member: Member, report: MemberReport | null): MemberState {
  if (report === null) return 'no answer';
  if (member.leaving) return 'leaving';
  return report.serving ? 'serving' : 'not serving';
}
