import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { PICTURES, startChromium, withoutChromium } from '../support/chromium.js';
import { startDemo } from './start-demo.js';

const WAIT_MS = 30_000;
/** For the picture: the crowd has filled a part of its chart, and then some of what follows a death. */
const CROWD_MS = 14_000;
const AFTER_MS = 6000;

t.setTimeout(120_000);

t.test('the demo in a browser', { skip: withoutChromium }, async (t) => {
  const { url } = await startDemo(t, PICTURES === null ? 10 : 100);
  const browser = await startChromium(t);
  const viewport = { width: 1180, height: 800 };
  const page = await browser.newPage({ viewport, colorScheme: 'light' });
  page.setDefaultTimeout(WAIT_MS);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) faults.push(message.text());
  });
  const text = async (selector: string): Promise<string> =>
    (await page.locator(selector).textContent()) ?? '';

  await page.goto(url);
  await page.getByLabel('Your name').fill('Ada');
  await page.getByRole('button', { name: 'Log in' }).click();
  for (const thing of ['a lamp', 'two chairs']) {
    await page.getByLabel('Put into the basket').fill(thing);
    await page.getByRole('button', { name: 'Put', exact: true }).click();
    await page.locator('#basket', { hasText: thing }).waitFor();
  }
  t.equal(await text('#who'), 'Ada');
  const home = (await text('#primary')).slice(-1);
  t.equal((await text('#by')).slice(-1), home, 'the node that answers is the primary');
  t.not((await text('#backup')).slice(-1), home);
  t.match(await text('#took'), /^[\d.]+ ms$/);
  if (PICTURES !== null) await delay(CROWD_MS);

  await page.getByRole('button', { name: `Kill node ${home}` }).click();
  const again = page.getByRole('button', { name: `Start node ${home} again` });
  await again.waitFor();
  // The page asks for another one each second.
  await page.locator('#by', { hasNotText: home }).waitFor();
  t.equal(await text('#who'), 'Ada', 'still logged in');
  t.match(await text('#basket'), /a lamp.*two chairs/);
  t.not((await text('#primary')).slice(-1), home, 'another node is the primary');
  t.equal(await text('#lost'), '0');
  if (PICTURES !== null) {
    await delay(AFTER_MS);
    await page.screenshot({ path: `${PICTURES}demo.png`, fullPage: true });
  }

  await again.click();
  await page.getByRole('button', { name: `Kill node ${home}` }).waitFor();
  await page.locator('#whole', { hasText: 'every session is on two nodes' }).waitFor();
  t.same(faults, []);
});
