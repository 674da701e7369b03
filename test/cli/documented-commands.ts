import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The commands that the documentation tells its readers to run. */

/** A command as a page has it. */
export interface Documented {
  /** Path of the page from the root of the repository. */
  readonly page: string;
  readonly line: number;
  /** Without the prompt, without what is said about it. */
  readonly text: string;
  /** The settings of the environment that stand before the program. */
  readonly environment: readonly string[];
  /** The program and its arguments, without quotes and redirection. */
  readonly words: readonly string[];
}

/** What a command begins with. A block that has one has nothing else, so a program that is missing here is noticed. */
const PROGRAMS =
  /^(tandis|npm|npx|node|redis-cli|redis-benchmark|curl|haproxy|nginx|apache2|python3|php|apt-get|kill|export|ssh|git)( |$)/;
const SETTING = /^[A-Z_]+=\S*$/;

/** README.md, SECURITY.md, the pages below docs/ but decisions, and what explains examples, deployment and benchmarks. */
export function documentationPages(root: string): string[] {
  const inFolder = (folder: string): string[] =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`);
  const examples = readdirSync(join(root, 'examples')).flatMap((name) =>
    inFolder(`examples/${name}`),
  );
  return [
    'README.md',
    'SECURITY.md',
    ...['docs', 'docs/testing', 'docs/benchmarks', 'deploy', 'benchmarks'].flatMap(inFolder),
    ...examples,
  ];
}

/** Words as a shell makes them, as far as the documentation uses quotes. */
function wordsOf(text: string): string[] {
  const words: string[] = text.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  const end = words.indexOf('>');
  return (end < 0 ? words : words.slice(0, end)).map((word) => word.replaceAll(/['"]/g, ''));
}

function commandOf(page: string, line: number, text: string): Documented | null {
  const words = wordsOf(text);
  const first = words.findIndex((word) => !SETTING.test(word));
  const rest = first < 0 ? [] : words.slice(first);
  if (!PROGRAMS.test(rest.join(' '))) return null;
  return { page, line, text, environment: words.slice(0, first), words: rest };
}

/** The command of a line of a block: without prompt and remark. What follows two spaces is a remark, too. */
const bare = (line: string): string =>
  line
    .trim()
    .replace(/^(\$|[\d.]+\$) /, '')
    .replace(/ # .*$|\s{2,}.*$/, '');

interface Block {
  /** Of its first line. */
  readonly line: number;
  readonly lines: string[];
}

/** Blocks of code: what stands between fences, or is indented. */
function blocksOf(lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  let fence = false;
  let block: Block | null = null;
  lines.forEach((line, i) => {
    const isFence = line.startsWith('```');
    if (isFence) fence = !fence;
    if (isFence || !(fence || /^ {4,}\S/.test(line))) {
      block = null;
      return;
    }
    if (block === null) {
      block = { line: i + 1, lines: [] };
      blocks.push(block);
    }
    block.lines.push(line);
  });
  return blocks;
}

/** Lines of a block with those that they are continued by (a backslash at the end). */
function wholeLines({ line, lines }: Block): { at: number; text: string }[] {
  const whole: { at: number; text: string }[] = [];
  let isContinued = false;
  lines.forEach((text, i) => {
    const part = text.trim().replace(/ *\\$/, '');
    if (isContinued) whole[whole.length - 1]!.text += ` ${part}`;
    else if (part !== '') whole.push({ at: line + i, text: part });
    isContinued = text.endsWith('\\');
  });
  return whole;
}

/** Commands of a block, or nothing when it is none of commands. Throws for one that has other lines, too. */
function commandsOfBlock(page: string, block: Block): Documented[] {
  const found = wholeLines(block).map((one) => ({
    ...one,
    command: commandOf(page, one.at, bare(one.text)),
  }));
  if (found.every(({ command }) => command === null)) return [];
  return found.flatMap(({ at, text, command }) => {
    // "tandis status [options]" says what it takes.
    if (text.startsWith('#') || text.includes(' [options]')) return [];
    if (command !== null) return [command];
    throw new Error(`${page}:${at}: among commands, and none that is known: ${text}`);
  });
}

/** Commands within the text: `npm run build && node x.js` are two, a program alone is none. */
function commandsOfText(page: string, line: number, text: string): Documented[] {
  const quoted = [...text.matchAll(/`([^`]+)`/g)].flatMap(([, code]) => code!.split(' && '));
  return quoted.flatMap((code) => {
    const command = commandOf(page, line, code);
    return command === null || command.words.length < 2 ? [] : [command];
  });
}

export function documentedCommands(root: string, page: string): Documented[] {
  const lines = readFileSync(join(root, page), 'utf8').split('\n');
  const blocks = blocksOf(lines);
  const inBlocks = new Set(blocks.flatMap(({ line, lines }) => lines.map((_, i) => line + i)));
  const texts = lines
    .map((text, i) => ({ line: i + 1, text }))
    .filter(({ line }) => !inBlocks.has(line));
  return [
    ...blocks.flatMap((block) => commandsOfBlock(page, block)),
    ...texts.flatMap(({ line, text }) => commandsOfText(page, line, text)),
  ];
}
