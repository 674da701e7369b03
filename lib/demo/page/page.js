// What the demo's server says by events, and what the application answers, shown on the page.

const SECONDS_SHOWN = 60;
const LOG_LINES = 50;
const VISIT_MS = 1000;

const byId = (id) => document.getElementById(id);
const show = (id, text) => {
  byId(id).textContent = text;
};
const ms = (time) => (time < 10 ? `${time.toFixed(1)} ms` : `${Math.round(time)} ms`);
const count = new Intl.NumberFormat('en').format;

/** What is known of the reader's session; null when not logged in. */
let mine = null;
/** The newest status. */
let status = null;
/** Of each second: pages answered, and whether a node died; the newest is last. */
const seconds = [];
let requestsBefore = null;
let deathsSince = 0;
const nodes = new Map();

function note(text, kind = '') {
  const line = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = new Date().toLocaleTimeString('en-GB');
  line.append(time, text);
  line.className = kind;
  const log = byId('log');
  log.prepend(line);
  while (log.children.length > LOG_LINES) log.lastElementChild.remove();
}

function routeOf(address) {
  if (address === null || address === undefined) return null;
  return status?.places.find((place) => place.address === address)?.route ?? null;
}

// The cluster

async function order(what, route) {
  const headers = { 'x-tandis-demo': '1' };
  const answer = await fetch(`demo/${what}/${route}`, { method: 'POST', headers });
  if (!answer.ok) note(await answer.text(), 'bad');
}

function nodeCard(route) {
  const known = nodes.get(route);
  if (known !== undefined) return known;
  const card = byId('node').content.firstElementChild.cloneNode(true);
  card.querySelector('h3').textContent = `Node ${route}`;
  const node = { card, state: '', pid: null };
  card.querySelector('button').addEventListener('click', () => {
    order(node.state === 'dead' ? 'start' : 'kill', route);
  });
  byId('nodes').append(card);
  nodes.set(route, node);
  return node;
}

function chipsOf(route) {
  if (mine === null) return [];
  const chips = [];
  if (mine.primary === route) chips.push(['primary', 'your session: primary']);
  if (mine.backup === route) chips.push(['backup', 'your session: backup']);
  if (mine.by === route) chips.push(['by', 'answers you']);
  return chips;
}

function showChips(card, route) {
  const list = card.querySelector('.chips');
  const chips = chipsOf(route);
  const text = JSON.stringify(chips);
  if (list.dataset.shown === text) return;
  list.dataset.shown = text;
  list.replaceChildren(
    ...chips.map(([kind, words]) => {
      const chip = document.createElement('li');
      chip.className = kind;
      chip.textContent = words;
      return chip;
    }),
  );
}

function noteState(node, place) {
  const before = node.state;
  node.state = place.state;
  if (before === '' || before === place.state) return;
  if (place.state === 'dead') {
    deathsSince++;
    note(`Node ${place.route} and its application were killed (process ${node.pid})`, 'bad');
  }
  if (place.state === 'serving') note(`Node ${place.route} serves again, as a new, empty member`);
}

function showNode(place) {
  const node = nodeCard(place.route);
  const { card } = node;
  noteState(node, place);
  node.pid = place.pid;
  const isDead = place.state === 'dead';
  card.className = `card node ${place.state}`;
  const state = card.querySelector('.state');
  state.textContent = place.state;
  state.className = `state ${place.state}`;
  card.querySelector('.address').textContent = isDead
    ? `${place.address}, nobody there`
    : `${place.address}, process ${place.pid}`;
  card.querySelector('.primaries').textContent = isDead ? '–' : count(place.primaries);
  card.querySelector('.backups').textContent = isDead ? '–' : count(place.backups);
  card.querySelector('.ops').textContent = isDead ? '–' : count(place.operationsPerSecond);
  const button = card.querySelector('button');
  button.textContent = isDead ? `Start node ${place.route} again` : `Kill node ${place.route}`;
  button.classList.toggle('kill', !isDead);
  button.disabled = !isDead && !status.whole;
  showChips(card, place.route);
}

function showWhole() {
  const state = byId('whole');
  const running = status.places.filter((place) => place.state !== 'dead').length;
  const words = {
    alone: 'one node alone: start another one',
    wait: `making new copies: ${status.withoutBackup ?? '?'} sessions have one`,
    whole: 'every session is on two nodes: kill any one',
  };
  const now = status.whole ? 'whole' : running > 1 ? 'wait' : 'alone';
  if (state.textContent !== words[now]) state.textContent = words[now];
  state.className = `state ${status.whole ? 'serving' : 'starting'}`;
}

// The crowd

