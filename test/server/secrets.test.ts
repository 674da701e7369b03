import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { clientOf, freePorts, startNode } from '../cli/processes.js';
import { clientOf as plainClient } from '../support/test-cluster.js';

/** What nobody is told who can read what a node says of itself: its log, and all that operators ask. */

const SECRETS = {
  requirepass: 'Ja1-of-the-default-user',
  later: 'Ja2-set-while-it-runs',
  user: 'Ja3-of-another-user',
  inFile: 'Ja4-of-the-configuration-file',
  cluster: 'Ja5-what-only-members-know',
  previous: 'Ja6-what-members-knew-before',
  guess: 'Ja7-a-guess-that-is-wrong',
  keyFile: 'Ja8-of-the-key-file',
};

t.test('no password is on a line of the log, nor in what operators ask', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tandis-secrets-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'tandis.conf');
  writeFileSync(file, `user shop on >${SECRETS.inFile} ~* &* +@all\n`);
  const adminPort = await freePorts(1);
  const all = ['--slowlog-log-slower-than', '0', '--latency-monitor-threshold', '1'];
  const secrets = [
    ...['--requirepass', SECRETS.requirepass, '--cluster-secret', SECRETS.cluster],
    ...['--tls-key-file-pass', SECRETS.keyFile],
  ];
  const more = ['--loglevel', 'debug', '--admin-port', String(adminPort)];
  const { port, run } = await startNode(t, file, ...all, ...secrets, ...more);
  const client = clientOf(t, port, SECRETS.requirepass);

  let shown = '';
  const monitor = connect(port, '127.0.0.1');
  t.teardown(() => monitor.destroy());
  monitor.on('data', (text) => {
    shown += text;
  });
  monitor.write(`AUTH ${SECRETS.requirepass}\r\nMONITOR\r\n`);
  while (!shown.includes('+OK\r\n+OK\r\n')) await new Promise(setImmediate);

  const other = plainClient(port);
  t.teardown(() => other.disconnect());
  const refused = (...[command, ...args]: [string, ...string[]]): Promise<unknown> =>
    t.rejects(other.call(command, ...args));
  await refused('AUTH', SECRETS.guess);
  await refused('AUTH', 'shop', SECRETS.guess);
  await refused('HELLO', '2', 'AUTH', 'shop', SECRETS.guess);
  await other.call('HELLO', '2', 'AUTH', 'shop', SECRETS.inFile, 'SETNAME', 'teller');
  await other.call('MULTI');
  await other.call('AUTH', 'shop', SECRETS.inFile).catch(() => null);
  await other.call('DISCARD');
  await client.acl('SETUSER', 'reader', 'on', `>${SECRETS.user}`, '~*', '+@all');
  await refused('ACL', 'SETUSER', 'reader', `<${SECRETS.guess}`);
  await other.call('AUTH', 'reader', SECRETS.user);
  await client.config('SET', 'requirepass', SECRETS.later);
  await client.config('SET', 'cluster-secret-previous', SECRETS.previous);
  await client.config('SET', 'tls-key-file-pass', SECRETS.keyFile);
  await refused('CONFIG', 'SET', 'cluster-secret', 'short', 'requirepass', SECRETS.guess);
  await client.set('the end', 'of it');
  while (!shown.includes('the end')) await new Promise(setImmediate);
  t.match(shown, '(redacted)', 'that there was one is shown');

  const asked: Record<string, string> = { MONITOR: shown, 'the log': run.out + run.err };
  const questions: [string, ...string[]][] = [
    ['SLOWLOG', 'GET', '-1'],
    ['ACL', 'LOG'],
    ['ACL', 'LIST'],
    ['ACL', 'GETUSER', 'reader'],
    ['CLIENT', 'LIST'],
    ['INFO', 'everything'],
    ['LATENCY', 'LATEST'],
    ['CLUSTER', 'EVENTS', '512'],
  ];
  for (const [command, ...args] of questions)
    asked[`${command} ${args[0]}`] = JSON.stringify(await client.call(command, ...args));
  const options = (await client.config('GET', '*')) as string[];
  // As in Redis, who may ask for it is told.
  asked['CONFIG GET'] = options.filter((_, i) => options[i - 1] !== 'requirepass').join('\n');
  for (const path of ['metrics', 'readyz'])
    asked[path] = await (await fetch(`http://127.0.0.1:${adminPort}/${path}`)).text();
  for (const [where, text] of Object.entries(asked)) {
    for (const secret of Object.values(SECRETS))
      t.notOk(text.includes(secret), `${where}: ${secret}`);
  }
  t.match(asked['SLOWLOG GET'], 'SETUSER', 'and yet it says what was done');
  run.child.kill('SIGTERM');
  await run.ended;
  for (const secret of Object.values(SECRETS)) t.notMatch(run.out + run.err, secret);
});
