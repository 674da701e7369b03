const ASTERISK = 42;
const QUESTION = 63;
const BRACKET_OPEN = 91;
const BRACKET_CLOSE = 93;
const BACKSLASH = 92;
const CARET = 94;
const HYPHEN = 45;

const lower = (byte: number) => (byte >= 65 && byte <= 90 ? byte + 32 : byte);
/** Redis compares the bounds of a range as C's signed char. */
const signed = (byte: number) => (byte << 24) >> 24;

/**
 * Whether `text[start, end)` matches the glob `pattern[patternStart, patternEnd)` by the rules of Redis's
 * stringmatchlen: `*`, `?`, `[abc]`, `[^a-z]`, and `\` before a byte meant literally. As there, an unclosed bracket
 * ends with the pattern, an escaped byte in brackets is compared in its own case, and the empty text matches the
 * empty pattern only.
 *
 * On a mismatch only the last `*` is tried again, one byte further on: an earlier one could not help, since all that
 * lies between the two has matched as early as it can. So the work is bounded by the product of both lengths.
 */
export function matchesGlob(
  pattern: Uint8Array,
  patternStart: number,
  patternEnd: number,
  text: Uint8Array,
  start: number,
  end: number,
  ignoreCase = false,
): boolean {
  if (start === end) return patternStart === patternEnd;
  let at = patternStart;
  let textAt = start;
  let star = -1;
  let starText = start;
  while (textAt < end) {
    if (at < patternEnd && pattern[at] === ASTERISK) {
      at = skipAsterisks(pattern, at, patternEnd);
      if (at === patternEnd) return true;
      star = at;
      starText = textAt;
      continue;
    }
    if (at < patternEnd && matchesOne(pattern, at, patternEnd, text[textAt]!, ignoreCase)) {
      at = elementEnd(pattern, at, patternEnd);
      textAt++;
      continue;
    }
    if (star < 0) return false;
    at = star;
    textAt = ++starText;
  }
  return skipAsterisks(pattern, at, patternEnd) === patternEnd;
}

function skipAsterisks(pattern: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && pattern[at] === ASTERISK) at++;
  return at;
}

/** Where the element at `at` (a byte, an escaped byte, a bracket) ends. */
function elementEnd(pattern: Uint8Array, start: number, end: number): number {
  if (pattern[start] === BACKSLASH) return Math.min(start + 2, end);
  if (pattern[start] !== BRACKET_OPEN) return start + 1;
  let at = start + 1;
  if (at < end && pattern[at] === CARET) at++;
  while (at < end && pattern[at] !== BRACKET_CLOSE) at = bracketItemEnd(pattern, at, end);
  return Math.min(at + 1, end);
}

/** Where the item of a bracket at `at` (a byte, an escaped byte, a range) ends. */
function bracketItemEnd(pattern: Uint8Array, at: number, end: number): number {
  if (pattern[at] === BACKSLASH && at + 1 < end) return at + 2;
  return at + 2 < end && pattern[at + 1] === HYPHEN ? at + 3 : at + 1;
}

function matchesOne(
  pattern: Uint8Array,
  at: number,
  end: number,
  byte: number,
  ignoreCase: boolean,
): boolean {
  const kind = pattern[at]!;
  if (kind === QUESTION) return true;
  if (kind === BRACKET_OPEN) return matchesBracket(pattern, at + 1, end, byte, ignoreCase);
  const literal = kind === BACKSLASH && at + 1 < end ? pattern[at + 1]! : kind;
  return ignoreCase ? lower(literal) === lower(byte) : literal === byte;
}

function matchesBracket(
  pattern: Uint8Array,
  start: number,
  end: number,
  byte: number,
  ignoreCase: boolean,
): boolean {
  const negated = start < end && pattern[start] === CARET;
  const fold = ignoreCase ? lower : (same: number) => same;
  let found = false;
  let at = negated ? start + 1 : start;
  while (at < end && pattern[at] !== BRACKET_CLOSE) {
    const itemEnd = bracketItemEnd(pattern, at, end);
    if (itemEnd - at === 2) {
      if (pattern[at + 1] === byte) found = true;
    } else if (itemEnd - at === 3) {
      const first = signed(pattern[at]!);
      const last = signed(pattern[at + 2]!);
      const low = fold(Math.min(first, last));
      const high = fold(Math.max(first, last));
      const value = fold(signed(byte));
      if (value >= low && value <= high) found = true;
    } else if (fold(pattern[at]!) === fold(byte)) {
      found = true;
    }
    at = itemEnd;
  }
  return found !== negated;
}
