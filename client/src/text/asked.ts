import { UNSPACED } from '../../../server/text/links.ts';

/** The position of a sign, and the text between it and the caret. */
export interface Asked {
  readonly at: number;
  readonly query: string;
}

/** What precedes a mention: see docs/text.md, Mentions. */
const BEFORE = `(?:^|[\\s\\p{Ps}\\p{Pi}"'${UNSPACED}])`;
const PERSON = new RegExp(`(?<=${BEFORE})[@＠]((?!\\s)[^@＠\\n]*)$`, 'u');
const READY = new RegExp(`${BEFORE}$`, 'u');

/** Whether a mention may follow this text without a blank. */
export const mayMentionAfter = (text: string): boolean => READY.test(text);

/** Finds the `@` or `＠` of a name that is being typed. */
export const personAsked = (text: string, caret: number): Asked | undefined => asked(PERSON, 40, text, caret);

/** Finds the `:` of an emoji name of two or more characters that is being typed. */
export const emojiAsked = (text: string, caret: number): Asked | undefined =>
  asked(/(?<=^|\s):(\p{L}[\p{L}\p{N}_-]+)$/u, 24, text, caret);

/** Finds the `/` at the start of a word, and the words after it. */
export const cardAsked = (text: string, caret: number): Asked | undefined =>
  asked(/(?<=^|\s)\/((?:[^\s/][^\n/]*)?)$/u, 40, text, caret);

/** @param longest the maximum length of a name, in UTF-16 units */
function asked(pattern: RegExp, longest: number, text: string, caret: number): Asked | undefined {
  const before = text.slice(Math.max(0, caret - longest - 2), caret);
  const found = pattern.exec(before);
  // A sign at the start of the cut text may be inside a word.
  if (found === null || (found.index === 0 && before.length < caret)) return undefined;
  return { at: caret - before.length + found.index, query: found[1] ?? '' };
}
