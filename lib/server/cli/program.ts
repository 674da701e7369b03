import { Command, CommanderError } from 'commander';
import { OptionError } from '../../base/option-values.js';
import { VERSION } from '../../base/package.js';
import { ConfigFile } from '../config-file.js';
import { completionCommand } from './completion-command.js';
import { addConfigOptions, configOf } from './config-options.js';
import { addExamples } from './examples.js';
import { addNodeCommands } from './node-commands.js';
import { accessOf, addNodeOptions, integer } from './node-options.js';
import { runServer } from './run-server.js';
import { addTlsFlags } from './tls-client.js';

const BAD_USAGE = 2;

/** Who read what is printed has gone (`| head`): nobody is left to do anything for. Nodes of `cluster` end with it. */
function endUnread(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(1);
}

function serverCommand(program: Command): void {
  const command = program
    .command('server')
    .description('run one node')
    .argument('[file]', 'configuration file, as redis.conf: one "name value" to a line');
  addConfigOptions(command).action((path?: string) => {
    // A node serves on when nobody reads its log.
    process.stdout.off('error', endUnread);
    const file = path === undefined ? null : new ConfigFile(path);
    return runServer(configOf(command, file), file);
  });
}

function clusterCommand(program: Command, path: string): void {
  addTlsFlags(program.command('cluster'))
    .description('run several nodes on this machine, to try things out')
    .argument('[options...]', 'options that every node gets, behind --')
    .option('-n, --nodes <n>', 'how many', integer, 3)
    .option('-p, --port <port>', 'client port of the first node; the others follow', integer, 7001)
    .option('--host <address>', 'address that they listen on', '127.0.0.1')
    .action(async (serverOptions: string[], options) => {
      // A client library comes with it, which a server need not hold in memory (20 MB).
      const { runCluster } = await import('./run-cluster.js');
      process.exitCode = await runCluster({ ...options, program: path, serverOptions });
    });
}

function statusCommand(program: Command): void {
  const command = program.command('status').description('show the members of a cluster');
  addNodeOptions(command)
    .option('--json', 'as JSON', false)
    .action(async (options) => {
      const { showStatus } = await import('./show-status.js');
      process.exitCode = await showStatus({ ...options, ...accessOf(options) });
    });
}

function drainCommand(program: Command): void {
  const command = program
    .command('drain')
    .description('let a node hand its keys over and end; it answers until it has');
  addNodeOptions(command).action(async (options) => {
    const { drainNode } = await import('./drain-node.js');
    process.exitCode = await drainNode({ ...options, ...accessOf(options) });
  });
}

function forgetCommand(program: Command): void {
  const command = program
    .command('forget')
    .description('remove a member that is gone for good: by its id, how that begins, or host:port')
    .argument('<member>');
  addNodeOptions(command)
    .option('--force', 'its process does not run for certain: go on without it', false)
    .action(async (member: string, options) => {
      const { forgetNode } = await import('./forget-node.js');
      process.exitCode = await forgetNode(member, { ...options, ...accessOf(options) });
    });
}

function demoCommand(program: Command, path: string): void {
  program
    .command('demo')
    .description('three nodes, three applications and a page to kill them from, on this machine')
    .option('-p, --port <port>', 'port of the page', integer, 3000)
    .option('--host <address>', 'address that the page is at', '127.0.0.1')
    .option('--node-port <port>', 'client port of the first node (default: free ports)', integer, 0)
    .option('--users <n>', 'simulated users', integer, 100)
    .action(async (options) => {
      const { runDemo } = await import('../../demo/demo.js');
      process.exitCode = await runDemo({ ...options, program: path });
    });
}

function importCommand(program: Command): void {
  const command = program
    .command('import')
    .description(
      'copy the keys of a Redis, with their expiry, into the cluster; it can be run again',
    )
    .argument('<url>', 'redis://[user:password@]host:port/db, rediss:// for TLS');
  addNodeOptions(command)
    .option('--match <pattern>', 'only keys whose name matches, as in SCAN')
    .option('--replace', 'replace keys that are there already', false)
    .option('--rate <keys>', 'keys per second at most; 0 for no bound', integer, 0)
    .option('--source-cacert <file>', "CA certificates that the source's is judged by")
    .addHelpText(
      'after',
      '\nThe password of the source is read from TANDIS_IMPORT_AUTH where the URL has none.',
    )
    .action(async (url: string, options) => {
      const { importKeys } = await import('./import/import-keys.js');
      process.exitCode = await importKeys(url, { ...options, ...accessOf(options) });
    });
}

/** All commands. `path` is that of the program itself, by which it starts others of its kind. */
export function buildProgram(path: string): Command {
  const program = new Command('tandis')
    .description('A session cache cluster that speaks the Redis protocol')
    .version(VERSION)
    .showSuggestionAfterError(false)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(`tandis: ${text.replace(/^error: /, '')}`),
    });
  serverCommand(program);
  clusterCommand(program, path);
  statusCommand(program);
  drainCommand(program);
  forgetCommand(program);
  importCommand(program);
  addNodeCommands(program);
  demoCommand(program, path);
  completionCommand(program);
  for (const command of program.commands) addExamples(command);
  return program;
}

/**
 * The command line. Bad options: one line on stderr and exit status 2; what fails at run time ends with status 1.
 * `path` is that of the program itself, by which it starts others of its kind.
 */
export async function runProgram(args: readonly string[], path: string): Promise<void> {
  const program = buildProgram(path);
  process.stdout.on('error', endUnread);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof OptionError) {
      process.stderr.write(`tandis: ${error.message}\n`);
      process.exitCode = BAD_USAGE;
    } else if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : BAD_USAGE;
    } else {
      throw error;
    }
  }
}
