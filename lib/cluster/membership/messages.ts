import type {
  Address,
  Incarnation,
  Member,
  NodeStatus,
  SnapshotOffer,
  View,
  ViewId,
} from '../member.js';
import { ELECTORATES_MAX } from './majority.js';
import { MEMBERS_MAX } from './views.js';

/**
 * The messages of control links. A link is used by the node that dialled it to ask, and by the node
 * that accepted it to answer; the first message is a `hello`. Every message says who sends it, whom
 * it is meant for, and which view the sender is in: a node that finds itself left out learns it from
 * whatever reaches it first.
 */
export interface Header {
  readonly from: Incarnation;
  /** The incarnation it is meant for; empty where the sender does not know who is there. */
  readonly to: Incarnation;
  /** The view the sender has installed. */
  readonly installed: ViewId | null;
  /** Seed of that view, 0 without one: names the cluster. */
  readonly seed: number;
  /** Whether `to` is a member of that view. */
  readonly includes: boolean;
}

/** What pings and pongs carry about their sender. */
export interface Report {
  /** Grows with every report: pings and pongs travel on two links, and overtake each other. */
  readonly serial: number;
  readonly prepared: ViewId | null;
  /** Members that have not answered for a moment, a fresh connection is being tried. */
  readonly silent: readonly Incarnation[];
  /** Members that have not answered such a probe for node-timeout, or whose link is broken. */
  readonly lost: readonly Incarnation[];
  /** From a node in no view: the members of the view that it wants to join which answer it. */
  readonly hears: readonly Incarnation[];
  readonly leaving: boolean;
  readonly status: NodeStatus;
  /** The sender's wall clock, Unix milliseconds. */
  readonly wallMs: number;
  /** From the coordinator: nodes outside the view that everybody should connect to. */
  readonly candidates: readonly Member[];
  /** Members that are gone for good by an operator's word; absent where there are none. */
  readonly forgotten?: readonly Incarnation[];
}

export interface Hello extends Header {
  readonly kind: 'hello';
  readonly member: Member;
}

/** Answers `hello`; `view` is the installed view, given to those that are not in it. */
export interface Welcome extends Header {
  readonly kind: 'welcome';
  readonly member: Member;
  readonly view: View | null;
}

export interface Ping extends Header {
  readonly kind: 'ping';
  readonly sequence: number;
  readonly report: Report;
}

/** Answers `ping`; with `granted` both leases run, counted from the sending of the ping. */
export interface Pong extends Header {
  readonly kind: 'pong';
  readonly sequence: number;
  readonly granted: boolean;
  readonly report: Report;
}

/** A joiner to the oldest member: it has seen view `known`, and holds the leases of all in it. */
export interface Join extends Header {
  readonly kind: 'join';
  readonly known: ViewId | null;
  readonly complete: boolean;
}

/** Answers `join`; the view is given if the joiner knows another one. */
export interface Joining extends Header {
  readonly kind: 'joining';
  readonly view: View | null;
  /** The joiner was in a view that came to nothing: only another incarnation of it may join. */
  readonly leftOut: boolean;
}

/** A node in no view asks to be allowed to found the first one. */
export interface Found extends Header {
  readonly kind: 'found';
}

/** Answers `found`; `hears` are the incarnations that answer the sender. */
export interface Founding extends Header {
  readonly kind: 'founding';
  readonly agreed: boolean;
  readonly hears: readonly Incarnation[];
}

/** Tells a node in no view where a cluster is. */
export interface Invite extends Header {
  readonly kind: 'invite';
  readonly addresses: readonly Address[];
}

/** Asks a member to dial another member afresh. */
export interface Probe extends Header {
  readonly kind: 'probe';
  readonly target: Incarnation;
}

export type ProbeResult = 'refused' | 'replaced' | 'alive' | 'unknown';

export interface Probed extends Header {
  readonly kind: 'probed';
  readonly target: Incarnation;
  readonly result: ProbeResult;
}

/** First step of a change: asks for the promise to prepare nothing below `ballot`. */
export interface Survey extends Header {
  readonly kind: 'survey';
  readonly ballot: ViewId;
  /** The view the change starts from. */
  readonly base: ViewId | null;
  /** Everybody who is to be in the next view. */
  readonly members: readonly Incarnation[];
}

export interface Surveyed extends Header {
  readonly kind: 'surveyed';
  readonly ballot: ViewId;
  readonly promised: boolean;
  /** Highest number that the sender has promised or prepared. */
  readonly highest: number;
  readonly prepared: ViewId | null;
  /** The prepared view, if it is not the base of the survey; with what a change from it needs. */
  readonly view: View | null;
  readonly merge: boolean;
  readonly electorates: readonly (readonly Incarnation[])[];
  /** Whether the sender knows all slots that it anchors in its installed view. */
  readonly known: boolean;
  /** Those of the surveyed members whose long lease the sender does not hold. */
  readonly missing: readonly Incarnation[];
  /** Those of the surveyed members that a view prepared by the sender has left out. */
  readonly leftOut: readonly Incarnation[];
  /** Whether the sender was never bound to the base of the survey: nobody has installed that, and nobody will. */
  readonly passedOver: boolean;
  /** The sender has said goodbye: it counts for nothing any more. */
  readonly departed: boolean;
  /** Whether the sender knows of all deletes since the members that it misses were lost. */
  readonly mayMerge: boolean;
}

