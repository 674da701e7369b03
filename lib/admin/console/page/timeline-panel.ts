import type { EventFrame, Frame } from '../frame.js';
import { byId, h } from './dom.js';
import { dateAndTime, timeOfDay } from './format.js';
import { badge } from './marks.js';

/** Events that the page keeps. */
const EVENTS_MAX = 200;

/** A shape for each kind, and how much it asks for attention. */
const KINDS: Readonly<Record<string, readonly [shape: string, tone: 'good' | 'bad' | 'calm']>> = {
  joined: ['+', 'good'],
  leaving: ['◐', 'calm'],
  stays: ['●', 'calm'],
  left: ['−', 'calm'],
  died: ['✕', 'bad'],
  lost: ['?', 'bad'],
  view: ['◇', 'calm'],
  excluded: ['✕', 'bad'],
  down: ['▲', 'bad'],
  up: ['●', 'good'],
  'copies-lost': ['!', 'bad'],
  promoted: ['↑', 'calm'],
  'took-over': ['⇄', 'calm'],
  restored: ['✓', 'good'],
  settled: ['✓', 'good'],
};
/** What all members tell alike: who tells it does not matter. */
const OF_ALL = new Set(['joined', 'leaving', 'stays', 'left', 'died', 'lost', 'view', 'settled']);

function entry({ at, kind, text, view, by }: EventFrame): HTMLElement {
  const [shape, tone] = KINDS[kind] ?? ['·', 'calm'];
  const time = h('time', { datetime: new Date(at).toISOString(), title: dateAndTime(at) });
  time.append(timeOfDay(at));
  const told = h('span', { class: 'told' }, text);
  if (!OF_ALL.has(kind)) told.append(' ', badge(by));
  return h(
    'li',
    { class: tone, 'data-kind': kind },
    time,
    h('span', { class: 'shape', 'aria-hidden': 'true' }, shape),
    told,
    h('span', { class: 'quiet view' }, `view ${view}`),
  );
}

/** What happened, latest first. */
export function timelinePanel(): (frame: Frame) => void {
  const list = byId('timeline');
  const known = new Map<string, EventFrame>();
  return ({ events }) => {
    const isNew = events.filter(({ key }) => !known.has(key));
    if (isNew.length === 0) return;
    for (const event of isNew) known.set(event.key, event);
    // Of one moment, what was told later comes first.
    const latest = [...known.values()].reverse().sort((a, b) => b.at - a.at);
    for (const { key } of latest.splice(EVENTS_MAX)) known.delete(key);
    list.replaceChildren(...latest.map(entry));
  };
}
