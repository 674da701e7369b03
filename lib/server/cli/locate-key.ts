import { type Access, ask } from './asking.js';
import { pairsOf, textTable } from './text-table.js';

export interface LocateOptions extends Access {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly json: boolean;
}

/** Where a key is, as the cluster says. */
interface Whereabouts {
  readonly key: string;
  readonly slot: number;
  readonly anchor: string | null;
  readonly primary: string | null;
  readonly backup: string | null;
  readonly version: number;
  /** Both copies are where the view wants them. */
  readonly settled: boolean;
  /** Unix milliseconds; null for never; undefined where the primary did not say. */
  readonly expiresAt: number | null | undefined;
}

/**
 * `tandis locate KEY`: prints which members hold a key, its version and its expiry. Exit status 1 when nobody has the key, or the
 * node asked does not answer.
 */
export async function locateKey(key: string, options: LocateOptions): Promise<number> {
  const { host, port, json } = options;
  try {
    const found = await whereaboutsOf(key, options);
    if (found.primary === null && found.backup === null) {
      process.stderr.write(`tandis: nobody has ${key}\n`);
      return 1;
    }
    process.stdout.write(json ? `${JSON.stringify(found, null, 2)}\n` : inWords(found));
    return 0;
  } catch (error) {
    process.stderr.write(`tandis: ${host}:${port}: ${(error as Error).message}\n`);
    return 1;
  }
}

async function whereaboutsOf(key: string, options: LocateOptions): Promise<Whereabouts> {
  const { host, port, db } = options;
  const facts = await ask(host, port, options, async (client) => {
    if (db !== 0) await client.select(db);
    return pairsOf(await client.call('CLUSTER', 'LOCATE', key));
  });
  const text = (name: string) => (facts.get(name) ?? null) as string | null;
  const primary = text('primary');
  return {
    key,
    slot: Number(facts.get('slot')),
    anchor: text('anchor'),
    primary,
    backup: text('backup'),
    version: Number(facts.get('version')),
    settled: facts.get('settled') === 1,
    expiresAt: primary === null ? undefined : await expiryAt(primary, key, options),
  };
}

/** Asked of the primary itself: through another node it would look as if the session was used there. */
async function expiryAt(
  primary: string,
  key: string,
  options: LocateOptions,
): Promise<number | null | undefined> {
  const colon = primary.lastIndexOf(':');
  const host = primary.slice(0, colon).replace(/^\[|\]$/g, '');
  const time = await ask(host, Number(primary.slice(colon + 1)), options, async (client) => {
    if (options.db !== 0) await client.select(options.db);
    return Number(await client.call('PEXPIRETIME', key));
  }).catch(() => Number.NaN);
  if (Number.isNaN(time) || time === -2) return undefined;
  return time === -1 ? null : time;
}

function inWords({ expiresAt, ...found }: Whereabouts): string {
  const left = expiresAt === null || expiresAt === undefined ? 0 : expiresAt - Date.now();
  const expiry = expiresAt === null ? 'never' : 'not known: its primary does not answer';
  return `${textTable(
    [
      ['key', found.key],
      ['slot', `${found.slot}, anchor ${found.anchor ?? '-'}`],
      ['primary', found.primary ?? '-'],
      ['backup', found.backup ?? '-'],
      ['version', String(found.version)],
      ['settled', found.settled ? 'yes' : 'no: a copy is being made or moved'],
      [
        'expires',
        typeof expiresAt === 'number'
          ? `in ${Math.ceil(left / 1000)} s, ${new Date(expiresAt).toISOString()}`
          : expiry,
      ],
    ],
    2,
  ).join('\n')}\n`;
}
