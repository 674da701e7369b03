import type { Frame, MemberFrame } from '../frame.js';
import { byId, h, setText } from './dom.js';
import { bytes, count, duration, microseconds, percent, UNKNOWN } from './format.js';
import { badge } from './marks.js';
import type { Action } from './operator.js';

/** A member that has left stays to be seen for so long, and one that is gone without leaving. Milliseconds. */
const LEFT_MS = 20_000;
const GONE_MS = 300_000;

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

const actionOn = ({ goneAt, member }: Row): Action =>
  goneAt === null && member.state !== 'no answer' ? 'drain' : 'forget';

interface Row {
  readonly element: HTMLTableRowElement;
  readonly zone: HTMLElement;
  readonly state: HTMLElement;
  readonly numbers: readonly HTMLElement[];
  /** Drains who is there, forgets who is gone. */
  readonly act: HTMLButtonElement;
  member: MemberFrame;
  /** When it was gone from the view; null while it is in it. */
  goneAt: number | null;
}

/** The table of members: rows stay where they are, so that what has the focus keeps it. */
export class MembersPanel {
  readonly #body = byId('member-rows');
  readonly #rows = new Map<string, Row>();
  readonly #ask: (action: Action, member: MemberFrame) => void;

  /** `ask`: an operator wants that done. */
  constructor(ask: (action: Action, member: MemberFrame) => void) {
    this.#ask = ask;
  }

  show(frame: Frame): void {
    const now = Date.now();
    for (const row of this.#rows.values()) {
      if (row.goneAt === null && !frame.members.some(({ id }) => id === row.member.id)) {
        row.goneAt = now;
        this.#fill(row, frame.may);
      }
    }
    for (const [id, row] of this.#rows) {
      const isBack = frame.members.some(
        (one) => one.id !== id && one.address === row.member.address,
      );
      if (
        row.goneAt !== null &&
        (isBack || now - row.goneAt > (row.member.state === 'leaving' ? LEFT_MS : GONE_MS))
      ) {
        row.element.remove();
        this.#rows.delete(id);
      }
    }
    for (const member of frame.members) {
      const row = this.#rows.get(member.id) ?? this.#make(member);
      row.member = member;
      this.#fill(row, frame.may, member.id === frame.self);
    }
    for (const row of this.#rows.values()) if (row.goneAt !== null) this.#fill(row, frame.may);
  }

  #make(member: MemberFrame): Row {
    const cell = (title: string, kind = ''): HTMLElement =>
      h('td', { 'data-title': title, ...(kind === '' ? {} : { class: kind }) });
    const act = h('button', { type: 'button', class: 'small' });
    const row: Row = {
      element: h('tr', {}),
      zone: cell('Zone'),
      state: cell('State', 'state'),
      numbers: NUMBERS.map(([title]) => cell(title, 'number')),
      act,
      member,
      goneAt: null,
    };
    act.addEventListener('click', () => this.#ask(actionOn(row), row.member));
    const name = h('th', { scope: 'row' }, badge(member.address), ' ', member.address);
    row.element.append(name, row.zone, row.state, ...row.numbers, h('td', {}, act));
    this.#rows.set(member.id, row);
    const others = [...this.#rows.values()].sort((a, b) =>
      a.member.address < b.member.address ? -1 : 1,
    );
    const next = others[others.indexOf(row) + 1];
    this.#body.insertBefore(row.element, next?.element ?? null);
    return row;
  }

  #fill(row: Row, may: Frame['may'], isSelf = false): void {
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
    const action = actionOn(row);
    setText(row.act, action === 'drain' ? 'Drain' : 'Forget');
    row.act.setAttribute('aria-label', `${row.act.textContent} ${member.address}`);
    row.act.hidden = !may.includes(action) || member.state === 'leaving';
  }
}
