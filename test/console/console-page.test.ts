import type { Browser, Locator, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { PICTURES, startChromium, withoutChromium } from '../support/chromium.js';
import { delay, freePorts, type NodeProcess, TestCluster } from '../support/test-cluster.js';

/** From the node's knowing to its being seen, milliseconds. Where others have the processors just then, it is tried again. */
const SEEN_MS = 1000;
const ATTEMPTS_MAX = 6;
const WAIT_MS = 20_000;
const CONTRAST_MIN = 4.5;
/** CSS pixels, as WCAG 2.2 wants at least. */
const TAP_MIN = 24;
const VALUE = 'the value of a session';

/** Texts and what they stand on, by the names of the style sheet. */
const PAIRS = [
  ...['ink', 'quiet', 'good', 'bad', 'calm', 'accent'].map((name) => [name, 'card'] as const),
  ...['ink', 'quiet', 'good', 'bad', 'accent'].map((name) => [name, 'ground'] as const),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((number) => ['on-m', `m${number}`] as const),
  ['on-accent', 'accent'] as const,
  ['card', 'bad'] as const,
];

/** 1 to 21, of two colours as #rrggbb: WCAG 2. */
function contrast(one: string, other: string): number {
  const luminance = (colour: string): number => {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    }) as [number, number, number];
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [
    number,
    number,
  ];
  return (light + 0.05) / (dark + 0.05);
}

const addressOf = (node: NodeProcess): string => `127.0.0.1:${node.port}`;

/** A page that keeps what it must not have: violations of the policy, errors, requests to elsewhere. */
async function open(browser: Browser, port: number): Promise<{ page: Page; faults: string[] }> {
  const page = await browser.newPage({
    viewport: { width: 1180, height: 1000 },
    colorScheme: 'light',
  });
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) faults.push(message.text());
  });
  page.on('request', (request) => {
    if (new URL(request.url()).host !== `127.0.0.1:${port}`) faults.push(request.url());
  });
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.locator('#live[data-state=live]').waitFor({ timeout: WAIT_MS });
  return { page, faults };
}

/** Has something happen to that member; resolves to the milliseconds from the node's knowing of it to its being seen. */
async function seen(
  page: Page,
  kind: string,
  about: NodeProcess,
  happens: () => unknown,
): Promise<number> {
  const selector = `#timeline li[data-kind="${kind}"]`;
  const entries = page.locator(selector, { hasText: addressOf(about) });
  const before = await entries.count();
  await happens();
  // The latest comes first.
  await entries.nth(before).waitFor({ timeout: WAIT_MS });
  const now = Date.now();
  return now - Date.parse(String(await entries.first().locator('time').getAttribute('datetime')));
}

interface Attempt {
  /** Resolves to how long it took to be seen, milliseconds. */
  once(): Promise<number>;
  /** Makes all as it was before. */
  back(): Promise<void>;
}

/** It is seen within a second, once in so many attempts. */
async function inTime(t: Test, what: string, { once, back }: Attempt): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const ms = await once();
    t.comment(`${what}: seen ${ms} ms after the node knew`);
    if (ms < SEEN_MS || attempt === ATTEMPTS_MAX) {
      t.ok(ms < SEEN_MS, `${what} is seen within a second: attempt ${attempt}`);
      return;
    }
    await back();
  }
}

/** Clients of all nodes use keys for so long, some more than others. */
async function useKeys(cluster: TestCluster, ms: number): Promise<void> {
  const until = performance.now() + ms;
  for (let round = 0; performance.now() < until; round++) {
    const wave = 30 + 20 * Math.sin(round / 40);
    await Promise.all(
      cluster.running.map(({ client }, node) => {
        for (let i = 0; i < wave * (node + 1); i++) {
          const key = Math.floor(Math.random() ** 3 * 200);
          void client.get(`sess:${key}`);
        }
        return client.expire(`sess:${round % 200}`, 3600);
      }),
    );
    await delay(20);
  }
}

/** Clients use keys until the page shows that; of few commands it says nothing. */
function usedUntil(cluster: TestCluster, shown: Locator): Promise<void> {
  return cluster.until(async () => {
    await useKeys(cluster, 300);
    return (await shown.count()) > 0;
  });
}

const stateOf = (page: Page, node: NodeProcess) =>
  page.locator('#member-rows tr', { hasText: addressOf(node) });

