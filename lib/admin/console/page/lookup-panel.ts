import type { PlaceFrame } from '../frame.js';
import { ask } from './ask.js';
import { byId, h } from './dom.js';
import { count, dateAndTime, duration } from './format.js';
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

function shown(place: PlaceFrame): HTMLElement {
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
  return h(
    'dl',
    { class: 'answer' },
    ...rows.flatMap(([name, value]) => [h('dt', {}, name), value]),
  );
}

/** Where a key is, its version and when it expires. */
export function lookupPanel(): void {
  const form = byId<HTMLFormElement>('lookup');
  const answer = byId('lookup-answer');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const key = byId<HTMLInputElement>('lookup-key').value;
    const { ok, body, error } = await ask('locate', { key });
    answer.replaceChildren(ok ? shown(body as PlaceFrame) : h('p', { class: 'error' }, error));
  });
}
