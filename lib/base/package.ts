import { readFileSync } from 'node:fs';

/** This package: its directory, which is above the sources, what they are compiled to, and the program made of that. */
function findPackage(): { readonly root: URL; readonly version: string } {
  for (const up of ['../../', '../../../']) {
    const root = new URL(up, import.meta.url);
    try {
      const text = readFileSync(new URL('package.json', root), 'utf8');
      const { name, version } = JSON.parse(text) as { name: string; version: string };
      if (name === 'tandis') return { root, version };
    } catch {
      // Not there: one further up.
    }
  }
  // It has become a part of somebody's bundle.
  return { root: new URL('.', import.meta.url), version: '0.0.0' };
}

const { root, version } = findPackage();

/** Where the files of this package are. */
export const PACKAGE_ROOT: URL = root;

/** The version of this release. */
export const VERSION: string = version;
