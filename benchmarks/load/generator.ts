/**
 * The load generator's process: takes runs by IPC, one at a time, and answers each with its result.
 */
import { runClosed } from './closed-loop.js';
import { runOpen } from './open-loop.js';
import type { RunResult, RunSpec } from './run-spec.js';

export type GeneratorAnswer = { readonly result: RunResult } | { readonly error: string };

async function execute(spec: RunSpec): Promise<GeneratorAnswer> {
  try {
    return { result: await (spec.ratePerSecond > 0 ? runOpen(spec) : runClosed(spec)) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

process.on('message', (spec: RunSpec) => {
  void execute(spec).then((answer) => process.send!(answer));
});
process.on('disconnect', () => process.exit());
// Ctrl-C reaches the whole process group; the parent ends this process when it has ended the
// servers.
process.on('SIGINT', () => {});
