import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { cliPage } from '../../lib/server/cli/cli-page.js';
import { completionScript } from '../../lib/server/cli/completion.js';
import { COMMAND_PAGES } from '../../lib/server/cli/examples.js';
import { buildProgram } from '../../lib/server/cli/program.js';
import { tandis } from './processes.js';

const program = buildProgram('');

t.test('every command has examples, of options that it has', async (t) => {
  for (const command of program.commands) {
    const examples = COMMAND_PAGES[command.name()]?.examples ?? [];
    t.ok(examples.length > 0, command.name());
    for (const [line] of examples) {
      t.match(line, new RegExp(`^tandis ${command.name()}\\b`));
      const words = line.split(' -- ')[0]!.split(' ').slice(2);
      for (const word of words.filter((one) => one.startsWith('-'))) {
        const known = command.options.some(({ short, long }) => word === short || word === long);
        t.ok(known, `${line}: ${word}`);
      }
    }
  }
});

t.test('the help shows them, and the exit statuses', async (t) => {
  const run = tandis(t, 'locate', '--help');
  t.equal(await run.ended, 0);
  t.match(run.out, /\nExamples:\n {2}tandis locate sess:1\n/);
  t.match(run.out, /\nExit status:\n {2}0 {2}all went well\n {2}1 {2}nobody has the key,/);
});

t.test('so does that of every other command', async (t) => {
  for (const command of buildProgram('').commands) {
    let shown = '';
    command.configureOutput({
      writeOut: (text) => {
        shown += text;
      },
    });
    command.outputHelp();
    t.match(shown, `\nExamples:\n  tandis ${command.name()}`);
    t.match(shown, /\nExit status:\n {2}0 {2}all went well\n/, command.name());
  }
});

/** Commands that ask a node, with what else they have to be given. */
const ASK: Readonly<Record<string, readonly string[]>> = {
  status: [],
  drain: [],
  forget: ['10.0.0.3:7001'],
  import: ['redis://127.0.0.1:1'],
  top: [],
  locate: ['sess:1'],
  events: [],
  bench: [],
};

t.test('a node that does not answer is 1, a wrong command line 2', async (t) => {
  const unreachable = Object.entries(ASK).map(async ([name, words]) => {
    const run = tandis(t, name, ...words, '-p', '1');
    t.equal(await run.ended, 1, name);
    t.match(run.err, /^tandis: .*ECONNREFUSED.*\n$/, name);
  });
  await Promise.all(unreachable);
  const wrong = program.commands.map(async (command) => {
    const run = tandis(t, command.name(), '--no-such-option');
    t.equal(await run.ended, 2, command.name());
    t.match(run.err, /^tandis: .*no-such-option.*\n$/, command.name());
  });
  await Promise.all(wrong);
});

t.test('docs/cli.md says what the program says (scripts/write-cli-page.js)', async (t) => {
  const page = new URL('../../../docs/cli.md', import.meta.url);
  t.equal(readFileSync(page, 'utf8'), cliPage(program));
});

/** What bash would offer after these words. */
function offered(...words: string[]): string[] {
  const script = `${completionScript(program, 'bash')}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tandis; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = execFileSync('bash', ['-uc', script, 'bash', ...words], { encoding: 'utf8' });
  return out.split('\n').filter((word) => word !== '');
}

t.test('bash completes commands, options and values', async (t) => {
  const names = program.commands.map((command) => command.name());
  t.strictSame(offered('tandis', ''), [...names, '--help', '--version']);
  t.strictSame(offered('tandis', 'st'), ['status']);
  t.strictSame(offered('tandis', 'locate', '--js'), ['--json']);
  t.strictSame(offered('tandis', 'completion', ''), ['bash', 'zsh', 'fish']);
  t.strictSame(offered('tandis', 'server', '--partition-policy', ''), ['available', 'majority']);
  t.strictSame(offered('tandis', 'top', '--host', ''), []);
  t.strictSame(offered('tandis', 'top', '--cacert', 'package-l'), ['package-lock.json']);
  const registered = execFileSync('bash', [
    '-c',
    `${completionScript(program, 'bash')}complete -p`,
  ]);
  t.match(String(registered), 'complete -F _tandis tandis');
});

t.test('zsh and fish are told of every command and option, too', async (t) => {
  for (const shell of ['zsh', 'fish'] as const) {
    const script = completionScript(program, shell);
    for (const command of program.commands) {
      t.match(script, command.name());
      for (const { long } of command.options) {
        const word = shell === 'fish' ? `-l ${long!.slice(2)} ` : `${long}[`;
        t.ok(script.includes(word), `${shell}: ${command.name()} ${long}`);
      }
    }
  }
  const bash = tandis(t, 'completion', 'bash');
  t.equal(await bash.ended, 0);
  t.equal(bash.out, completionScript(program, 'bash'));
  const run = tandis(t, 'completion', 'tcsh');
  t.equal(await run.ended, 2);
  t.match(run.err, /^tandis: .*Allowed choices are bash, zsh, fish\.\n$/);
});

t.test('a command whose output nobody reads any more ends without a word', async (t) => {
  const run = tandis(t, 'completion', 'bash');
  run.child.stdout!.destroy();
  t.equal(await run.ended, 1);
  t.equal(run.err, '');
});
