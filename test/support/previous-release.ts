import { register } from 'node:module';
import type { Edit } from '../simulation/variant.js';

/** Loaded before a node (`NodeProcess.setup`): it says in its hello that it is of the release before. */
const EDITS: readonly Edit[] = [
  { file: 'lib/server/bus-hello.js', find: 'BUS_PROTOCOL = 2;', replace: 'BUS_PROTOCOL = 1;' },
];

register('../simulation/variant-hook.js', import.meta.url, { data: EDITS });
