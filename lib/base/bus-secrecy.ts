import type { Config, Settings } from './config.js';
import { OptionError } from './option-values.js';

/** A secret that is shorter can be tried out. */
const SECRET_LENGTH_MIN = 16;

/** What members may prove that they know: the secret of now first. Empty when there is none. */
export function busSecrets(config: Settings): string[] {
  const secrets = [config.get('cluster-secret'), config.get('cluster-secret-previous')];
  return secrets.filter((secret) => secret !== '');
}

/**
 * Whoever reaches the bus port of a node with neither secret nor TLS is taken for a member. Throws OptionError where
 * that port would be open to others than this machine, unless told so, and for a secret that is none.
 */
export function checkBusSecrecy(config: Settings): void {
  for (const name of ['cluster-secret', 'cluster-secret-previous'] as const) {
    const secret = config.get(name);
    if (secret !== '' && secret.length < SECRET_LENGTH_MIN) {
      throw new OptionError(`${name}: give ${SECRET_LENGTH_MIN} characters or more`);
    }
  }
  const hasSecret = config.get('cluster-secret') !== '';
  if (!hasSecret && config.get('cluster-secret-previous') !== '') {
    throw new OptionError('cluster-secret-previous: there is no cluster-secret after it');
  }
  const bind = config.get('bind');
  const isLoopback = bind === 'localhost' || bind === '::1' || /^127(\.\d+){3}$/.test(bind);
  const isSecret = hasSecret || config.get('tls-cluster') === 'yes';
  if (isSecret || isLoopback || config.get('cluster-insecure') === 'yes') return;
  throw new OptionError(
    `bind ${bind} opens the cluster bus to others: set cluster-secret, tls-cluster, or cluster-insecure yes`,
  );
}

/**
 * CONFIG SET may put another secret in the place of one. To begin or to end having one at run time would cut the
 * cluster in two: those who have one do not speak with those who have none.
 */
export function guardBusSecrets(config: Config): void {
  config.guard(['cluster-secret', 'cluster-secret-previous'], (next) => {
    checkBusSecrecy(next);
    if ((config.get('cluster-secret') === '') === (next.get('cluster-secret') === '')) return;
    throw new OptionError('a running node can change cluster-secret, but not begin or end it');
  });
}