/** Two members of which the older one is gone for good: the other goes on when an operator vouches for that. */
async function forcedForget(t: Test, browser: Browser): Promise<void> {
  const [port] = (await freePorts(1)) as [number];
  const policy = ['--partition-policy', 'majority', '--node-timeout', '1000'];
  const cluster = await TestCluster.prepare(t, [policy, [...policy, '--admin-port', String(port)]]);
  const [gone, left] = cluster.nodes as [NodeProcess, NodeProcess];
  gone.start();
  await cluster.settled();
  left.start();
  await cluster.settled();
  await left.client.set('sess:1', VALUE);
  const { page, faults } = await open(browser, port);
  page.setDefaultTimeout(WAIT_MS);
  await page.locator('#log-in').click();
  await page.locator('#login-form button[type=submit]').click();
  await page.locator('#log-out:visible').waitFor();

  await gone.end('SIGKILL');
  const ask = stateOf(page, gone).locator('button', { hasText: 'Forget' });
  await ask.click();
  // It may be that the node does not know yet how few are left.
  const isAsked = async (): Promise<boolean> => {
    await page.locator('#drain-go').click();
    await page.locator('#drain-form[aria-busy=false]').waitFor();
    return (
      (await page.locator('#drain-title').textContent()) === `Forget ${addressOf(gone)} by force?`
    );
  };
  await cluster.until(isAsked);
  t.match(await page.locator('#drain-text').textContent(), /both sides serve, and changes .* lost/);
  t.equal(await page.locator(':focus').getAttribute('id'), 'drain-cancel', 'no by default');
  await page.locator('#drain-go').click();
  t.ok(await page.locator('#drain[open]').count(), 'it wants the word of the operator');
  await t.rejects(left.client.get('sess:1'), /^CLUSTERDOWN/);
  await page.locator('#drain-sure').check();
  await page.locator('#drain-go').click();
  await page.locator('#drain:not([open])').waitFor({ state: 'attached' });
  await cluster.until(async () => (await left.facts())['serving'] === '1');
  t.equal(await left.client.get('sess:1'), VALUE);
  t.same(faults, []);
  await page.close();
}

t.setTimeout(240_000);

