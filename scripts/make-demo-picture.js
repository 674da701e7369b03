// Makes docs/images/demo.png: the demo's page in Chromium, a moment after the node that held a session was killed.
//
//     npm run build && node scripts/make-demo-picture.js [file] [width] [light|dark]
//
// It needs playwright-core (a development dependency), and a Chromium, at CHROMIUM or /usr/bin/chromium.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const [file = 'docs/images/demo.png', width = '1180', colorScheme = 'light'] =
  process.argv.slice(2);
const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** The crowd is to have filled a part of its chart. */
const CROWD_MS = 14_000;
const AFTER_MS = 6000;

const demo = spawn(process.execPath, ['dist/bin/tandis.js', 'demo', '--port', '0'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const ended = new Promise((resolve) => demo.once('exit', resolve));

async function address() {
  for await (const line of createInterface({ input: demo.stdout })) {
    const url = /http:\S+/.exec(line)?.[0];
    if (url !== undefined) return url;
  }
  throw new Error('the demo has not started');
}

async function makePicture(page, url) {
  await page.goto(url);
  await page.getByLabel('Your name').fill('Ada');
  await page.getByRole('button', { name: 'Log in' }).click();
  for (const thing of ['a lamp', 'two chairs']) {
    await page.getByLabel('Put into the basket').fill(thing);
    await page.getByRole('button', { name: 'Put', exact: true }).click();
    await page.getByText(thing).waitFor();
  }
  await page.waitForTimeout(CROWD_MS);
  const home = (await page.locator('#primary').textContent()).slice(-1);
  await page.getByRole('button', { name: `Kill node ${home}` }).click();
  await page.getByRole('button', { name: `Start node ${home} again` }).waitFor();
  await page.waitForTimeout(AFTER_MS);
  await page.screenshot({ path: file, fullPage: true });
  console.log(`${file}: lost ${await page.locator('#lost').textContent()}`);
}

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
try {
  const viewport = { width: Number(width), height: 800 };
  const page = await browser.newPage({ viewport, colorScheme });
  page.on('console', (message) => console.error(message.text()));
  page.on('pageerror', (error) => console.error(error.message));
  await makePicture(page, await address());
} finally {
  await browser.close();
  demo.kill('SIGINT');
  await ended;
}
