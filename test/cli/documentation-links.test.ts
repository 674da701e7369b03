import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

/** Every link of the documentation to a file or a heading of this repository leads there, and the README leads to every page. */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const FOLDERS = ['docs', 'examples', 'deploy', 'benchmarks'];
/** Two screens. */
const README_LINES_MAX = 105;
const LINK = /\[[^\]]*\]\(([^()\s]+)\)/g;

const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const pages = [
  ...readdirSync(ROOT),
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true }).map((name) => join(folder, String(name))),
  ),
].filter((path) => path.endsWith('.md'));

/** A page without its code, where brackets are no links. */
function prose(page: string): string {
  return textOf(page)
    .replaceAll(/^```.*?^```$/gms, '')
    .replaceAll(/^ {4,}.*$/gm, '')
    .replaceAll(/`[^`]*`/g, 'code');
}

/** As GitHub names headings. */
function anchorsOf(page: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading] of textOf(page).matchAll(/^#+ (.*)$/gm)) {
    const name = heading!
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    for (let n = 0; ; n++) {
      const anchor = n === 0 ? name : `${name}-${n}`;
      if (anchors.has(anchor)) continue;
      anchors.add(anchor);
      break;
    }
  }
  return anchors;
}

interface Link {
  readonly path: string;
  readonly anchor: string;
}

/** Its links to what is in this repository, from the root. */
function linksOf(page: string): Link[] {
  const targets = [...prose(page).matchAll(LINK)].map(([, target]) => target!);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file, anchor = ''] = target.split('#') as [string, string?];
      const path = file === '' ? page : normalize(join(dirname(page), file));
      return { path: path.replace(/\/$/, ''), anchor };
    });
}

t.test('every link leads somewhere', async (t) => {
  let links = 0;
  for (const page of pages) {
    for (const { path, anchor } of linksOf(page)) {
      links++;
      t.ok(existsSync(join(ROOT, path)), `${page}: ${path}`);
      if (anchor === '' || !existsSync(join(ROOT, path))) continue;
      t.ok(anchorsOf(path).has(anchor), `${page}: ${path}#${anchor}`);
    }
  }
  t.ok(links > 200, `${links} links`);
});

t.test('the README leads to every page', async (t) => {
  const reached = new Set(['README.md']);
  for (const page of reached) {
    for (const { path } of linksOf(page)) {
      const isFolder = statSync(join(ROOT, path)).isDirectory();
      const led = isFolder ? pages.filter((other) => other.startsWith(`${path}/`)) : [path];
      for (const other of led) if (other.endsWith('.md')) reached.add(other);
    }
  }
  for (const page of pages) t.ok(reached.has(page), page);
});

t.test('the README fits on two screens', async (t) => {
  const lines = textOf('README.md').split('\n').length;
  t.ok(lines <= README_LINES_MAX, `${lines} lines`);
});
