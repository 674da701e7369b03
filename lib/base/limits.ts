/** Bounds of the server that are no options: name, unit, and why they are what they are. */

/** Bytes of the one buffer that all client sockets are read into; larger ones were no faster. */
export const READ_BUFFER_BYTES = 64 * 1024;

/** Bytes that client sockets may bring in one turn before their commands run; at least one read. */
export const INPUT_BYTES_PER_TURN = 256 * 1024;

/** Commands of one connection that are parsed before the first of them has run. */
export const COMMANDS_AHEAD = 16;

/** Commands of one connection that run before the other connections get their turn. */
export const COMMANDS_PER_TURN = 1024;

/** Keys of commands on many keys that are handled before the other connections get their turn: a few milliseconds. */
export const KEYS_PER_TURN = 1000;

/** Bytes of a reply to such a command that are put together before the other connections get their turn. */
export const REPLY_BYTES_PER_TURN = 2 * 1024 * 1024;

/**
 * Replies up to this many bytes are written as latin1 strings: as long as they fit into the 16 KB that node keeps for
 * that on its stack, no write request is made, and no Buffer that lives until the request has ended.
 */
export const STRING_WRITE_BYTES = 16 * 1024;

/** A reply buffer that grew past this many bytes is given back once it is empty. */
export const REPLY_BUFFER_KEEP_BYTES = 64 * 1024;

/** Output of one connection, held or not yet taken by the kernel, past which its requests are no longer read. */
export const OUTPUT_PAUSE_BYTES = 1024 * 1024;

/** Held and deferred replies of one connection past which its requests are no longer read. */
export const HELD_REPLIES_PAUSE = 4 * 1024;

/**
 * Channels and patterns that one client is subscribed to, and all clients of a node together: the other members keep the
 * names, some 150 bytes each.
 */
export const SUBSCRIPTIONS_PER_CLIENT = 100_000;
export const SUBSCRIPTIONS_PER_NODE = 1_000_000;

/** Prefixes of keys that one client tracks (CLIENT TRACKING with BCAST): all members keep them, and compare each changed key. */
export const TRACKING_PREFIXES_PER_CLIENT = 1000;

/** Invalidations of one client that wait for its replies before they go to whom it redirects to; then it is told "all". */
export const TRACKING_LATE = 10_000;

/** Bytes of the name of a channel, or of a pattern, to subscribe to; messages are published to longer ones as well. */
export const CHANNEL_BYTES_MAX = 16 * 1024;
/** Bytes that a client may send behind a command that waits; past these its socket is no longer read. */
export const BLOCKED_INPUT_BYTES = 1024 * 1024;

/** Milliseconds between two looks for idle clients and soft output limits. */
export const CLIENT_SWEEP_MS = 1000;

/** Milliseconds that a client gets to read its last replies and to close, once the server wants to. */
export const LINGER_MS = 30_000;

/** The same of one that has broken the protocol: who does not notice goes on sending. */
export const PROTOCOL_LINGER_MS = 1000;

/** Milliseconds that a client over maxclients gets to read why, and to close. */
export const REFUSED_MS = 1000;

/** Bytes of a control frame on the bus: views of hundreds of members fit. */
export const CONTROL_FRAME_BYTES = 1024 * 1024;

/** Unsent bytes of a control link past which it counts as broken: heartbeats must not queue up. */
export const CONTROL_BACKLOG_BYTES = 4 * 1024 * 1024;

/** Bus connections that are open at the same time, those of strangers included; with one more a stranger goes. */
export const BUS_CONNECTIONS = 4096;

/** Of these, the ones whose other end is not known yet; with one more the oldest is closed of the address with the most. */
export const BUS_STRANGERS = 256;

/** Milliseconds within which a new bus connection must have said hello. */
export const BUS_HELLO_MS = 2000;

/** Arguments of all commands that one client has queued since MULTI; their bytes have client-query-buffer-limit. */
export const TRANSACTION_ARGUMENTS = 512 * 1024;

/** Keys that one client watches. */
export const WATCHED_KEYS = 512 * 1024;

/**
 * TLS handshakes under way on one port; with one more the oldest is ended of the address with the most. Nothing but a few bytes is kept of one
 * whose first message is not there.
 */
export const TLS_HANDSHAKES = 256;

/** Of these, the ones that begin before the other connections get their turn: each takes about a millisecond. */
export const TLS_HANDSHAKES_PER_TURN = 4;

/** Milliseconds from the accepting of a connection to the end of its TLS handshake. */
export const TLS_HANDSHAKE_MS = 5000;

/** Bytes of the first message of a TLS handshake. */
export const TLS_HELLO_BYTES = 16 * 1024;

/** Bytes of one file with certificates or a key. */
export const TLS_FILE_BYTES = 1024 * 1024;

/** A stranger on the bus whose connections end for one reason again and again is logged once in so many milliseconds. */
export const BUS_REFUSAL_LOG_MS = 60_000;

/** Pairs of an address and a reason that are logged in that time; no more of them are. */
export const BUS_REFUSALS_KEPT = 64;

/** Calls of one client within the process that wait for their replies; one more is refused. */
export const LOCAL_CALLS_WAITING = 100_000;

/** Bytes of such calls that the node has yet to take, past which one more is refused. */
export const LOCAL_BYTES_WAITING = 64 * 1024 * 1024;
