import type { Frame, MemberFrame } from '../frame.js';
import { ask } from './ask.js';
import { byId, setText } from './dom.js';
import { plural } from './format.js';

export type Action = 'drain' | 'forget';

/** What an operator is asked before it is done. */
const QUESTIONS = {
  drain: ({ address, figures }: MemberFrame): string => {
    const keys = plural(figures?.primaries ?? 0, 'key', 'keys');
    return `${address} is primary of ${keys}. It hands over all that it holds, lets its clients go, and ends.`;
  },
  forget: ({ address }: MemberFrame): string =>
    `Nobody waits for ${address} any more. Should it be back all the same, with changes of its own, it may have to discard them.`,
} as const;

/** The status of the answer that too few members are left, so that it takes FORCE. */
const FORCE_NEEDED = 428;
const FORCED =
  'With it gone, too few members are left to go on by themselves. They will when you say that its process does not run, nowhere, and never will again. If it does run, both sides serve, and changes of one of them are lost.';

/** Who is logged in, and what that one may do. */
export class Operator {
  readonly #changed: () => void;
  readonly #login = byId<HTMLDialogElement>('login');
  readonly #drain = byId<HTMLDialogElement>('drain');
  readonly #sure = byId<HTMLInputElement>('drain-sure');
  readonly #question = byId<HTMLFormElement>('drain-form');
  #asked: { readonly action: Action; readonly member: MemberFrame } | null = null;

  /** `changed`: somebody else is logged in from now on. */
  constructor(changed: () => void) {
    this.#changed = changed;
    byId('log-in').addEventListener('click', () => this.#login.showModal());
    byId('log-out').addEventListener('click', () => void this.#logOut());
    byId('login-cancel').addEventListener('click', () => this.#login.close());
    byId('drain-cancel').addEventListener('click', () => this.#drain.close());
    byId('login-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#logIn();
    });
    this.#question.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#question.ariaBusy !== 'true') void this.#act();
    });
  }

  show({ user }: Frame): void {
    setText(byId('who'), user ?? '');
    byId('log-in').hidden = user !== null;
    byId('log-out').hidden = user === null;
  }

  askTo(action: Action, member: MemberFrame): void {
    this.#asked = { action, member };
    const name = action === 'drain' ? 'Drain' : 'Forget';
    this.#ask(`${name} ${member.address}?`, QUESTIONS[action](member), name, false);
    this.#drain.showModal();
  }

  /** `needsWord`: it is done only when a box is ticked. */
  #ask(title: string, question: string, button: string, needsWord: boolean): void {
    setText(byId('drain-title'), title);
    setText(byId('drain-text'), question);
    setText(byId('drain-go'), button);
    setText(byId('drain-error'), '');
    this.#sure.checked = false;
    this.#sure.required = needsWord;
    byId('drain-word').hidden = !needsWord;
  }

  /** The same once more, for what cannot be taken back. */
  #askToForce({ address }: MemberFrame): void {
    this.#ask(`Forget ${address} by force?`, FORCED, 'Forget by force', true);
    byId('drain-cancel').focus();
  }

  async #logIn(): Promise<void> {
    const password = byId<HTMLInputElement>('login-password');
    const user = byId<HTMLInputElement>('login-user').value;
    const { ok, error } = await ask('login', { user, password: password.value });
    password.value = '';
    setText(byId('login-error'), ok ? '' : error);
    if (!ok) return;
    this.#login.close();
    this.#changed();
  }

  async #logOut(): Promise<void> {
    await ask('logout', {});
    this.#changed();
  }

  async #act(): Promise<void> {
    if (this.#asked === null) return;
    const { action, member } = this.#asked;
    const force = this.#sure.required && this.#sure.checked;
    this.#question.ariaBusy = 'true';
    const { ok, status, error } = await ask(action, { member: member.id, force });
    this.#question.ariaBusy = 'false';
    setText(byId('drain-error'), ok ? '' : error);
    if (ok) this.#drain.close();
    else if (status === FORCE_NEEDED) this.#askToForce(member);
  }
}
