import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { documentedCommands } from '../cli/documented-commands.js';
import { skipWithout } from '../stores/debian-packages.js';
import { freePorts, TestCluster } from '../support/test-cluster.js';

/** The console of a machine that is reached through SSH, by the line of docs/console.md: the machine is this one. */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SSHD = '/usr/sbin/sshd';
const PORT = '9121';

const skip =
  skipWithout('openssh-client', ['ssh', '-V']) ||
  skipWithout('openssh-server', ['test', '-x', SSHD]);

/** Ends with its test. Its output is collected in `log`. */
function start(t: Test, words: readonly string[], log: { text: string }): ChildProcess {
  const [program, ...args] = words;
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      log.text += chunk;
    });
  }
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  });
  return child;
}

/** Who may come in is who runs this test, by a key of its own. */
async function startServer(t: Test, folder: string): Promise<{ config: string }> {
  const [port] = (await freePorts(1)) as [number];
  const at = (name: string): string => join(folder, name);
  for (const name of ['host', 'user']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  }
  // Without PAM a user who has no password, as those of containers, counts as locked.
  const server = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${at('host')}`,
    `AuthorizedKeysFile ${at('user.pub')}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
  ];
  writeFileSync(at('sshd_config'), server.join('\n'));
  writeFileSync(at('known'), `[127.0.0.1]:${port} ${readFileSync(at('host.pub'), 'utf8')}`);
  const client = [
    'Host node',
    'HostName 127.0.0.1',
    `Port ${port}`,
    `User ${userInfo().username}`,
    `IdentityFile ${at('user')}`,
    'IdentitiesOnly yes',
    `UserKnownHostsFile ${at('known')}`,
    'StrictHostKeyChecking yes',
    'BatchMode yes',
  ];
  writeFileSync(at('ssh_config'), client.join('\n'));
  // Debian makes it when the system begins, and sshd wants it of root.
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const log = { text: '' };
  const child = start(t, [SSHD, '-D', '-e', '-f', at('sshd_config')], log);
  while (!log.text.includes('Server listening')) {
    if (child.exitCode !== null) throw new Error(`sshd: ${log.text}`);
    await Promise.race([once(child.stderr!, 'data'), once(child, 'exit')]);
  }
  return { config: at('ssh_config') };
}

t.test('the console through SSH', { skip }, async (t) => {
  const [admin, local] = (await freePorts(2)) as [number, number];
  const cluster = await TestCluster.start(t, 1, '--admin-port', String(admin));
  const { config } = await startServer(t, t.testdir({}));
  const documented = documentedCommands(ROOT, 'docs/console.md').find(
    ({ words }) => words[0] === 'ssh',
  )!;
  const [program, ...words] = documented.words;
  const own = words.map((word) => word.replace(PORT, String(local)).replace(PORT, String(admin)));
  const log = { text: '' };
  const tunnel = start(t, [program!, '-F', config, ...own], log);
  const url = `http://127.0.0.1:${local}`;
  await cluster.until(async () => {
    if (tunnel.exitCode !== null) throw new Error(`ssh: ${log.text}`);
    return fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  });

  const page = await fetch(`${url}/`);
  t.match(await page.text(), '<title>Tandis console</title>');
  const headers = { Origin: url, 'Content-Type': 'application/json' };
  const login = { method: 'POST', headers, body: JSON.stringify({ password: '' }) };
  const { status } = await fetch(`${url}/console/login`, login);
  t.equal(status, 200, 'who comes through it comes from the same machine');
  const events = await fetch(`${url}/console/events`);
  const { value } = await events.body!.getReader().read();
  const frame = JSON.parse(Buffer.from(value!).toString().replace('data: ', ''));
  t.match(frame.members, [{ address: `127.0.0.1:${cluster.nodes[0]!.port}` }]);
});
