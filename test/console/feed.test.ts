import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { ClusterWatch } from '../../lib/admin/console/cluster-watch.js';
import { Feed } from '../../lib/admin/console/feed.js';
import { Logins } from '../../lib/admin/console/logins.js';
import type { ClusterState } from '../../lib/cluster/cluster-state.js';
import { MemberQuestions } from '../../lib/cluster/member-questions.js';
import type { Queries } from '../../lib/cluster/queries.js';
import type { NodeServices } from '../../lib/commands/services.js';
import { self, TestNode } from '../support/local-services.js';

/** A page that takes what it is sent, or does not. */
class FakeResponse extends EventEmitter {
  writableLength = 0;
  frames = 0;
  isDestroyed = false;

  write(): boolean {
    this.frames++;
    return true;
  }

  destroy(): void {
    this.isDestroyed = true;
    this.emit('close');
  }
}

/** A feed in which something happens all the time: pages are sent a frame each 100 ms. */
function setUp(answer: unknown) {
  const node = new TestNode();
  const facts = { asked: 0, lastEvent: 0 };
  const queries = {
    askMember: (_question: object, _member: () => null, done: (found: unknown) => void) => {
      facts.asked++;
      done({ id: self.id, answer });
      return true;
    },
  } as unknown as Queries;
  const questions = new MemberQuestions(
    { livePeers: () => [] } as unknown as ClusterState,
    queries,
  );
  const cluster = {
    self,
    members: [self],
    viewId: { number: 1, coordinator: self.id },
  } as unknown as NodeServices['cluster'];
  const watch = new ClusterWatch(cluster, questions);
  const feed = new Feed({
    watch,
    logins: new Logins(node.users, node.table),
    beginTurn: () => Date.now(),
    lastEvent: () => facts.lastEvent++,
  });
  const add = (): FakeResponse => {
    const response = new FakeResponse();
    feed.add(response as unknown as ServerResponse, null);
    return response;
  };
  return { facts, watch, feed, add };
}

const passes = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

t.test('a page that takes nothing is sent nothing more, and closed', async (t) => {
  const { facts, feed, add } = setUp(null);
  const quick = add();
  const stuck = add();
  const before = stuck.frames;
  stuck.writableLength = 100_000;
  while (!stuck.isDestroyed && quick.frames < 100) await passes(100);
  t.ok(stuck.isDestroyed);
  t.equal(stuck.frames, before);
  t.ok(quick.frames > 30, 'the other one goes on');
  quick.destroy();
  const { asked } = facts;
  await passes(300);
  t.equal(facts.asked, asked, 'nobody is asked while no page is open');
  feed.close();
});

t.test('an answer in another form is none', async (t) => {
  for (const answer of [null, {}, { figures: null }, { figures: {}, copies: {}, events: 'none' }]) {
    const { watch } = setUp(answer);
    watch.ask();
    const { members, safety } = watch.frame(0);
    t.equal(members[0]!.state, 'no answer');
    t.same(safety, { state: 'unknown', count: null, silent: ['127.0.0.1:7001'] });
  }
});
