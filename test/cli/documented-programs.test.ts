import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { missingRedis } from '../support/redis-server.js';
import { withoutWarmUp } from '../support/without-warm-up.js';
import { invocationOf, RUN_BY, textOf } from './documentation-runs.js';
import { documentationPages, documentedCommands } from './documented-commands.js';

/** Each command of the documentation that runs for minutes is run here, with what it is asked for cut short. */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Each ends in some seconds, when nothing else runs. */
const PROGRAM_MS_MAX = 150_000;

const runFile = promisify(execFile);
const isOption = (word: string): boolean => word.startsWith('--');

/** The words of each option, that one first; and before the first one what stands without. */
function optionsOf(words: readonly string[]): string[][] {
  const options: string[][] = [[]];
  for (const word of words) {
    if (isOption(word)) options.push([word]);
    else options.at(-1)!.push(word);
  }
  return options;
}

/** The documented words, with those of `short` in place of the same options, or behind them. "[NAME...]" and "..." stand for names. */
function cutShort(words: readonly string[], short: readonly string[]): string[] {
  const [names, ...options] = optionsOf(short);
  const [own, ...documented] = optionsOf(words.filter((word) => !/^(\[|\.\.\.)/.test(word)));
  const kept = documented.filter(([name]) => options.every(([other]) => other !== name));
  return [...own!, ...names!, ...kept.flat(), ...options.flat()];
}

/** What the documentation has run, shortened; what comes to the same words is run once. */
function shortRuns(): ReadonlyMap<string, readonly string[]> {
  const runs = new Map<string, readonly string[]>();
  for (const page of documentationPages(ROOT)) {
    for (const command of documentedCommands(ROOT, page)) {
      const by = RUN_BY.find(([pattern]) => pattern.test(textOf(command)))?.[1];
      if (by === undefined || !('short' in by)) continue;
      const { path, args } = invocationOf(command)!;
      const words = [path, ...cutShort(args, by.short)];
      runs.set(words.join(' '), words);
    }
  }
  return runs;
}

const skip = missingRedis() ?? false;

t.test('programs that run for minutes, in short', { skip }, async (t) => {
  const cwd = t.testdir({});
  const env = withoutWarmUp();
  for (const [words, [path, ...args]] of shortRuns()) {
    const options = { cwd, env, timeout: PROGRAM_MS_MAX };
    const { stdout, failure } = await runFile(
      process.execPath,
      [join(ROOT, path!), ...args],
      options,
    ).then(
      (result) => ({ ...result, failure: '' }),
      (error) => ({ stdout: '', failure: `${error.message}\n${error.stdout}` }),
    );
    t.equal(failure, '', words);
    t.not(stdout, '', 'it says something');
  }
});
