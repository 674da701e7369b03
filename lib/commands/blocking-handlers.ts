import { KeyMode } from '../cluster/operation.js';
import { ReplyWriter } from '../protocol/reply-writer.js';
import { BLOCKING_FORMS, type BlockingForm, isErrorReply } from './blocking-forms.js';
import type { Handler, HandlerEntry, Handlers } from './spec.js';
import { keyIndexes } from './table.js';

const tried = new ReplyWriter();

/**
 * A blocking command that does not wait, as in MULTI and scripts: one step over all its keys. For a client of its own the
 * dispatcher does not call this, but has `Blocking` make the same attempts, which waits where all are in vain.
 */
const handlerOf =
  (form: BlockingForm): Handler =>
  (context, request, reply) => {
    if (form.timeoutOrReply(request, reply) === undefined) return;
    for (const key of keyIndexes(context.spec, request, 0).slice(0, form.keysMax)) {
      const attempt = form.attempt(request, key);
      tried.reset();
      tried.proto = reply.proto;
      context.table.find(attempt)!.run!(context, attempt, tried);
      const bytes = Buffer.from(tried.buffer.subarray(0, tried.length));
      const result = isErrorReply(bytes) ? bytes : form.result(request, key, bytes);
      if (result === null) continue;
      reply.raw(result, 0, result.length);
      return;
    }
    form.nothing(reply);
  };

const entryOf = (form: BlockingForm): HandlerEntry => ({
  run: handlerOf(form),
  creates: form.keysMax === 1,
  keyMode: KeyMode.Gather,
  blocking: form,
});

export const blockingHandlers: Handlers = Object.fromEntries(
  Object.entries(BLOCKING_FORMS).map(([name, form]) => [name, entryOf(form)]),
);
