import type { Frame } from '../frame.js';
import { byId, setText } from './dom.js';

/** Without a frame for so long the page says that it is out of date. Milliseconds. */
const STALE_MS = 3500;

type Listener = (frame: Frame) => void;

/** What the node sends, to the panels. The browser connects again by itself. */
export class Feed {
  readonly #listeners: Listener[] = [];
  #source: EventSource | null = null;
  #heardAt = 0;

  add(...listeners: Listener[]): void {
    this.#listeners.push(...listeners);
  }

  /** Connects, and again: who is logged in is told by the connection. */
  open(): void {
    this.#source?.close();
    const source = new EventSource('events');
    source.onmessage = (message) => this.#received(JSON.parse(String(message.data)) as Frame);
    source.onerror = () => this.#show('no connection');
    this.#source = source;
  }

  watch(): void {
    setInterval(() => {
      const past = Date.now() - this.#heardAt;
      if (this.#heardAt > 0 && past > STALE_MS) {
        this.#show(`no news for ${Math.round(past / 1000)} s`);
      }
    }, 1000);
  }

  #received(frame: Frame): void {
    this.#heardAt = Date.now();
    this.#show('live');
    for (const listener of this.#listeners) listener(frame);
  }

  #show(text: string): void {
    const live = byId('live');
    live.dataset['state'] = text === 'live' ? 'live' : 'stale';
    document.body.classList.toggle('stale', text !== 'live');
    setText(live, text);
  }
}
