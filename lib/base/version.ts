import { readFileSync } from 'node:fs';

/** The version of this release, of package.json: beside lib/ in the sources, beside dist/ when built. */
function readVersion(): string {
  for (const up of ['../..', '../../..']) {
    try {
      const text = readFileSync(new URL(`${up}/package.json`, import.meta.url), 'utf8');
      const { name, version } = JSON.parse(text) as { name: string; version: string };
      if (name === 'tandis') return version;
    } catch {
      // Not there: one further up.
    }
  }
  return '0.0.0';
}

export const VERSION = readVersion();
