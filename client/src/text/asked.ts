/** Where a sign stands, and what was typed after it up to the caret. */
export interface Asked {
  readonly at: number;
  readonly query: string;
}

/** The `@` whose name is being typed, at the start of a word or after a bracket or quote; undefined without one. */
export const personAsked = (text: string, caret: number): Asked | undefined =>
  asked(/(?<=^|[\s\p{Ps}\p{Pi}"'])@((?!\s)[^@\n]*)$/u, 40, text, caret);

/** The `:` after which an emoji is named with two letters or more; undefined without one. */
export const emojiAsked = (text: string, caret: number): Asked | undefined =>
  asked(/(?<=^|\s):(\p{L}[\p{L}\p{N}_-]+)$/u, 24, text, caret);

/** @param longest a name that is looked for has no more characters */
function asked(pattern: RegExp, longest: number, text: string, caret: number): Asked | undefined {
  const before = text.slice(Math.max(0, caret - longest - 2), caret);
  const found = pattern.exec(before);
  // A sign where the text was cut may be within a word.
  if (found === null || (found.index === 0 && before.length < caret)) return undefined;
  return { at: caret - before.length + found.index, query: found[1] ?? '' };
}
