import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Documented } from './documented-commands.js';

/**
 * What runs the commands of the documentation: a file that has this text in it; or documented-programs.test.ts, which runs
 * the program with these words in place of the same options, or added.
 */
export type RunBy = readonly [file: string, text: string] | { readonly short: readonly string[] };

const CI = '.ci/run';
/** The test that reads this table. */
const HERE = 'test/cli/documentation.test.ts';
const EXAMPLES = 'test/stores/examples.test.ts';
const BALANCERS = 'test/scenarios/balancers.test.ts';

const BENCH = '--only set-1 --pairs 1 --seconds 1 --busy --without redis valkey';

const short = (text: string): RunBy => ({ short: text.split(' ') });

/** By what a command looks like, its environment included; the first row that matches holds. */
export const RUN_BY: readonly (readonly [command: RegExp, by: RunBy])[] = [
  [/^npm (ci|install)$/, [CI, '}" ci']],
  [/^npm test$/, [CI, '}" test']],
  [/^npm run build$/, ['package.json', 'npm run build && npm run check']],
  [/^npm run layers$/, ['package.json', '&& npm run layers']],
  [/^npm start$/, [HERE, "SCRIPTS['start']"]],
  [/^npm run demo$/, ['test/demo/start-demo.ts', "'demo', ...ports"]],
  [/^npm run bench -- (--list|--only .*)$/, [HERE, "'--list'"]],
  [/^npm run bench .*--node /, short(`${BENCH} --node node`)],
  [/^npm run bench .*--json /, short(`${BENCH} --json bench.json --charts charts`)],
  [/^npm run bench( |$)/, short(BENCH)],
  [/^npm run bench:in-process/, short('--rounds 1 --seconds 0.5')],
  [
    /^(npm run bench:traffic|node dist\/benchmarks\/traffic\.js)/,
    short('--processes 2 --simulated 4 --sessions 10 --charts charts --json traffic.json'),
  ],
  [/^npm run fuzz -- --target requests --inputs 1 --seed 7$/, [HERE, "'fuzz'"]],
  [/^npm run fuzz\b/, short('--minutes 0.02')],
  [/^npm run simulate:variants\b/, short('two-winners')],
  [/^npm run simulate\b.*--nodes/, short('--seeds 1 --nodes 5 --until 300')],
  [/^npm run simulate\b.*--profile/, short('--profile crash --seed 7 --until 300')],
  [/^npm run simulate\b/, short('--seeds 1 --until 300 --profile calm,crash')],
  [/^npm run faults\b/, short('--minutes 0.05 --fault kill --policy available')],
  [/^npm run soak\b/, short('--minutes 0.05 --nodes 3')],
  [/^npm run abuse\b/, short('--share 0.01 --attack garbage')],
  [/^npm run differential\b/, short('--commands 200 --target 2')],
  [/^node dist\/benchmarks\/stand-still/, short('--nodes 1 --pairs 2000 --rounds 1')],
  [/^node dist\/benchmarks\/large-collections/, short('--elements 1000')],
  [/^node dist\/benchmarks\/profile/, short('--seconds 0.5 --directory profiles')],
  [/^node dist\/benchmarks\/cluster\.js failover/, short('--rounds 1 --without-redis')],
  [/^node dist\/benchmarks\/cluster\.js join/, short('--sessions 1000')],
  [/^node dist\/benchmarks\/cluster\.js \.\.\./, short('forwarded --seconds 0.5')],
  [/^node dist\/benchmarks\/cluster\.js/, short('--seconds 0.5')],
  [/^node dist\/test\/store\/expiry\.test\.js$/, ['scripts/run-tests.js', 'file], {']],
  [/^(SEED=7 )?node scripts\/run-tests\.js (WORD|differential)$/, ['package.json', 'run-tests.js']],
  [/^PICTURES=1 /, ['test/demo/demo-page.test.ts', 'PICTURES !== null']],
  [/^node scripts\/write-cli-page\.js$/, ['test/cli/help.test.ts', 'cliPage(program)']],
  [/^node scripts\/write-options-page\.js$/, ['test/server/config.test.ts', 'docs/options.md']],
  [/^node examples\/balancing\//, [BALANCERS, 'balancing/app.js']],
  [/^node examples\/route-suffix\//, [BALANCERS, "'route-suffix/app.js'"]],
  [/^apache2 .*examples\/route-suffix\/apache\.conf/, [BALANCERS, "'-DFOREGROUND'"]],
  [/^haproxy -db -f examples\//, [BALANCERS, "['-db', '-f', config]"]],
  [
    /^node examples\/in-process\//,
    ['test/stores/in-process.test.ts', 'examples/in-process/app.js'],
  ],
  [/^node examples\/(express|koa|fastify)\/app\.js /, [EXAMPLES, "'app.js', false"]],
  [/^python3 examples\/(flask|django)\/app\.py /, [EXAMPLES, "'app.py',"]],
  [/^STORE=\S+ php -S \S+ examples\/php\/index\.php$/, [EXAMPLES, "argv: ['php', '-S'"]],
  [/^curl -c jar -b jar http:\/\/127\.0\.0\.1:80/, [BALANCERS, 'new Browser']],
  [/^curl -c jar -b jar /, [EXAMPLES, 'new Browser']],
  [/^apt-get install (\S+ ?)+$/, [CI, 'apt-get install']],
  [/^redis-cli -p 700\d (set|get) sess:1\b/, [HERE, "'redis-cli'"]],
  [/^redis-cli --tls /, ['test/server/tls.test.ts', "'redis-cli', [...args"]],
  [
    /^redis-cli .* CONFIG SET cluster-secret/,
    ['test/cluster/bus-secret.test.ts', "'cluster-secret'"],
  ],
  [/^kill -9\b/, ['test/cli/cluster.test.ts', "Number(pid), 'SIGKILL'"]],
  [/^kill -HUP$/, ['test/server/tls.test.ts', "kill('SIGHUP')"]],
  [/^export TANDIS_CONFIG_/, [HERE, 'TANDIS_CONFIG_CLUSTER_SECRET']],
  [/^ssh -N -L /, ['test/console/ssh-tunnel.test.ts', "words[0] === 'ssh'"]],
  [/^tandis \S+ --help$/, ['test/cli/help.test.ts', "'locate', '--help'"]],
  [/^tandis server --port 7001 --bind 10\.0\.0\.\d( --join \S+)+$/, [HERE, "'tandis server'"]],
  [/^tandis server --port 7001$/, ['test/cli/server.test.ts', 'startNode(t']],
  [/^tandis server --requirepass /, ['test/cli/config-file.test.ts', 'requirepass']],
  [/^tandis server --aclfile /, ['test/cluster/acl.test.ts', "'--aclfile'"]],
  [/^tandis server --admin-port /, ['test/cli/operating.test.ts', "'--admin-port'"]],
  [/^tandis server --tls-port /, ['test/server/tls.test.ts', "'--tls-port'"]],
  [/^tandis server .*--notify-keyspace-events /, ['test/cluster/keyspace-events.test.ts', "'KEA'"]],
  [/^tandis server( \/etc\/tandis\.conf.*)?$/, ['test/cli/config-file.test.ts', "'server', wrong"]],
  [/^tandis cluster .*--tls\b/, ['test/cli/cluster.test.ts', "'--tls-cluster', 'yes'"]],
  [/^tandis cluster\b/, ['test/cli/cluster.test.ts', "'cluster', '--nodes', '3'"]],
  [/^tandis status .*--tls\b/, ['test/cli/status.test.ts', "'status', '--tls'"]],
  [/^tandis status .*--user\b/, ['test/cli/status.test.ts', "'--user', 'stats', '-a'"]],
  [/^tandis status .*--json$/, ['test/cli/status.test.ts', "'--json'"]],
  [/^(REDISCLI_AUTH=\S+ )?tandis status\b/, [HERE, "'tandis status "]],
  [/^tandis locate .*--json$/, ['test/cli/look.test.ts', "'sess:2', '--json'"]],
  [/^tandis locate\b/, [HERE, "'tandis locate "]],
  [/^tandis events --follow$/, ['test/cli/look.test.ts', "'events', '--follow'"]],
  [/^tandis events\b/, [HERE, "'tandis events "]],
  [/^tandis top --once$/, [HERE, "'tandis top "]],
  [/^tandis top\b/, ['test/cli/look.test.ts', "'top', ...port"]],
  [/^tandis drain\b/, ['test/cli/drain.test.ts', "'drain', '-p'"]],
  [/^tandis bench\b/, ['test/cli/look.test.ts', "'bench', ...load"]],
  [/^tandis forget\b/, ['test/cluster/forget.test.ts', "'forget', '--force'"]],
  [/^tandis import\b/, ['test/cli/import.test.ts', "'import', source"]],
  [/^tandis demo\b/, ['test/demo/start-demo.ts', "'demo', ...ports"]],
  [/^tandis completion /, ['test/cli/help.test.ts', "'completion', 'bash'"]],
];

const ROOT = new URL('../../../', import.meta.url);
const SCRIPTS: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(fileURLToPath(new URL('package.json', ROOT)), 'utf8'),
).scripts;

export const textOf = ({ environment, words }: Documented): string =>
  [...environment, ...words].join(' ');

export interface Invocation {
  /** The program of this repository that it runs, from the root. */
  readonly path: string;
  readonly args: readonly string[];
}

/** What Node runs of this repository, by itself or as a script of the package. */
export function invocationOf(command: Documented): Invocation | null {
  const [program, ...args] = command.words;
  if (program === 'node') return { path: args[0]!, args: args.slice(1) };
  if (program !== 'npm' || args[0] !== 'run') return null;
  const path = SCRIPTS[args[1]!]?.match(/\S+\.js/g)?.at(-1);
  return path === undefined ? null : { path, args: args.slice(3) };
}
