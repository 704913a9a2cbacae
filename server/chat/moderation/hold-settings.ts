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

/** Finds whole words, without regard to case and to other forms of the same letters. */
function wordFinder(words: readonly string[]): (text: string) => boolean {
  if (words.length === 0) return () => false;
  const any = words.map((word) => same(word).replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|');
  const found = new RegExp(`(?<![\\p{L}\\p{N}])(?:${any})(?![\\p{L}\\p{N}])`, 'u');
  return (text) => found.test(same(text));
}

const same = (text: string) => text.normalize('NFKC').toLowerCase();
