import type { Frame, MemberFrame } from '../frame.js';
import { ask } from './ask.js';
import { byId, setText } from './dom.js';
import { plural } from './format.js';

/** Who is logged in, and what that one may do. */
export class Operator {
  readonly #changed: () => void;
  readonly #login = byId<HTMLDialogElement>('login');
  readonly #drain = byId<HTMLDialogElement>('drain');
  #member: MemberFrame | null = null;

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
      void this.#drainMember();
    });
  }

  show({ user }: Frame): void {
    setText(byId('who'), user ?? '');
    byId('log-in').hidden = user !== null;
    byId('log-out').hidden = user === null;
  }

  askToDrain(member: MemberFrame): void {
    this.#member = member;
    const keys = plural(member.figures?.primaries ?? 0, 'key', 'keys');
    const text = `${member.address} is primary of ${keys}. It hands over all that it holds, lets its clients go, and ends.`;
    setText(byId('drain-title'), `Drain ${member.address}?`);
    setText(byId('drain-text'), text);
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

  async #drainMember(): Promise<void> {
    if (this.#member === null) return;
    const { ok, error } = await ask('drain', { member: this.#member.id });
    setText(byId('drain-error'), ok ? '' : error);
    if (ok) this.#drain.close();
  }
}
