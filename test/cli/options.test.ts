import t from 'tap';
import { tandis } from './processes.js';

const cases: [string, string[], RegExp][] = [
  ['an unknown option', ['server', '--prot', '7001'], /^tandis: unknown option '--prot'\n$/],
  [
    'a port that is no number',
    ['server', '--port', 'http'],
    /^tandis: option '--port <n>' argument 'http' is invalid\. argument couldn't be parsed .*\n$/,
  ],
  ['a port out of range', ['server', '--port', '70000'], /^tandis: .*between 0 and 65535.*\n$/],
  [
    'a port without a bus port',
    ['server', '--port', '60000'],
    /^tandis: port 60000 leaves no .*\n$/,
  ],
  ['a size that is none', ['server', '--maxmemory', '10x'], /^tandis: .*a memory value\n$/],
  [
    'a choice that is none',
    ['server', '--partition-policy', 'both'],
    /^tandis: .*one of the following: available, majority\n$/,
  ],
  ['a join address without a port', ['server', '--join', 'other'], /^tandis: .*host:port.*\n$/],
  [
    'an option without its value',
    ['server', '--port'],
    /^tandis: option '--port <n>' argument missing\n$/,
  ],
  [
    'a bus that is open to others',
    ['server', '--bind', '0.0.0.0'],
    /^tandis: bind 0\.0\.0\.0 opens the cluster bus .* set cluster-secret, tls-cluster, or .*\n$/,
  ],
  [
    'a secret that can be tried out',
    ['server', '--cluster-secret', 'short'],
    /^tandis: cluster-secret: give 16 characters or more\n$/,
  ],
  ['an argument too many', ['server', 'file', 'more'], /^tandis: too many arguments.*\n$/],
  ['an unknown subcommand', ['serve'], /^tandis: unknown command 'serve'\n$/],
  ['too many nodes', ['cluster', '--nodes', '100'], /^tandis: --nodes must be between 1 and 20\n$/],
];

for (const [what, args, error] of cases) {
  t.test(`${what}: one line, exit status 2`, async (t) => {
    const run = tandis(t, ...args);
    t.equal(await run.ended, 2);
    t.match(run.err, error);
    t.equal(run.out, '');
  });
}

t.test('help and version are no mistakes', async (t) => {
  const help = tandis(t, 'server', '--help');
  t.equal(await help.ended, 0);
  t.match(help.out, /--node-timeout <ms>/);
  const version = tandis(t, '--version');
  t.equal(await version.ended, 0);
  t.match(version.out, /^\d+\.\d+\.\d+\n$/);
});
