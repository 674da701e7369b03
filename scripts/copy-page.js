// Brings the files of the console's page that need no compiling beside those that do.
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';

const from = new URL('../lib/admin/console/page/', import.meta.url);
const to = new URL('../dist/lib/admin/console/page/', import.meta.url);

mkdirSync(to, { recursive: true });
for (const name of readdirSync(from)) {
  if (!name.endsWith('.ts')) copyFileSync(new URL(name, from), new URL(name, to));
}
