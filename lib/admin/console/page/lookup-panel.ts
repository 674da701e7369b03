import type { Frame, PlaceFrame, ValueFrame } from '../frame.js';
import { ask } from './ask.js';
import { byId, h } from './dom.js';
import { count, dateAndTime, duration, plural } from './format.js';
import { badge } from './marks.js';

const NONE = 'nobody';

function member(address: string | null): HTMLElement {
  return address === null ? h('dd', {}, NONE) : h('dd', {}, badge(address), ` ${address}`);
}

function expiry({ expireAt }: PlaceFrame): string {
  if (expireAt === 0) return 'never';
  const seconds = (expireAt - Date.now()) / 1000;
  if (seconds <= 0) return `${dateAndTime(expireAt)}, which is past`;
  return `in ${duration(seconds)}, ${dateAndTime(expireAt)}`;
}

function shown(place: PlaceFrame, key: string): HTMLElement {
  if (place.changedAt === null) {
    return h('p', { class: 'answer' }, `No such key. Its slot is ${count(place.slot)}.`);
  }
  const rows: [string, HTMLElement][] = [
    ['Primary', member(place.primary)],
    ['Backup', member(place.backup)],
    ['Anchor', member(place.anchor)],
    ['Expires', h('dd', {}, expiry(place))],
    ['Version', h('dd', {}, `${place.version}, of ${dateAndTime(place.changedAt)}`)],
    ['Slot', h('dd', {}, count(place.slot))],
    ['Settled', h('dd', {}, place.settled ? '✓ both copies are in place' : '◐ not yet')],
  ];
  if (place.mayShow) rows.push(['Value', valueRow(key)]);
  return h(
    'dl',
    { class: 'answer' },
    ...rows.flatMap(([name, value]) => [h('dt', {}, name), value]),
  );
}

function size({ type, length, isCut, text }: ValueFrame): string {
  const bytes = plural(length, 'byte', 'bytes');
  if (text === null) return `a ${type} of ${bytes}`;
  return isCut ? `${bytes}, which begin with` : bytes;
}

/** A button, and in its place the value once it was asked for. */
function valueRow(key: string): HTMLElement {
  const button = h('button', { type: 'button', class: 'small' }, 'Show value');
  const row = h('dd', { id: 'lookup-value', tabindex: '-1' }, button);
  button.addEventListener('click', async () => {
    button.disabled = true;
    const { ok, body, error } = await ask('value', { key });
    button.disabled = false;
    if (!ok) return row.replaceChildren(button, ' ', h('span', { class: 'error' }, error));
    const value = body as ValueFrame;
    row.replaceChildren(size(value));
    if (value.text !== null) row.append(h('pre', { tabindex: '0' }, value.text));
    row.focus();
  });
  return row;
}

/** Where a key is, its version and when it expires; its value for those who may read it. */
export class LookupPanel {
  readonly #answer = byId('lookup-answer');
  /** Null before the first one. */
  #key: string | null = null;
  #user: string | null = null;
  #asked = 0;

  constructor() {
    byId<HTMLFormElement>('lookup').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#find(byId<HTMLInputElement>('lookup-key').value);
    });
  }

  /** Another user may read other values. */
  show({ user }: Frame): void {
    if (user === this.#user) return;
    this.#user = user;
    this.forget();
    if (this.#key !== null) void this.#find(this.#key);
  }

  /** No value is shown from now on, whatever was asked. */
  forget(): void {
    this.#answer.replaceChildren();
  }

  async #find(key: string): Promise<void> {
    const asked = ++this.#asked;
    this.#key = key;
    this.forget();
    const { ok, body, error } = await ask('locate', { key });
    if (asked !== this.#asked) return;
    const found = ok ? shown(body as PlaceFrame, key) : h('p', { class: 'error' }, error);
    this.#answer.replaceChildren(found);
  }
}
