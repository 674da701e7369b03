import type { Frame } from '../frame.js';
import { type ChordMember, drawChord } from './chord.js';
import { byId, h } from './dom.js';
import { count, plural, UNKNOWN } from './format.js';
import { badge, colourClass, letterOf } from './marks.js';

const picture = byId('chord');
const table = byId('copies-table');
let shown = '';

function tableOf(addresses: readonly string[], copies: Frame['copies']): HTMLElement {
  const head = addresses.map((address) =>
    h('th', { scope: 'col', class: 'number' }, badge(address)),
  );
  const rows = addresses.map((address, from) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, badge(address), ` ${address}`),
      ...addresses.map((_, to) => {
        const value = copies[from]?.[to] ?? null;
        const text = from === to ? '' : value === null ? UNKNOWN : count(value);
        return h('td', { class: 'number' }, text);
      }),
    ),
  );
  return h(
    'table',
    { class: 'matrix' },
    h('caption', {}, 'Keys by their primary (row) and their backup (column)'),
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'primary'), ...head)),
    h('tbody', {}, ...rows),
  );
}

/** Who backs up whom: in the order of addresses, so that nothing turns around when views change. */
export function showCopies({ members, copies }: Frame): void {
  const order = members
    .map(({ address }, index) => ({ address, index }))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  const addresses = order.map(({ address }) => address);
  const matrix = order.map(({ index: from }) =>
    order.map(({ index: to }) => copies[from]?.[to] ?? null),
  );
  const now = JSON.stringify([addresses, matrix]);
  if (now === shown) return;
  shown = now;
  if (members.length < 2) {
    picture.replaceChildren(
      h('p', { class: 'quiet' }, 'One member has nobody to hold copies with.'),
    );
  } else {
    const drawn = addresses.map(
      (address): ChordMember => ({
        address,
        letter: letterOf(address),
        colour: colourClass(address),
      }),
    );
    picture.replaceChildren(
      drawChord(drawn, matrix, (from, to, keys) => {
        const held = plural(keys, 'key', 'keys');
        return `${held}: primary ${from.letter} ${from.address}, backup ${to.letter} ${to.address}`;
      }),
    );
  }
  table.replaceChildren(tableOf(addresses, matrix));
}
