import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { clientOf, freePorts, startNode } from './processes.js';

/** docs/operating.md: what it names is there under that name. */

const ROOT = new URL('../../../', import.meta.url);
const page = readFileSync(new URL('docs/operating.md', ROOT), 'utf8');

t.test('the metrics that are watched', async (t) => {
  const port = await freePorts(1);
  const node = await startNode(t, '--admin-port', String(port), '--min-backups-to-write', '1');
  const client = clientOf(t, node.port);
  await client.ttl('none');
  await t.rejects(client.set('k', 'v'), /^NOREPLICAS /);
  await client.config('SET', 'min-backups-to-write', '0');
  await client.config('SET', 'maxmemory', '1mb');
  await t.rejects(
    client.mset({ k: Buffer.alloc(2_000_000), l: 'x' }).then(() => client.set('m', 'x')),
    /^OOM /,
  );
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const names = new Set([...page.matchAll(/`((?:tandis|nodejs)_\w+)`/g)].map(([, name]) => name!));
  t.ok(names.size > 10);
  for (const name of names) t.match(text, new RegExp(`^${name}[ {]`, 'm'), name);
  t.match(text, /^tandis_error_replies_total\{kind="NOREPLICAS"\} 1$/m);
  t.match(text, /^tandis_error_replies_total\{kind="OOM"\} 1$/m);
});

t.test('the words by which a fault is found', (t) => {
  const lib = new URL('lib/', ROOT);
  const files = readdirSync(lib, { recursive: true }).map(String);
  const sources = files
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(new URL(name, lib), 'utf8'))
    .join('\n');
  const [, table = ''] = page.split('## By symptom');
  const words = [...table.matchAll(/^\| ([^|]*) \|/gm)].flatMap(([, first]) =>
    [...first!.matchAll(/`([^`]+)`/g)].map(([, word]) => word!),
  );
  t.ok(words.length > 12);
  for (const word of words) t.ok(sources.includes(word), word);
  t.end();
});
