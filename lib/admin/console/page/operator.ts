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

/** Who is logged in, and what that one may do. */
export class Operator {
  readonly #changed: () => void;
  readonly #login = byId<HTMLDialogElement>('login');
  readonly #drain = byId<HTMLDialogElement>('drain');
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
    byId('drain-form').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#act();
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
    setText(byId('drain-title'), `${name} ${member.address}?`);
    setText(byId('drain-text'), QUESTIONS[action](member));
    setText(byId('drain-go'), name);
    setText(byId('drain-error'), '');
    this.#drain.showModal();
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
    const { ok, error } = await ask(action, { member: member.id });
    setText(byId('drain-error'), ok ? '' : error);
    if (ok) this.#drain.close();
  }
}
