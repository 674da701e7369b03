import { EventEmitter, once } from 'node:events';
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
    this.emit('frame');
    return true;
  }

  destroy(): void {
    this.isDestroyed = true;
    this.emit('close');
  }
}

/** A feed to which the test tells that something has happened. */
function setUp(answer: unknown) {
  const node = new TestNode();
  const facts = { asked: 0, news: null as (() => void) | null, events: new EventEmitter() };
  const queries = {
    askMember: (_question: object, _member: () => null, done: (found: unknown) => void) => {
      facts.asked++;
      facts.events.emit('asked');
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
    onNews: (listener) => {
      facts.news = listener;
    },
  });
  const add = (): FakeResponse => {
    const response = new FakeResponse();
    feed.add(response as unknown as ServerResponse, null);
    return response;
  };
  return { facts, watch, feed, add };
}

// The feed keeps no process alive: this does.
const awake = setInterval(() => undefined, 60_000);
t.teardown(() => clearInterval(awake));

t.test('a page that takes nothing is sent nothing more, and closed', async (t) => {
  const { facts, feed, add } = setUp(null);
  const quick = add();
  const stuck = add();
  const before = stuck.frames;
  stuck.writableLength = 100_000;
  while (!stuck.isDestroyed && quick.frames < 100) {
    const taken = once(quick, 'frame');
    facts.news!();
    await taken;
  }
  t.ok(stuck.isDestroyed);
  t.equal(stuck.frames, before);
  t.ok(quick.frames > 30, 'the other one goes on');
  quick.destroy();
  const { asked } = facts;
  t.equal(facts.news, null);
  // Of one that was opened later members are asked a second time.
  const later = setUp(null);
  later.add();
  t.equal(later.facts.asked, 1);
  await once(later.facts.events, 'asked');
  t.equal(facts.asked, asked, 'nobody is asked while no page is open');
  feed.close();
  later.feed.close();
});

t.test('news is told at once, and once for all that happens then', async (t) => {
  const { facts, feed, add } = setUp(null);
  const page = add();
  t.equal(page.frames, 1, 'what is known already');
  for (let i = 0; i < 50; i++) facts.news!();
  t.equal(page.frames, 1, 'not in the middle of a turn');
  await once(page, 'frame');
  t.equal(page.frames, 2);
  const began = performance.now();
  while (page.frames < 10) {
    const told = once(page, 'frame');
    facts.news!();
    await told;
  }
  const took = performance.now() - began;
  // Of the frames one may be that of what members have answered.
  t.ok(took >= 7 * 90, `8 more in ${took} ms`);
  feed.close();
  t.equal(facts.news, null);
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
