/**
 * Methods of Buffer that Node has, and that its type declarations leave out: what `toString` and `write` call once
 * they have looked at their arguments.
 */
interface Buffer {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, at: number, bytes?: number): number;
  utf8Write(text: string, at: number, bytes?: number): number;
}
