import type { Frame, SafetyFrame } from '../frame.js';
import { byId, h, setText } from './dom.js';
import { bytes, count, plural } from './format.js';

const number = byId('safety-count');
const text = byId('safety-text');
const totals = byId('totals');

function shown({ state, count: keys }: SafetyFrame): string {
  if (state === 'unknown') return 'unknown';
  return keys === null ? 'checking' : count(keys);
}

function explained({ state, silent }: SafetyFrame): string {
  switch (state) {
    case 'safe':
      return '✓ Every key is on two members. Any one of them may stop.';
    case 'waiting':
      return '▲ Copies are being restored. Do not stop a member now.';
    case 'moving':
      return '◐ No key with one copy is known, and copies are on their way. Wait before you stop a member.';
    case 'alone':
      return '▲ There is one member: no key has a second copy.';
    case 'unknown':
      return silent.length === 0
        ? '? This node is in no view.'
        : `? No answer from ${silent.join(', ')}. Do not stop a member now.`;
  }
}

function totalsOf({ members, view }: Frame): readonly (readonly [string, string])[] {
  const known = members.flatMap(({ figures }) => figures ?? []);
  const sum = (read: (figures: (typeof known)[number]) => number): number =>
    known.reduce((total, figures) => total + read(figures), 0);
  const least = known.length < members.length ? '≥ ' : '';
  return [
    ['Members', count(members.length)],
    ['Keys', `${least}${count(sum(({ primaries }) => primaries))}`],
    ['Memory', `${least}${bytes(sum(({ memoryBytes }) => memoryBytes))}`],
    ['View', count(view)],
  ];
}

/** Keys without backup, and what the cluster holds. */
export function showSafety(frame: Frame): void {
  const { safety, members } = frame;
  setText(number, shown(safety));
  number.dataset['state'] = safety.state;
  setText(text, explained(safety));
  totals.replaceChildren(
    ...totalsOf(frame).map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
  );
  const own = members.find(({ id }) => id === frame.self)?.address ?? '';
  setText(byId('where'), `${own}, one of ${plural(members.length, 'member', 'members')}`);
  document.title = `${shown(safety)} without backup, Tandis`;
}