t.test('the console in a browser', { skip: withoutChromium, timeout: 240_000 }, async (t) => {
  const admin = (await freePorts(3)) as [number, number, number];
  const zones = ['east', 'west', 'north'];
  const cluster = await TestCluster.prepare(
    t,
    admin.map((port, i) => {
      const showing = i === 0 ? ['--admin-show-values', 'yes'] : [];
      return ['--admin-port', String(port), '--zone', zones[i]!, ...showing];
    }),
  );
  const [first, second, third] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  first.start();
  second.start();
  await cluster.settled();
  for (let i = 0; i < 200; i++) await first.client.set(`sess:${i}`, VALUE, 'EX', 3600);
  const browser = await startChromium(t);
  const { page, faults } = await open(browser, admin[0]);
  page.setDefaultTimeout(WAIT_MS);
  const picture = async (name: string): Promise<void> => {
    if (PICTURES === null) return;
    // Charts have something to show.
    await page.evaluate('document.activeElement.blur(); window.scrollTo(0, 0)');
    const ms = name === 'light' ? 25_000 : 5000;
    const load = useKeys(cluster, ms);
    await delay(ms - 1000);
    await page.screenshot({ path: `${PICTURES}console-${name}.png` });
    await load;
  };

  await t.test('what there is', async (t) => {
    await page.locator('#safety-count[data-state=safe]').waitFor({ timeout: WAIT_MS });
    t.equal(await page.locator('#safety-count').textContent(), '0');
    t.equal(await page.locator('#member-rows tr').count(), 2);
    const cells = await stateOf(page, second).locator('td').allTextContents();
    t.same(cells.slice(0, 2), ['west', '● serving']);
    const keys = [first, second].map((node) => stateOf(page, node).locator('td').nth(2));
    const counts = await Promise.all(keys.map(async (cell) => Number(await cell.textContent())));
    t.equal(counts[0]! + counts[1]!, 200);
    t.ok((await page.locator('#chord path.ribbon').count()) >= 1);
    t.match(await stateOf(page, second).locator('[data-title=Memory]').textContent(), /^\d.* .?B$/);
    t.equal(await page.locator('#operations canvas').count(), 1);
    t.equal(await page.locator('#operations + .legend .badge').count(), 2);
  });

  await t.test('who joins', async (t) => {
    await inTime(t, 'a join', {
      once: () => seen(page, 'joined', third, () => third.start()),
      back: async () => {
        await third.end('SIGKILL');
        await cluster.settled();
      },
    });
    await stateOf(page, third).waitFor({ timeout: WAIT_MS });
    await cluster.settled();
    await page.locator('#safety-count[data-state=safe]').waitFor({ timeout: WAIT_MS });
  });

  await t.test('where a key is, by keyboard', async (t) => {
    await page.locator('#lookup-key').focus();
    await page.keyboard.type('sess:7');
    await page.keyboard.press('Enter');
    const answer = page.locator('#lookup-answer dl');
    await answer.waitFor({ timeout: WAIT_MS });
    const text = String(await answer.textContent());
    const { primary, backup } = await first.locate('sess:7');
    t.match(text, `Primary${await page.locator('#lookup-answer .badge').first().textContent()}`);
    t.match(text, `127.0.0.1:${primary}`);
    t.match(text, `127.0.0.1:${backup}`);
    t.match(text, /in 59 min/);
    t.equal(await page.locator('#lookup-value').count(), 0, 'nobody is logged in');
    t.notMatch(await page.content(), VALUE);
  });

  await t.test('what is used most and what was slow, with masked names', async (t) => {
    await first.client.config('SET', 'slowlog-log-slower-than', '0');
    await first.client.set('sess:8', VALUE, 'EX', 3600);
    await first.client.config('SET', 'slowlog-log-slower-than', '-1');
    const latency = stateOf(page, first).locator('[data-title=Latency]');
    await usedUntil(cluster, latency.filter({ hasText: /^\d.* .?s$/ }));
    await usedUntil(cluster, page.locator('#latency + .legend .badge'));
    await usedUntil(cluster, page.locator('#hot li'));
    t.match(await page.locator('#hot .key').first().textContent(), /^sess:…[0-9a-f]{4}$/);
    const slow = page.locator('#slow .key', { hasText: 'SET sess:' });
    t.match(await slow.first().textContent(), /^SET sess:…[0-9a-f]{4}$/);
    t.notMatch(await page.content(), VALUE);
  });

  await t.test('who logs in, by keyboard', async (t) => {
    t.equal(await page.locator('#member-rows button:visible').count(), 0, 'nothing to drain yet');
    // A page that was just opened has the focus nowhere.
    await page.reload();
    await page.locator('#log-in:visible').waitFor({ timeout: WAIT_MS });
    await page.keyboard.press('Tab');
    t.equal(await page.locator(':focus').textContent(), 'To the members');
    await page.keyboard.press('Tab');
    t.equal(await page.locator(':focus').getAttribute('id'), 'log-in');
    await page.keyboard.press('Enter');
    await page.locator('#login[open]').waitFor();
    await page.keyboard.press('Escape');
    t.equal(await page.locator('#login[open]').count(), 0);
    t.equal(await page.locator(':focus').getAttribute('id'), 'log-in', 'back where it was');
    await page.keyboard.press('Enter');
    await page.locator('#login-password').focus();
    await page.keyboard.press('Enter');
    await page.locator('#log-out:visible').waitFor({ timeout: WAIT_MS });
    t.equal(await page.evaluate('document.cookie'), '', 'no script reads the cookie');
    await page.locator('#slow .key', { hasText: /^SET sess:8$/ }).waitFor();
    await usedUntil(cluster, page.locator('#hot .key', { hasText: /^sess:\d+$/ }));
    t.notMatch(await page.content(), VALUE, 'nor for them a value');
    await picture('light');
  });

  await t.test('what a key is, by keyboard, until the log-out', async (t) => {
    await first.client.set('sess:9', `<b id="bold">${VALUE}</b>`, 'EX', 3600);
    const find = async (key: string): Promise<void> => {
      await page.locator('#lookup-key').fill(key);
      await page.keyboard.press('Enter');
      await page.locator('#lookup-value button').focus();
    };
    const value = page.locator('#lookup-value pre');
    await find('sess:9');
    t.notMatch(await page.content(), VALUE, 'only when asked for');
    await page.keyboard.press('Enter');
    await value.waitFor();
    t.equal(await value.textContent(), `<b id="bold">${VALUE}</b>`);
    t.equal(await page.locator('#bold').count(), 0, 'as text');
    await page.locator('#lookup-key').fill('sess:10');
    await page.keyboard.press('Enter');
    await page.locator('#lookup-value button').waitFor();
    t.notMatch(await page.content(), VALUE, 'another key was looked up');
    await find('sess:9');
    await page.keyboard.press('Enter');
    await value.waitFor();
    await page.locator('#log-out').click();
    await page.locator('#log-in:visible').waitFor();
    await page.locator('#lookup-answer dl').waitFor();
    t.equal(await page.locator('#lookup-value').count(), 0);
    t.notMatch(await page.content(), VALUE);
    await page.locator('#log-in').click();
    await page.locator('#login-form button[type=submit]').click();
    await page.locator('#lookup-value button').waitFor();
    t.notMatch(await page.content(), VALUE, 'nor with the next login');
  });

  await t.test('who is frozen', async (t) => {
    third.freeze();
    await page.locator('#safety-count:not([data-state=safe])').waitFor({ timeout: WAIT_MS });
    t.not(await page.locator('#safety-count').textContent(), '0');
    third.thaw();
    await cluster.settled();
    await page.locator('#safety-count[data-state=safe]').waitFor({ timeout: WAIT_MS });
  });

  await t.test('who is killed', async (t) => {
    await inTime(t, 'a death', {
      once: () => seen(page, 'died', third, () => third.end('SIGKILL')),
      back: async () => {
        third.start();
        await cluster.settled();
      },
    });
    await page.locator('tr[data-state=gone]', { hasText: addressOf(third) }).waitFor();
    await page.locator('#safety-count[data-state=safe]').waitFor({ timeout: WAIT_MS });
    t.ok(await page.locator('#timeline li[data-kind="copies-lost"]').count());
    await stateOf(page, third).locator('button', { hasText: 'Forget' }).click();
    await page.locator('#drain-go').click();
    await page.locator('#drain:not([open])').waitFor({ state: 'attached', timeout: WAIT_MS });
    t.equal(await page.locator('#drain-error').textContent(), '', 'nobody looks for it any more');
    await page.emulateMedia({ colorScheme: 'dark' });
    if (PICTURES !== null) await delay(1500);
    await picture('dark');
  });

  await t.test('who is drained, by keyboard', async (t) => {
    const drain = async (): Promise<number> => {
      const row = page.locator('#member-rows tr[data-state=serving]', {
        hasText: addressOf(second),
      });
      await row.waitFor();
      await row.locator('button').focus();
      await page.keyboard.press('Enter');
      await page.locator('#drain[open]').waitFor();
      t.equal(await page.locator(':focus').getAttribute('id'), 'drain-cancel', 'no by default');
      await page.keyboard.press('Tab');
      const ended = second.exit();
      const go = () => page.keyboard.press('Enter');
      const times = await Promise.all([
        seen(page, 'left', second, () => undefined),
        seen(page, 'leaving', second, go),
      ]);
      t.equal(await ended, 0);
      return Math.max(...times);
    };
    await inTime(t, 'a drain, and its end', {
      once: drain,
      back: async () => {
        second.start();
        await cluster.settled();
      },
    });
    await page.locator('#safety-count[data-state=alone]').waitFor({ timeout: WAIT_MS });
    t.equal(await page.locator('#safety-count').textContent(), '200', 'one copy each');
  });

  await t.test('in dark and light, on a phone', async (t) => {
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const [text, ground] of PAIRS) {
        const [one, other] = (await page.evaluate(
          `['${text}', '${ground}'].map((name) =>
            getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim())`,
        )) as [string, string];
        const ratio = contrast(one, other);
        t.ok(ratio >= CONTRAST_MIN, `${colorScheme}: ${text} on ${ground}, ${ratio.toFixed(1)}`);
      }
    }
    // Nobody has to tell colours apart.
    const differ = async (script: string): Promise<void> => {
      const found = (await page.evaluate(script)) as string[];
      t.ok(found.length > 2 && new Set(found).size === found.length, `${script}: ${found}`);
    };
    await differ(`[...document.querySelectorAll('#operations + .legend line')]
      .map((line) => line.getAttribute('stroke-dasharray'))`);
    await differ(`[...document.querySelectorAll('#operations + .legend .badge')]
      .map((badge) => badge.textContent)`);
    await differ(`['joined', 'died', 'leaving', 'left', 'copies-lost', 'restored']
      .map((kind) => document.querySelector('#timeline [data-kind=' + kind + '] .shape').textContent)`);
    for (const width of [390, 320]) {
      await page.setViewportSize({ width, height: 844 });
      const over = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      t.ok(Number(over) <= 0, `no scrolling sideways at ${width}`);
    }
    await page.setViewportSize({ width: 390, height: 844 });
    const small = await page.evaluate(`[...document.querySelectorAll('button, input, summary')]
      .filter((one) => one.offsetParent !== null && one.getBoundingClientRect().height < ${TAP_MIN})
      .map((one) => one.outerHTML)`);
    t.same(small, [], 'large enough for a finger');
    await picture('phone');
  });

  await t.test('who is forgotten by force', (t) => forcedForget(t, browser));

  t.same(faults, [], 'no violation of the policy, no error, nothing from elsewhere');
  await page.evaluate("document.body.setAttribute('style', 'color: red')");
  await cluster.until(async () => faults.length > 0);
  t.match(faults, [/Content Security Policy/], 'a violation would have been seen');
});