/** Second step: binds the receiver to the view. */
export interface Prepare extends Header {
  readonly kind: 'prepare';
  readonly view: View;
  readonly merge: boolean;
  /** Members left out with proof of their death: nothing granted to them counts any more. */
  readonly dead: readonly Incarnation[];
  readonly electorates: readonly (readonly Incarnation[])[];
}

export interface Prepared extends Header {
  readonly kind: 'prepared';
  readonly id: ViewId;
  readonly accepted: boolean;
  /** For how much longer somebody left out may hold a long lease of the sender. */
  readonly remainsMs: number;
}

/** Third: everybody has prepared the view, it takes effect. */
export interface InstallView extends Header {
  readonly kind: 'install';
  readonly id: ViewId;
  readonly full: boolean;
  readonly merge: boolean;
  readonly remainsMs: number;
  /** Where lost members were: the members go on looking there. */
  readonly lost: readonly Address[];
}

/** To a member of the other side of a partition: what it holds in that view must not be merged, it begins anew. */
export interface Discard extends Header {
  readonly kind: 'discard';
  readonly view: ViewId;
}

export interface Goodbye extends Header {
  readonly kind: 'goodbye';
  /** The sender has handed over everything. */
  readonly empty?: boolean;
}

export type ControlRequest =
  | Hello
  | Ping
  | Join
  | Found
  | Invite
  | Probe
  | Survey
  | Prepare
  | InstallView
  | Discard
  | Goodbye;
export type ControlAnswer = Welcome | Pong | Joining | Founding | Probed | Surveyed | Prepared;
export type ControlMessage = ControlRequest | ControlAnswer;

/** A message without its header. */
export type Body<M extends ControlMessage = ControlMessage> = M extends ControlMessage
  ? Omit<M, keyof Header>
  : never;

/** Addresses in one message at most. */
export const ADDRESSES_MAX = 1024;
const HOST_LENGTH_MAX = 255;
const ZONE_LENGTH_MAX = 64;
/** Of the name of a snapshot: two numbers and an incarnation. */
const SET_LENGTH_MAX = 80;

type Shape = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => boolean;

const INCARNATION = /^[0-9a-f]{40}$/;
const isIncarnation: Check = (value) => typeof value === 'string' && INCARNATION.test(value);
const isReceiver: Check = (value) => value === '' || isIncarnation(value);
const isBoolean: Check = (value) => typeof value === 'boolean';
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isDuration: Check = (value) => Number.isFinite(value) && (value as number) >= 0;
const isNumber: Check = (value) => Number.isFinite(value);
const isSeed: Check = (value) => isCount(value) && (value as number) <= 0xffffffff;
const isPort: Check = (value) => isCount(value) && (value as number) <= 65535;
const isProbeResult: Check = (value) =>
  value === 'refused' || value === 'replaced' || value === 'alive' || value === 'unknown';

function isText(lengthMax: number): Check {
  return (value) => typeof value === 'string' && value.length <= lengthMax;
}

function listOf(check: Check, countMax: number): Check {
  return (value) => Array.isArray(value) && value.length <= countMax && value.every(check);
}

function nullOr(check: Check): Check {
  return (value) => value === null || check(value);
}

function shapeOf(checks: Readonly<Record<string, Check>>): Check {
  const entries = Object.entries(checks);
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const shape = value as Shape;
    return entries.every(([name, check]) => Object.hasOwn(shape, name) && check(shape[name]));
  };
}

