import type { Command } from 'commander';

/** What a command ends with, beside 0 when all went well and 2 for a command line that cannot be right. */
interface CommandPage {
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** When its exit status is 1. */
  readonly fails: string;
}

const UNREACHABLE = 'the node does not answer';

/** By the name of the command. */
export const COMMAND_PAGES: Readonly<Record<string, CommandPage>> = {
  server: {
    examples: [
      ['tandis server --port 7001', 'a node that is alone'],
      [
        'tandis server --port 7001 --bind 10.0.0.1 --join 10.0.0.2:17001',
        'one of several; the secret of the cluster is in TANDIS_CONFIG_CLUSTER_SECRET',
      ],
      ['tandis server /etc/tandis.conf --loglevel verbose', 'options from a file; these here win'],
    ],
    fails: 'a port is in use, or the node was ended before it had handed its keys over',
  },
  cluster: {
    examples: [
      ['tandis cluster', 'three nodes on the ports 7001 to 7003'],
      ['tandis cluster --nodes 5 -- --maxmemory 100mb', 'five, each with that option'],
    ],
    fails: 'all nodes have ended by themselves',
  },
  status: {
    examples: [
      ['tandis status', 'the cluster of the node on this machine'],
      ['tandis status -h 10.0.0.1 --json', 'for scripts; the password is in REDISCLI_AUTH'],
    ],
    fails: UNREACHABLE,
  },
  drain: {
    examples: [
      ['tandis drain -h 10.0.0.1', 'then every key is on two others, and the node has ended'],
    ],
    fails: 'the node stays or does not answer, or keys are without a backup 30 s later',
  },
  forget: {
    examples: [['tandis forget 10.0.0.3:7001', 'its machine is gone for good']],
    fails: 'it is refused, or the node does not answer',
  },
  import: {
    examples: [
      [
        'tandis import redis://10.0.0.9:6379',
        'all keys of its database 0, to the node on this machine',
      ],
      ['tandis import redis://10.0.0.9:6379/1 --match sess:*', 'some keys of another database'],
    ],
    fails: 'one of the two does not answer, or a key could not be copied',
  },
  top: {
    examples: [
      ['tandis top -h 10.0.0.1', 'q or Ctrl-C ends it'],
      ['tandis top --once', 'one table, as it is printed to a pipe'],
    ],
    fails: UNREACHABLE,
  },
  locate: {
    examples: [
      ['tandis locate sess:1', 'its primary, its backup, its version, when it expires'],
      ['tandis locate sess:1 --json', 'for scripts'],
    ],
    fails: 'nobody has the key, or the node does not answer',
  },
  events: {
    examples: [
      [
        'tandis events --count 100',
        'who joined, died, took over, and when copies were whole again',
      ],
      ['tandis events --follow', 'and what happens from now on'],
    ],
    fails: 'the node does not answer, or with --follow not any more',
  },
  bench: {
    examples: [
      ['tandis bench --seconds 5', '50 connections, each with one command under way'],
      ['tandis bench --connections 200 --depth 16 --json', 'more of it, for scripts'],
    ],
    fails: 'no member answers, or a command got an error',
  },
  demo: {
    examples: [
      ['tandis demo', 'open http://127.0.0.1:3000'],
      ['tandis demo --port 8080 --users 300', 'elsewhere, with a larger crowd'],
    ],
    fails: 'something cannot be started, or packages are missing; it says which',
  },
  completion: {
    examples: [
      ['tandis completion bash > ~/.local/share/bash-completion/completions/tandis', 'for bash'],
      ['tandis completion zsh > ~/.zfunc/_tandis', 'for zsh, with ~/.zfunc in its fpath'],
      ['tandis completion fish > ~/.config/fish/completions/tandis.fish', 'for fish'],
    ],
    fails: 'never',
  },
};

/** The exit statuses of a command, a line each. */
export function exitStatuses({ fails }: CommandPage): string[] {
  const failure = fails === 'never' ? [] : [`1  ${fails}`];
  return ['0  all went well', ...failure, '2  the command line cannot be right'];
}

/** Shows examples and exit statuses at the end of a command's help. */
export function addExamples(command: Command): void {
  const page = COMMAND_PAGES[command.name()];
  if (page === undefined) return;
  const lines = page.examples.flatMap(([line, what]) => [`  ${line}`, `      ${what}`]);
  const statuses = exitStatuses(page).map((line) => `  ${line}`);
  command.addHelpText(
    'after',
    `\nExamples:\n${lines.join('\n')}\n\nExit status:\n${statuses.join('\n')}`,
  );
}
