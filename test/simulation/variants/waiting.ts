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
    seed: 3,
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
    seed: 4,
  },
  {
    name: 'messages-sent-again',
    breaks:
      'what was taken from a connection that broke, and not said yet, is sent again with the next one',
    invariant: '0020',
    edits: [
      edit(
        'lossy-stream.js',
        'this.taken += piece.length',
        'this.taken += this.last ?? 0, this.last = piece.length',
      ),
    ],
    profile: 'messages',
    options: { faults: { reset: 1 }, faultEveryMs: 60, delayMsMax: 15, durationMs: 2500 },
    seed: 1,
  },
  {
    name: 'messages-lost-with-link',
    breaks: 'what was on its way when a connection broke is not sent again',
    invariant: '0020',
    edits: [
      edit('lossy-stream.js', 'this.#sent = bytes', 'this.#sent = Math.max(this.#sent, bytes)'),
    ],
    profile: 'messages',
    options: { faults: { reset: 1 }, faultEveryMs: 60, delayMsMax: 15, durationMs: 2500 },
    seed: 1,
  },
  {
    name: 'newcomer-untold',
    breaks: 'who has not said yet what it has subscribers for is sent nothing',
    invariant: '0020',
    edits: [edit('publishing.js', 'members.has(peer) || !peer.hasAnnounced', 'members.has(peer)')],
    profile: 'messages',
    options: {
      faults: { join: 1, crash: 1 },
      faultEveryMs: 300,
      delayMsMax: 15,
      clients: 14,
      thinkMsMax: 5,
      durationMs: 5000,
    },
    seed: 2,
  },
];
