import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../../base/package.js';

/** The files of the page that may be asked for, and of what type they are; modules are found by their names. */
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};
const NAME = /^[a-z][a-z-]*\.(html|css|js|svg)$/;
/** Of the package uplot, under the names that the page knows them by. */
const CHARTS: Readonly<Record<string, string>> = {
  'uplot.js': 'uplot/dist/uPlot.esm.js',
  'uplot.css': 'uplot/dist/uPlot.min.css',
};

const require = createRequire(import.meta.url);

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

/** The files of the page, out of the package; read once. */
export class Assets {
  readonly #read = new Map<string, Promise<Asset | null>>();

  /** Null for a name that is none. */
  get(name: string): Promise<Asset | null> {
    const extension = NAME.exec(name)?.[1];
    if (extension === undefined) return Promise.resolve(null);
    let found = this.#read.get(name);
    if (found === undefined) {
      found = read(name, TYPES[extension]!);
      this.#read.set(name, found);
      // What is not there is not remembered: names have no end.
      void found.then((asset) => asset ?? this.#read.delete(name));
    }
    return found;
  }
}

async function read(name: string, type: string): Promise<Asset | null> {
  const chart = CHARTS[name];
  const path =
    chart === undefined
      ? fileURLToPath(new URL(`dist/lib/admin/console/page/${name}`, PACKAGE_ROOT))
      : require.resolve(chart);
  const body = await readFile(path).catch(() => null);
  return body === null ? null : { type, body };
}
