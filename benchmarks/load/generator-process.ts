import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { GeneratorAnswer } from './generator.js';
import type { RunResult, RunSpec } from './run-spec.js';

/** The generator in a process of its own, so that measuring and reporting take nothing from it. */
export class GeneratorProcess {
  private readonly child: ChildProcess;

  constructor() {
    this.child = fork(fileURLToPath(new URL('./generator.js', import.meta.url)));
  }

  /** One run; rejects when the server failed it, or when replies were not what they should be. */
  run(spec: RunSpec): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      const onExit = () => reject(new Error('the load generator ended'));
      this.child.once('exit', onExit);
      this.child.once('message', (answer: GeneratorAnswer) => {
        this.child.off('exit', onExit);
        if ('error' in answer) reject(new Error(answer.error));
        else resolve(answer.result);
      });
      this.child.send(spec);
    });
  }

  stop(): void {
    this.child.disconnect();
  }
}
