import type { Command } from 'commander';
import { COMMAND_PAGES, exitStatuses } from './examples.js';

const HEAD = `# The command line

Every command: what it takes, examples, and what it ends with. This page is written by \`node scripts/write-cli-page.js\` from the
program itself, and a test compares the two. \`tandis COMMAND --help\` says the same.

A password is better in the environment variable \`REDISCLI_AUTH\` than on the command line, where other users of the machine see it.
Errors are one line on the standard error output. The options of a node stand in [options.md](options.md).
`;
const SERVER_OPTIONS = 'All options of a node, as `--name value`: see [options.md](options.md).';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function optionRows(command: Command): string[] {
  if (command.name() === 'server') return [SERVER_OPTIONS];
  const help = command.createHelp();
  const rows = help.visibleOptions(command).map((option) => {
    return `| \`${option.flags}\` | ${cell(help.optionDescription(option))} |`;
  });
  return ['| option | |', '| --- | --- |', ...rows];
}

function section(command: Command): string {
  const name = command.name();
  const page = COMMAND_PAGES[name];
  if (page === undefined) throw new Error(`no examples of ${name}`);
  const lines = page.examples.flatMap(([line, what]) => [`    # ${what}`, `    ${line}`]);
  const statuses = exitStatuses(page).map((line) => `- ${line.replace(/^(\d) +/, '`$1`: ')}`);
  const usage = `    tandis ${name} ${command.usage()}`;
  const parts = [[`## ${name}`], [command.description()], [usage], optionRows(command)];
  return [...parts, lines, ['Exit status:'], statuses].map((part) => part.join('\n')).join('\n\n');
}

/** The text of docs/cli.md. */
export function cliPage(program: Command): string {
  return `${HEAD}\n${program.commands.map(section).join('\n\n')}\n`;
}
