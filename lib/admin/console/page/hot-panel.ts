import type { Frame, HotKeyFrame } from '../frame.js';
import { byId, h } from './dom.js';
import { count, percent } from './format.js';
import { badge } from './marks.js';

/** Of fewer samples nothing can be said. */
const SAMPLES_MIN = 20;

const root = byId('hot');
let shown = '';

function line({ key, by, share }: HotKeyFrame): HTMLElement {
  const meter = h('meter', { min: '0', max: '1', value: String(share) });
  meter.setAttribute('aria-label', `${percent(share)} of the uses on ${by.join(', ')}`);
  const name = h('span', { class: 'key', title: key }, key);
  return h(
    'li',
    {},
    h('span', { class: 'badges' }, ...by.map(badge)),
    name,
    meter,
    h('span', { class: 'number' }, percent(share)),
  );
}

/** The keys that are used most, as far as a sample tells. */
export function showHotKeys({ hot, hotSamples, may }: Frame): void {
  const now = JSON.stringify([hot, hotSamples, may]);
  if (now === shown) return;
  shown = now;
  if (hotSamples < SAMPLES_MIN) {
    const text = `Too few commands to tell: ${count(hotSamples)} of the last seconds were sampled, one in 64.`;
    root.replaceChildren(h('p', { class: 'quiet' }, text));
    return;
  }
  const note = may.includes('keys') ? '' : ' Log in to see whole names.';
  root.replaceChildren(
    h('ol', { class: 'hot' }, ...hot.map(line)),
    h('p', { class: 'quiet' }, `Of ${count(hotSamples)} samples.${note}`),
  );
}
