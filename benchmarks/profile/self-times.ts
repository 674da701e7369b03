/**
 * A `.cpuprofile` as V8 writes it, as far as it is read here. Times in microseconds of the
 * monotonic clock.
 */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface SelfTime {
  readonly name: string;
  /** File and line (from 1), empty for what is not JavaScript of a file. */
  readonly place: string;
  readonly us: number;
}

/** Path parts of a file that are shown. */
const PATH_PARTS = 3;

/** Time spent in each function itself between two times, longest first. */
export function selfTimes(profile: CpuProfile, fromUs: number, toUs: number): SelfTime[] {
  const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const times = new Map<string, { name: string; place: string; us: number }>();
  let now = profile.startTime;
  profile.samples.forEach((id, i) => {
    // A delta is the time from the sample before to this one: it belongs to the sample before.
    const next = profile.timeDeltas[i + 1] ?? 0;
    now += profile.timeDeltas[i]!;
    const us = Math.min(now + next, toUs) - Math.max(now, fromUs);
    if (us <= 0) return;
    const frame = frames.get(id)!;
    const name = frame.functionName || '(anonymous)';
    const place = placeOf(frame.url, frame.lineNumber);
    const key = `${name} ${place}`;
    const entry = times.get(key);
    if (entry === undefined) times.set(key, { name, place, us });
    else entry.us += us;
  });
  return [...times.values()].sort((a, b) => b.us - a.us);
}

/** The same times summed by file. */
export function byFile(times: readonly SelfTime[]): SelfTime[] {
  const files = new Map<string, number>();
  for (const { name, place, us } of times) {
    const file = place === '' ? name : place.replace(/:\d+$/, '');
    files.set(file, (files.get(file) ?? 0) + us);
  }
  const sums = [...files].map(([name, us]) => ({ name, place: '', us }));
  return sums.sort((a, b) => b.us - a.us);
}

function placeOf(url: string, line: number): string {
  if (url === '') return '';
  const path = url.startsWith('node:') ? url : url.split('/').slice(-PATH_PARTS).join('/');
  return `${path}:${line + 1}`;
}
