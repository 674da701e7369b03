// Imports go down only: the floors of docs/architecture.md, held by this check.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

const FLOORS = [
  'lib/base',
  'lib/protocol',
  'lib/lua',
  'lib/store',
  'lib/cluster',
  'lib/commands',
  'lib/admin',
  'lib/demo',
  'lib/server',
  'lib/index.ts',
  'lib/express.ts',
  'bin',
];
/** Floors that must stay pure: no socket, timer, clock, randomness or process of their own. */
const PURE = new Set(['lib/protocol', 'lib/store', 'lib/cluster']);
const IMPURE_MODULE =
  /^node:(net|tls|fs|timers|http|dns|dgram|child_process|worker_threads|process|crypto|perf_hooks)/;
const IMPURE_CALL =
  /\b(Date\.now|new Date\(|performance\.now|setTimeout|setInterval|setImmediate|queueMicrotask|process\.|Math\.random|randomBytes)/;

/** Floors that may not look at a clock themselves: what a run of theirs does must not depend on how fast it is. */
const WITHOUT_CLOCK = new Set([...PURE, 'lib/commands']);
const CLOCK = /\b(Date\.now|new Date\(|performance\.now|hrtime)/;

const floorOf = (path) => FLOORS.find((floor) => path === floor || path.startsWith(`${floor}/`));

export function violationsIn(path, text) {
  const found = [];
  const floor = floorOf(path);
  for (const match of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    const target = match[1];
    if (target.startsWith('.')) {
      const resolved = posix.normalize(posix.join(posix.dirname(path), target));
      const other = floorOf(resolved);
      if (other === undefined || FLOORS.indexOf(other) > FLOORS.indexOf(floor))
        found.push(`${path}: imports ${resolved}, which is not below ${floor}`);
    } else if (PURE.has(floor) && IMPURE_MODULE.test(target)) {
      found.push(`${path}: imports ${target}, but ${floor} is pure`);
    }
  }
  text.split('\n').forEach((line, index) => {
    if (/^\s*(\/\/|\*|\/\*)/.test(line)) return;
    const call = PURE.has(floor) ? IMPURE_CALL.exec(line) : null;
    const look = WITHOUT_CLOCK.has(floor) ? CLOCK.exec(line) : null;
    if (call) found.push(`${path}:${index + 1}: calls ${call[0]}, but ${floor} is pure`);
    else if (look)
      found.push(`${path}:${index + 1}: calls ${look[0]}, but ${floor} is told the time`);
  });
  return found;
}

if (process.argv[1]?.endsWith('check-layers.js')) {
  const files = ['lib', 'bin'].flatMap((root) =>
    readdirSync(root, { recursive: true })
      .map((name) => join(root, name))
      .filter((name) => name.endsWith('.ts')),
  );
  const found = files.flatMap((path) => violationsIn(path, readFileSync(path, 'utf8')));
  for (const line of found) console.error(line);
  console.log(`layers: ${files.length} files, ${found.length} violations`);
  process.exitCode = found.length > 0 || files.length === 0 ? 1 : 0;
}
