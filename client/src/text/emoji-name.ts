/** A name that is looked for is no longer than this. */
const LONGEST = 24;

/** The `:` after which an emoji is named, and the two letters or more before the caret; undefined without one. */
export function emojiAsked(text: string, caret: number): { at: number; query: string } | undefined {
  const before = text.slice(Math.max(0, caret - LONGEST - 2), caret);
  const found = /(?<=^|\s):(\p{L}[\p{L}\p{N}_-]+)$/u.exec(before);
  if (found === null) return undefined;
  const at = caret - before.length + found.index;
  // What is cut off at the start may be the end of a word.
  if (at > 0 && !/\s/u.test(text[at - 1] ?? '')) return undefined;
  return { at, query: found[1] ?? '' };
}
