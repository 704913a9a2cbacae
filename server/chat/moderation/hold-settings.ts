/** Which messages wait for a moderator, beside those with one of the words: see CHAT_HOLD. */
export type HoldMode = 'off' | 'links' | 'first' | 'all';

export interface HoldSettings {
  mode: HoldMode;
  /** Whether a text has one of the words of CHAT_HOLD_WORDS. */
  hasWord(text: string): boolean;
}

/** @returns undefined if no message ever waits */
export function holdSettings({
  mode,
  words,
}: {
  mode: HoldMode;
  words: readonly string[];
}): HoldSettings | undefined {
  if (mode === 'off' && words.length === 0) return undefined;
  return { mode, hasWord: wordFinder(words) };
}

/** Letters, and those of scripts that write no blanks between words. */
const letter = /^[\p{L}\p{N}]$/u;
const unspaced =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]$/u;

/** Finds whole words, without regard to case, accents, signs that nobody sees, and marks such as `**`. */
function wordFinder(words: readonly string[]): (text: string) => boolean {
  const wanted = words.map(same).filter((word) => word !== '');
  if (wanted.length === 0) return () => false;
  const ends = (sign = '') => letter.test(sign) && !unspaced.test(sign);
  const any = wanted.map((word) => {
    const letters = [...word];
    const before = ends(letters[0]) ? '(?<![\\p{L}\\p{N}])' : '';
    const after = ends(letters.at(-1)) ? '(?![\\p{L}\\p{N}])' : '';
    return `${before}${word.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}${after}`;
  });
  const found = new RegExp(any.join('|'), 'u');
  return (text) => found.test(same(text));
}

const same = (text: string) =>
  text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[\p{Mn}\p{Default_Ignorable_Code_Point}*_~`]/gu, '');
