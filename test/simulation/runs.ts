import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { PROFILES, type Profile } from './profiles.js';
import { type Limits, NO_LIMITS, type Result, Simulation } from './simulation.js';

/** One run: a profile, a seed, and what is different from the profile. */
export interface Run {
  readonly profile: string;
  readonly seed: number;
  readonly changes: Partial<Profile>;
  /** Those that there are: a message between processes has no word for infinity. */
  readonly limits?: Partial<Limits>;
}

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));

export function profileOf({ profile, changes }: Run): Profile {
  return { ...PROFILES[profile]!, ...changes };
}

export function limitsOf({ limits }: Run): Limits {
  return { ...NO_LIMITS, ...limits };
}

export function simulate(run: Run): Result {
  return new Simulation(run.seed, profileOf(run), null, limitsOf(run)).run();
}

/**
 * Makes the runs, `jobs` at a time in as many processes, and tells each result in the order of the runs, whatever the number
 * of jobs. `told` returns false when the rest need not be run.
 */
export async function runAll(
  runs: readonly Run[],
  jobs: number,
  told: (run: Run, result: Result) => boolean,
): Promise<void> {
  if (jobs <= 1) {
    for (const run of runs) if (!told(run, simulate(run))) return;
    return;
  }
  const results: (Result | undefined)[] = [];
  let next = 0;
  let done = 0;
  let isOver = false;
  const take = (result: Result, index: number): void => {
    results[index] = result;
    for (let ready = results[done]; ready !== undefined && !isOver; ready = results[done]) {
      results[done] = undefined;
      isOver = !told(runs[done++]!, ready);
    }
  };
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = fork(WORKER, { execArgv: [...process.execArgv, '--single-threaded-gc'] });
      let index = -1;
      const send = (): void => {
        if (isOver || next >= runs.length) return worker.disconnect();
        index = next++;
        worker.send(runs[index]!);
      };
      worker.on('message', (result) => {
        take(result as Result, index);
        send();
      });
      worker.on('exit', (code) => {
        if (code === 0) resolve();
        else reject(new Error(`the process of seed ${runs[index]?.seed} ended with ${code}`));
      });
      send();
    });
  await Promise.all(Array.from({ length: Math.min(jobs, runs.length) }, work));
}
