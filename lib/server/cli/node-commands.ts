import type { Command } from 'commander';
import { accessOf, addNodeOptions, integer } from './node-options.js';

/*
 * Commands that look at a running cluster. What they run is loaded when one of them does: a client library comes with it, which
 * a server need not hold in memory (20 MB).
 */

function topCommand(program: Command): void {
  const command = program.command('top').description('watch the members of a cluster; q ends it');
  addNodeOptions(command)
    .option('-i, --interval <s>', 'seconds between two looks', integer, 1)
    .option('--once', 'print one table and end, as where the output is no terminal', false)
    .action(async (options) => {
      const { showTop } = await import('./show-top.js');
      process.exitCode = await showTop({ ...options, ...accessOf(options) });
    });
}

function locateCommand(program: Command): void {
  const command = program
    .command('locate')
    .description('show where the copies of a key are; nothing is moved or touched by it')
    .argument('<key>');
  addNodeOptions(command)
    .option('-n, --db <n>', 'database', integer, 0)
    .option('--json', 'as JSON', false)
    .action(async (key: string, options) => {
      const { locateKey } = await import('./locate-key.js');
      process.exitCode = await locateKey(key, { ...options, ...accessOf(options) });
    });
}

function eventsCommand(program: Command): void {
  const command = program
    .command('events')
    .description('show what has happened in a cluster of late, as one node has seen it');
  addNodeOptions(command)
    .option('-n, --count <n>', 'the last so many, 512 at most', integer, 20)
    .option('-f, --follow', 'go on with what happens from now on', false)
    .option('--json', 'as JSON, one event to a line', false)
    .action(async (options) => {
      const { showEvents } = await import('./show-events.js');
      process.exitCode = await showEvents({ ...options, ...accessOf(options) });
    });
}

function benchCommand(program: Command): void {
  const command = program
    .command('bench')
    .description('load a running cluster for a moment with session traffic, on keys of its own');
  addNodeOptions(command)
    .option('-c, --connections <n>', 'connections, in turn to all members', integer, 50)
    .option('-d, --depth <n>', 'commands that each of them has under way', integer, 1)
    .option('-s, --seconds <s>', 'how long', integer, 10)
    .option('-k, --keys <n>', 'sessions', integer, 10_000)
    .option('--size <bytes>', 'of a session', integer, 500)
    .option('--one-node', 'all connections to the node that is given', false)
    .option('--json', 'the result as JSON', false)
    .action(async (options) => {
      const { runBench } = await import('./run-bench.js');
      process.exitCode = await runBench({ ...options, ...accessOf(options) });
    });
}

export function addNodeCommands(program: Command): void {
  topCommand(program);
  locateCommand(program);
  eventsCommand(program);
  benchCommand(program);
}
