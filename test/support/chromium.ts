import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import type { Test } from 'tap';

/** Debian's. */
const CHROMIUM = '/usr/bin/chromium';

/** Why tests that need a browser are skipped; false when there is one. */
export const withoutChromium = existsSync(CHROMIUM)
  ? false
  : `${CHROMIUM} is missing (Debian package chromium)`;

/** With PICTURES=1 the pictures of the documentation are made anew, in this folder. */
export const PICTURES =
  process.env['PICTURES'] === undefined
    ? null
    : fileURLToPath(new URL('../../../docs/images/', import.meta.url));

/** A browser that is closed with its test. */
export async function startChromium(t: Test): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  t.teardown(() => browser.close());
  return browser;
}
