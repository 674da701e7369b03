import type { Variant } from './variant.js';
import { ACK_VARIANTS } from './variants/acks.js';
import { ANCHOR_VARIANTS } from './variants/anchors.js';
import { DELETE_VARIANTS } from './variants/deletes.js';
import { LEASE_VARIANTS } from './variants/leases.js';
import { MEMBERSHIP_VARIANTS } from './variants/membership.js';
import { MOVE_VARIANTS } from './variants/moves.js';
import { STEP_VARIANTS } from './variants/steps.js';
import { WAITING_VARIANTS } from './variants/waiting.js';

/** Every deliberately broken cluster that there is. */
export const VARIANTS: readonly Variant[] = [
  ...ACK_VARIANTS,
  ...LEASE_VARIANTS,
  ...MEMBERSHIP_VARIANTS,
  ...ANCHOR_VARIANTS,
  ...MOVE_VARIANTS,
  ...DELETE_VARIANTS,
  ...STEP_VARIANTS,
  ...WAITING_VARIANTS,
];
