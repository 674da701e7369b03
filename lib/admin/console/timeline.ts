import type { EventFrame } from './frame.js';

/** Events of all members that a console keeps; those that came first are forgotten. */
const EVENTS_MAX = 500;

/** What the members tell of what has happened, each event once, numbered as they came to be known here. */
export class Timeline {
  readonly #known = new Set<string>();
  #events: EventFrame[] = [];
  #forgotten = 0;

  /** The number of the event that comes next. */
  get end(): number {
    return this.#forgotten + this.#events.length;
  }

  add(events: readonly Omit<EventFrame, 'by'>[], by: string): void {
    for (const event of events) {
      if (this.#known.has(event.key)) continue;
      this.#known.add(event.key);
      this.#events.push({ ...event, by });
    }
    const excess = this.#events.length - EVENTS_MAX;
    if (excess <= 0) return;
    for (const { key } of this.#events.slice(0, excess)) this.#known.delete(key);
    this.#events = this.#events.slice(excess);
    this.#forgotten += excess;
  }

  /** From that number on. */
  from(number: number): readonly EventFrame[] {
    return this.#events.slice(Math.max(0, number - this.#forgotten));
  }
}