const addressChecks = { host: isText(HOST_LENGTH_MAX), port: isPort, busPort: isPort };
const isAddress = shapeOf(addressChecks);
const hasMemberShape = shapeOf({
  ...addressChecks,
  id: isIncarnation,
  zone: isText(ZONE_LENGTH_MAX),
  leaving: isBoolean,
});
const isMember: Check = (value) => {
  if (!hasMemberShape(value)) return false;
  const { tlsPort } = value as Partial<Member>;
  return tlsPort === undefined || isPort(tlsPort);
};
const isIncarnations = listOf(isIncarnation, MEMBERS_MAX);
const isElectorates = listOf(isIncarnations, ELECTORATES_MAX);
const isViewId = shapeOf({ number: isCount, coordinator: isIncarnation });
const isViewShape = shapeOf({
  id: isViewId,
  members: listOf(isMember, MEMBERS_MAX),
  seed: isSeed,
});
const isBareView: Check = (value) => {
  if (!isViewShape(value)) return false;
  const { members } = value as View;
  return members.length > 0 && new Set(members.map((member) => member.id)).size === members.length;
};
const isView: Check = (value) => {
  if (!isBareView(value)) return false;
  const { final } = value as View;
  return final === undefined || isBareView(final);
};
const isGoodbye: Check = (value) => {
  const { empty } = value as Partial<Goodbye>;
  return empty === undefined || isBoolean(empty);
};
const hasStatusShape = shapeOf({
  version: isNumber,
  knownView: isNumber,
  settledView: isNumber,
  keysWithoutBackup: isNumber,
  primaries: isNumber,
  backups: isNumber,
  memoryBytes: isNumber,
  headroomBytes: isNumber,
  operationsPerSecond: isNumber,
  membersMissing: isNumber,
  deletesForgotten: isNumber,
});
const hasOfferShape = shapeOf({
  set: isText(SET_LENGTH_MAX),
  seed: isSeed,
  number: isCount,
  at: isNumber,
  part: isIncarnation,
  parts: isIncarnations,
  stopped: isIncarnations,
  dead: isIncarnations,
  phase: isCount,
});
const isOffer: Check = (value) => {
  if (!hasOfferShape(value)) return false;
  const { leftOut } = value as Partial<SnapshotOffer>;
  return leftOut === undefined || isIncarnations(leftOut);
};
const isAwaited = listOf(
  shapeOf({ part: isIncarnation, remainsMs: isDuration, phase: isCount }),
  MEMBERS_MAX,
);
const isStatus: Check = (value) => {
  if (!hasStatusShape(value)) return false;
  const { opened, ending, quietView, allQuietView, snapshot, awaited } =
    value as Partial<NodeStatus>;
  return (
    (opened === undefined || isNumber(opened)) &&
    (ending === undefined || isNumber(ending)) &&
    (quietView === undefined || isNumber(quietView)) &&
    (allQuietView === undefined || isNumber(allQuietView)) &&
    (snapshot === undefined || isOffer(snapshot)) &&
    (awaited === undefined || isAwaited(awaited))
  );
};
const hasReportShape = shapeOf({
  serial: isCount,
  prepared: nullOr(isViewId),
  silent: isIncarnations,
  lost: isIncarnations,
  hears: isIncarnations,
  leaving: isBoolean,
  status: isStatus,
  wallMs: isNumber,
  candidates: listOf(isMember, MEMBERS_MAX),
});
const isReport: Check = (value) => {
  if (!hasReportShape(value)) return false;
  const { forgotten } = value as Partial<Report>;
  return forgotten === undefined || isIncarnations(forgotten);
};
const isHeader = shapeOf({
  from: isIncarnation,
  to: isReceiver,
  installed: nullOr(isViewId),
  seed: isSeed,
  includes: isBoolean,
});

const BODIES: ReadonlyMap<string, Check> = new Map<ControlMessage['kind'], Check>([
  ['hello', shapeOf({ member: isMember })],
  ['welcome', shapeOf({ member: isMember, view: nullOr(isView) })],
  ['ping', shapeOf({ sequence: isCount, report: isReport })],
  ['pong', shapeOf({ sequence: isCount, granted: isBoolean, report: isReport })],
  ['join', shapeOf({ known: nullOr(isViewId), complete: isBoolean })],
  ['joining', shapeOf({ view: nullOr(isView), leftOut: isBoolean })],
  ['found', shapeOf({})],
  ['founding', shapeOf({ agreed: isBoolean, hears: isIncarnations })],
  ['invite', shapeOf({ addresses: listOf(isAddress, ADDRESSES_MAX) })],
  ['probe', shapeOf({ target: isIncarnation })],
  ['probed', shapeOf({ target: isIncarnation, result: isProbeResult })],
  ['survey', shapeOf({ ballot: isViewId, base: nullOr(isViewId), members: isIncarnations })],
  [
    'surveyed',
    shapeOf({
      ballot: isViewId,
      promised: isBoolean,
      highest: isCount,
      prepared: nullOr(isViewId),
      view: nullOr(isView),
      merge: isBoolean,
      electorates: isElectorates,
      known: isBoolean,
      missing: isIncarnations,
      leftOut: isIncarnations,
      passedOver: isBoolean,
      departed: isBoolean,
      mayMerge: isBoolean,
    }),
  ],
  [
    'prepare',
    shapeOf({ view: isView, merge: isBoolean, dead: isIncarnations, electorates: isElectorates }),
  ],
  ['prepared', shapeOf({ id: isViewId, accepted: isBoolean, remainsMs: isDuration })],
  [
    'install',
    shapeOf({
      id: isViewId,
      full: isBoolean,
      merge: isBoolean,
      remainsMs: isDuration,
      lost: listOf(isAddress, ADDRESSES_MAX),
    }),
  ],
  ['discard', shapeOf({ view: isViewId })],
  ['goodbye', isGoodbye],
]);

/**
 * The message that a decoded JSON value is; null for anything else. Members may be added to a
 * message by a later release: those not known here are ignored.
 */
export function decodeControlMessage(json: unknown): ControlMessage | null {
  if (!isHeader(json)) return null;
  const { kind } = json as { readonly kind?: unknown };
  if (typeof kind !== 'string') return null;
  const isBody = BODIES.get(kind);
  if (isBody === undefined || !isBody(json)) return null;
  const message = json as ControlMessage;
  if (message.kind === 'hello' || message.kind === 'welcome') {
    if (message.member.id !== message.from) return null;
  }
  return message;
}
