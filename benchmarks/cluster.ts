/** Figures of clusters, one command each: see README.md in this directory. */
import { Command } from 'commander';
import { failover } from './cluster/failover.js';
import { forwarded } from './cluster/forwarded.js';
import { join } from './cluster/join.js';
import { RUN_MS } from './cluster/load.js';
import { unknown } from './cluster/unknown.js';
import { GeneratorProcess } from './load/generator-process.js';
import { endChildrenOnExit } from './servers/children.js';

async function withGenerator(run: (generator: GeneratorProcess) => Promise<void>): Promise<void> {
  const generator = new GeneratorProcess();
  await run(generator).finally(() => generator.stop());
}

endChildrenOnExit();
const program = new Command('cluster').description('Measures what a cluster does.');
program
  .command('forwarded')
  .description("read and write of another node's session, and after take-over, beside local ones")
  .option('--seconds <n>', 'of each run', String(RUN_MS / 1000))
  .action(({ seconds }: { seconds: string }) =>
    withGenerator((generator) => forwarded(generator, 1000 * Number(seconds))),
  );
program
  .command('unknown')
  .description('a flood of session ids that nobody has, and of deleted ones')
  .option('--seconds <n>', 'of each run', String(RUN_MS / 1000))
  .action(({ seconds }: { seconds: string }) =>
    withGenerator((generator) => unknown(generator, 1000 * Number(seconds))),
  );
program
  .command('failover')
  .description('how long sessions wait when their primary is killed, frozen or goes in order')
  .option('--rounds <n>', 'clusters of each kind', '10')
  .option('--without-redis', 'leave Redis Cluster out')
  .action(({ rounds, withoutRedis }: { rounds: string; withoutRedis?: true }) =>
    failover(Number(rounds), withoutRedis !== true),
  );
program
  .command('join')
  .description('a node joins a cluster that holds many sessions')
  .option('--sessions <n>', 'sessions that are there', '1000000')
  .action(({ sessions }: { sessions: string }) =>
    withGenerator((generator) => join(generator, Number(sessions))),
  );
await program.parseAsync();