function drawChart() {
  const chart = byId('chart');
  const top = Math.max(10, ...seconds.map((second) => second.pages)) * 1.1;
  const width = 600 / SECONDS_SHOWN;
  const rect = (kind, x, w, height) => {
    const bar = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    const facts = { class: kind, x, width: w, y: 96 - height, height };
    for (const [name, value] of Object.entries(facts)) bar.setAttribute(name, value);
    return bar;
  };
  const first = SECONDS_SHOWN - seconds.length;
  chart.replaceChildren(
    ...seconds.flatMap(({ pages, deaths }, i) => {
      const x = (first + i) * width;
      const bar = rect('pages', x + 1, width - 2, (96 * pages) / top);
      return deaths > 0 ? [bar, rect('death', x - 1, 3, 96)] : [bar];
    }),
  );
}

function showCrowd({ crowd }) {
  show('users', count(crowd.users));
  show('requests', count(crowd.requests));
  show('failed-over', count(crowd.failedOver));
  show('again', count(crowd.again));
  show('p50', ms(crowd.p50));
  show('p99', ms(crowd.p99));
  show('lost', count(crowd.lost));
  byId('lost').parentElement.classList.toggle('bad', crowd.lost > 0);
}

setInterval(() => {
  if (status === null) return;
  const { requests } = status.crowd;
  if (requestsBefore !== null) {
    const pages = requests - requestsBefore;
    seconds.push({ pages, deaths: deathsSince });
    if (seconds.length > SECONDS_SHOWN) seconds.shift();
    show('rate', count(pages));
    drawChart();
  }
  requestsBefore = requests;
  deathsSince = 0;
}, 1000);

function showStatus() {
  for (const place of status.places) showNode(place);
  showWhole();
  showCrowd(status);
}

const events = new EventSource('demo/events');
events.addEventListener('message', ({ data }) => {
  status = JSON.parse(data);
  showStatus();
});
events.addEventListener('error', () => {
  show('whole', 'the demo does not answer');
  byId('whole').className = 'state dead';
});

// The reader's session

function showSession() {
  byId('login').hidden = mine !== null;
  byId('session').hidden = mine === null;
  if (status !== null) showStatus();
  if (mine === null) return;
  const node = (route) => (route === null ? '–' : `node ${route}`);
  show('who', mine.user);
  show('views', count(mine.views));
  show('primary', node(mine.primary));
  show('backup', node(mine.backup));
  show('by', node(mine.by));
  show('took', ms(mine.took));
  show('key', mine.key ?? '–');
  show('basket', mine.basket.join(', ') || 'nothing yet');
}

function noteChange(before, now) {
  if (before === null) return;
  if (before.by !== now.by) {
    note(`Node ${now.by} answers you now, ${ms(now.took)}: page ${now.views} of the same session`);
  }
  if (now.views < before.views) note('Your counter has gone back', 'bad');
}

/** Asks the application; what it answers is the session, or that nobody is logged in. */
async function ask(method, path, body) {
  const headers = { 'content-type': 'application/json' };
  const init = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) };
  const since = performance.now();
  const answer = await fetch(path, init);
  const took = performance.now() - since;
  if (answer.status === 401) {
    if (mine !== null) note('You were logged out', 'bad');
    mine = null;
  } else if (answer.ok) {
    const now = await answer.json();
    const before = mine;
    mine = { primary: null, backup: null, ...before, ...now, took };
    noteChange(before, mine);
  } else {
    note(`Asked again: ${answer.status} ${(await answer.text()).slice(0, 120)}`);
  }
}

async function locate() {
  if (mine === null) return;
  const answer = await fetch('app/where');
  if (!answer.ok || mine === null) return;
  const { key, primary, backup } = await answer.json();
  const before = mine;
  mine = { ...mine, key, primary: routeOf(primary), backup: routeOf(backup) };
  if (before.primary && mine.primary && before.primary !== mine.primary) {
    note(`Your session's primary is node ${mine.primary} now, its backup node ${mine.backup}`);
  }
}

let asking = false;
async function visit(method = 'GET', path = 'app/visit', body = undefined) {
  if (asking && method === 'GET') return;
  asking = true;
  try {
    await ask(method, path, body);
    await locate();
  } catch {
    // The demo is gone; the events say so.
  } finally {
    asking = false;
  }
  showSession();
}

byId('login').addEventListener('submit', (event) => {
  event.preventDefault();
  visit('POST', 'app/login', { user: byId('user').value }).then(() => byId('visit').focus());
});
byId('add').addEventListener('submit', (event) => {
  event.preventDefault();
  visit('POST', 'app/basket', { thing: byId('thing').value });
  byId('thing').value = '';
});
byId('visit').addEventListener('click', () => visit());
byId('logout').addEventListener('click', async () => {
  mine = null;
  await fetch('app/logout', { method: 'POST' });
  mine = null;
  showSession();
});
setInterval(() => {
  if (mine !== null && byId('auto').checked) visit();
}, VISIT_MS);
visit();
