import t from 'tap';
import { clientOf, TestCluster } from '../support/test-cluster.js';

type Entry = [id: number, at: number, us: number, args: string[], address: string, name: string];

t.test(
  'SLOWLOG has what a client has sent where it has sent it, whichever node ran it',
  async (t) => {
    const options = ['--slowlog-log-slower-than', '0', '--take-over-after', '0'];
    const { nodes } = await TestCluster.start(t, 2, ...options);
    const [owner, other] = nodes.map(({ port }) => clientOf(port));
    t.teardown(() => {
      owner!.disconnect();
      other!.disconnect();
    });
    await owner!.rpush('list', 'a');
    await owner!.set('key', 'x');
    await other!.client('SETNAME', 'app');
    await other!.rpush('list', 'b', 'c');
    await other!.blpop('list', 0);
    await other!.del('key', 'none');
    // What comes after the script overwrites what it was read from, while its key is fetched.
    const script = "return redis.call('llen', KEYS[1])";
    const evaluated = other!.eval(script, 1, 'list');
    await Promise.all([evaluated, other!.echo('x'.repeat(200))]);
    const info = String(await other!.client('INFO'));
    const address = / addr=(\S+)/.exec(info)![1]!;

    const here = (await other!.slowlog('GET', -1)) as Entry[];
    for (const args of [
      ['rpush', 'list', 'b', 'c'],
      ['blpop', 'list', '0'],
      ['del', 'key', 'none'],
      ['eval', script, '1', 'list'],
    ]) {
      const found = here.filter((entry) => String(entry[3]) === String(args));
      t.equal(found.length, 1, args.join(' '));
      t.same(found[0]?.slice(4), [address, 'app']);
      t.ok(found[0]![2] > 0, 'the time that it ran on the other node');
    }
    const there = (await owner!.slowlog('GET', -1)) as Entry[];
    const names = there.map((entry) => entry[3][0]!.toLowerCase());
    t.same(
      names.filter((name) => /^(b?lpop|del)$/.test(name)),
      [],
    );
    t.equal(names.filter((name) => name === 'rpush').length, 1, 'that of its own client');
  },
);
