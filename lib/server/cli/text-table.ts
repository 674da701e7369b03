/** Columns of equal width, two spaces between them. From `firstNumber` on they are aligned to the right. */
export function textTable(rows: readonly (readonly string[])[], firstNumber: number): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (i < firstNumber ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
}

export function showBytes(bytes: number | null): string {
  if (bytes === null) return '-';
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = bytes === 0 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** The reply of a command that answers a map, which is a list of names and values in RESP2. */
export function pairsOf(reply: unknown): Map<string, unknown> {
  if (reply instanceof Map) return reply;
  if (!Array.isArray(reply)) return new Map(Object.entries(reply as object));
  const pairs = new Map<string, unknown>();
  for (let i = 0; i + 1 < reply.length; i += 2) pairs.set(String(reply[i]), reply[i + 1]);
  return pairs;
}
