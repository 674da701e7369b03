/** Every duration of the membership protocol, derived from `node-timeout`. All in milliseconds. */
export interface Timing {
  readonly nodeTimeoutMs: number;
  /** How often the host calls `tick`. */
  readonly tickMs: number;
  /** Pause between two pings on one link, and before anything unanswered is asked again. */
  readonly heartbeatMs: number;
  /** Without an answer for so long, a fresh connection is tried: one pong is overdue by half. */
  readonly quietMs: number;
  /** A dial or a handshake that hangs for so long is given up and begun anew. */
  readonly redialMs: number;
  /** The lease that fences reads. */
  readonly shortLeaseMs: number;
  /** The lease that fences everything. */
  readonly longLeaseMs: number;
  /** Who hears only the smaller part of its view goes on without the rest so much later. */
  readonly smallerSideMs: number;
  /** A tick later than this after the one before says that the process slept. */
  readonly lateTickMs: number;
  /**
   * A machine that is stopped for less is not noticed by its clocks; who grants a lease remembers
   * it for that much longer.
   */
  readonly clockStepMs: number;
  /** A node with join addresses founds nothing before this: an invitation may be on its way. */
  readonly foundingDelayMs: number;
}

export function timingOf(nodeTimeoutMs: number): Timing {
  const heartbeatMs = nodeTimeoutMs / 10;
  const tickMs = nodeTimeoutMs / 40;
  return {
    nodeTimeoutMs,
    tickMs,
    heartbeatMs,
    quietMs: heartbeatMs * 1.5,
    redialMs: nodeTimeoutMs / 4,
    shortLeaseMs: nodeTimeoutMs / 2,
    longLeaseMs: nodeTimeoutMs * 1.5,
    smallerSideMs: 3 * heartbeatMs,
    lateTickMs: tickMs + 2 * heartbeatMs,
    clockStepMs: tickMs,
    foundingDelayMs: heartbeatMs * 1.5,
  };
}

/** Clocks of two nodes may run apart by this factor; who grants a lease remembers it for longer. */
export const CLOCK_DRIFT = 1.01;
