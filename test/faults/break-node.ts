import { register } from 'node:module';
import { VARIANTS } from '../simulation/variants.js';

/**
 * For `node --import <this module>?<variant>`: the node is broken on purpose, as the simulator's variants are, so that a run
 * of faults can be seen to fail.
 */
const name = new URL(import.meta.url).search.slice(1);
const variant = VARIANTS.find((one) => one.name === name);
if (variant === undefined) throw new Error(`no variant is called ${name}`);
register('../simulation/variant-hook.js', import.meta.url, { data: variant.edits });
