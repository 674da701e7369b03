import type { Frame, SlowFrame } from '../frame.js';
import { byId, h } from './dom.js';
import { dateAndTime, microseconds, plural, timeOfDay } from './format.js';
import { badge } from './marks.js';

const root = byId('slow');
let shown = '';

function line({ at, by, microseconds: time, command, arguments: given, key }: SlowFrame) {
  const when = h('time', { datetime: new Date(at).toISOString(), title: dateAndTime(at) });
  when.append(timeOfDay(at));
  const what = h('span', { class: 'key' }, h('strong', {}, command), ` ${key}`);
  what.title = `${command} ${key}, ${plural(given, 'argument', 'arguments')}`;
  return h('li', {}, when, badge(by), what, h('span', { class: 'number' }, microseconds(time)));
}

/** Commands that took long on any member, latest first: their names and keys, no values. */
export function showSlowLog({ slow }: Frame): void {
  const now = JSON.stringify(slow);
  if (now === shown) return;
  shown = now;
  if (slow.length === 0) {
    const text = 'No command took longer than slowlog-log-slower-than.';
    root.replaceChildren(h('p', { class: 'quiet' }, text));
  } else root.replaceChildren(h('ol', { class: 'slow' }, ...slow.map(line)));
}
