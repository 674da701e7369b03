import { edit, type Variant } from '../variant.js';

/** Clients that wait for keys (decision 0021), and messages (decision 0020). */
export const WAITING_VARIANTS: readonly Variant[] = [
  {
    name: 'waiters-forgotten',
    breaks: 'after a view change nobody tells the new anchor who waits for a key',
    invariant: '0021',
    edits: [
      edit(
        'awaited-keys.js',
        'for (const awaited of this.#awaited.values()) this.#tellAnchor(awaited);',
        '',
      ),
    ],
    profile: 'queues',
    options: { durationMs: 4000 },
    seed: 1,
  },
  {
    name: 'confirmed-too-soon',
    breaks: 'SUBSCRIBE is confirmed before all members know of it',
    invariant: '0020',
    edits: [
      edit(
        'lib/commands/pubsub.js',
        'if (context.muted || context.isInStep || subscriptions.isTold) {',
        'if (subscriptions !== null) {',
      ),
    ],
    profile: 'messages',
    options: { durationMs: 4000 },
    seed: 3,
  },
];
