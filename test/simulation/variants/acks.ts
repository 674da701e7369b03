import { edit, type Variant } from '../variant.js';

/** What is acknowledged, and what is read before it is. */
export const ACK_VARIANTS: readonly Variant[] = [
  {
    name: 'reply-before-ack',
    breaks: 'replies are sent before the backup has acked',
    invariant: 'I2',
    edits: [edit('keyspace.js', 'return this.#waits.count;', 'this.#waits.clear(); return 0;')],
    profile: 'crash',
    options: { durationMs: 2500 },
    seed: 10,
  },
  {
    name: 'ack-before-apply',
    breaks: 'a backup acks a change, and applies it with its next tick',
    invariant: 'I2',
    edits: [
      edit(
        'inbox.js',
        'handle(peer, type, buffer, start, end) { const to = this.#to;',
        `handle(peer, type, buffer, start, end) { const to = this.#to;
        if (type === FrameType.Set) {
          const bytes = Buffer.from(buffer.subarray(start, end));
          to.mirror.late ??= [];
          to.mirror.late.push(() => to.mirror.receive(peer, type, bytes, 0, bytes.length));
          return true;
        }`,
      ),
      edit(
        'node.js',
        'this.#parts.streams.tick();',
        'for (const apply of this.#parts.mirrorReceiver.late?.splice(0) ?? []) apply(); this.#parts.streams.tick();',
      ),
    ],
    profile: 'crash',
    options: { durationMs: 1500 },
    seed: 1,
  },
  {
    name: 'read-unacked',
    breaks: 'a read does not wait for the ack of the change that it shows',
    invariant: 'I4',
    edits: [
      edit(
        'changes.js',
        'if (store.role(ref) !== Role.Primary) return; if ((store.flags(ref) & Flag.Moving) !== 0) return this.#awaitMovingChange(ref);',
        'return;',
      ),
    ],
    profile: 'slow',
    options: { clients: 12, keys: 2, faultEveryMs: 300, kinds: 'rc', durationMs: 5000 },
    seed: 2,
  },
  {
    name: 'blind-retry',
    breaks: 'a forwarded write whose outcome is unknown is sent again',
    invariant: 'I8',
    edits: [
      edit(
        'forwarding.js',
        'return task.operation.traits.write && peer.stream.wasSent(offset);',
        'return false;',
      ),
    ],
    profile: 'crash',
    options: {
      clients: 12,
      faultEveryMs: 300,
      thinkMsMax: 6,
      stickyShare: 0.3,
      kinds: 'c',
      durationMs: 5000,
    },
    seed: 1,
  },
];
