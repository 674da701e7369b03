import type { Frame, MemberFrame } from '../frame.js';
import { byId, h, setText } from './dom.js';
import { bytes, count, duration, microseconds, percent, UNKNOWN } from './format.js';
import { badge } from './marks.js';

/** A member that is gone stays to be seen for so long, milliseconds. */
const GONE_MS = 20_000;

/** Shapes as well as words and colours. */
const SHAPES: Readonly<Record<string, string>> = {
  serving: '●',
  leaving: '◐',
  'not serving': '▲',
  'no answer': '✕',
  gone: '✕',
};

type Cell = readonly [title: string, text: (member: MemberFrame) => string];

const figure =
  (read: (figures: NonNullable<MemberFrame['figures']>) => string) =>
  ({ figures }: MemberFrame): string =>
    figures === null ? UNKNOWN : read(figures);

const NUMBERS: readonly Cell[] = [
  ['Primaries', figure(({ primaries }) => count(primaries))],
  ['Backups', figure(({ backups }) => count(backups))],
  ['Memory', figure(memory)],
  ['Ops/s', figure(({ operationsPerSecond }) => count(operationsPerSecond))],
  [
    'Latency',
    figure(({ microsecondsPerCommand: time }) => (time === null ? UNKNOWN : microseconds(time))),
  ],
  ['Busy', figure(({ busy }) => percent(busy))],
  ['Clients', figure(({ clients }) => count(clients))],
  ['Up', figure(({ uptimeSeconds }) => duration(uptimeSeconds))],
];

function memory({ memoryBytes, memoryMaxBytes }: NonNullable<MemberFrame['figures']>): string {
  const used = bytes(memoryBytes);
  return memoryMaxBytes === 0 ? used : `${used} of ${bytes(memoryMaxBytes)}`;
}

interface Row {
  readonly element: HTMLTableRowElement;
  readonly zone: HTMLElement;
  readonly state: HTMLElement;
  readonly numbers: readonly HTMLElement[];
  readonly drain: HTMLButtonElement;
  member: MemberFrame;
  /** When it was gone from the view; null while it is in it. */
  goneAt: number | null;
}

/** The table of members: rows stay where they are, so that what has the focus keeps it. */
export class MembersPanel {
  readonly #body = byId('member-rows');
  readonly #rows = new Map<string, Row>();
  readonly #drain: (member: MemberFrame) => void;

  /** `drain`: an operator wants that member to leave. */
  constructor(drain: (member: MemberFrame) => void) {
    this.#drain = drain;
  }

  show(frame: Frame): void {
    const now = Date.now();
    for (const row of this.#rows.values()) {
      if (row.goneAt === null && !frame.members.some(({ id }) => id === row.member.id)) {
        row.goneAt = now;
        this.#fill(row, false);
      }
    }
    for (const [id, row] of this.#rows) {
      const isBack = frame.members.some(
        (one) => one.id !== id && one.address === row.member.address,
      );
      if (row.goneAt !== null && (isBack || now - row.goneAt > GONE_MS)) {
        row.element.remove();
        this.#rows.delete(id);
      }
    }
    for (const member of frame.members) {
      const row = this.#rows.get(member.id) ?? this.#make(member);
      row.member = member;
      this.#fill(row, frame.may.includes('drain'), member.id === frame.self);
    }
  }

  #make(member: MemberFrame): Row {
    const cell = (title: string, kind = ''): HTMLElement =>
      h('td', { 'data-title': title, ...(kind === '' ? {} : { class: kind }) });
    const drain = h('button', { type: 'button', class: 'small' }, 'Drain');
    const row: Row = {
      element: h('tr', {}),
      zone: cell('Zone'),
      state: cell('State', 'state'),
      numbers: NUMBERS.map(([title]) => cell(title, 'number')),
      drain,
      member,
      goneAt: null,
    };
    drain.setAttribute('aria-label', `Drain ${member.address}`);
    drain.addEventListener('click', () => this.#drain(row.member));
    const name = h('th', { scope: 'row' }, badge(member.address), ' ', member.address);
    row.element.append(name, row.zone, row.state, ...row.numbers, h('td', {}, drain));
    this.#rows.set(member.id, row);
    const others = [...this.#rows.values()].sort((a, b) =>
      a.member.address < b.member.address ? -1 : 1,
    );
    const next = others[others.indexOf(row) + 1];
    this.#body.insertBefore(row.element, next?.element ?? null);
    return row;
  }

  #fill(row: Row, mayDrain: boolean, isSelf = false): void {
    const { member, element } = row;
    const state = row.goneAt === null ? member.state : 'gone';
    element.dataset['state'] = state;
    element.classList.toggle('self', isSelf);
    setText(row.zone, member.zone === '' ? UNKNOWN : member.zone);
    const late = state === 'no answer' && member.answeredMsAgo !== null;
    const since = late ? ` for ${duration(member.answeredMsAgo / 1000)}` : '';
    setText(row.state, `${SHAPES[state]} ${state}${since}`);
    const isKnown = row.goneAt === null;
    NUMBERS.forEach(([, text], i) => {
      setText(row.numbers[i]!, isKnown ? text(member) : UNKNOWN);
    });
    row.drain.hidden = !mayDrain || state === 'leaving' || !isKnown;
  }
}
