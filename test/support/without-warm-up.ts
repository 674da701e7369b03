/**
 * The environment for nodes that tests start as processes: there are a thousand starts, and nobody waits for compiled
 * code. Who tests the warm-up gives the option on the command line, which wins.
 */
export function withoutWarmUp(): NodeJS.ProcessEnv {
  return { TANDIS_CONFIG_WARM_UP: '0', ...process.env };
}
