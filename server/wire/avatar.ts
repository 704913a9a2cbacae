/** The colours of the classes `h0` to `h7`, in this order. */
export const colors = ['red', 'orange', 'yellow', 'green', 'teal', 'blue', 'purple', 'pink'] as const;

const segmenter = new Intl.Segmenter();

/**
 * Returns the first letters of the first and last word, without words that begin with a digit if there are others.
 * Chinese, Japanese and Korean names get a single letter.
 */
export function initials(name: string): string {
  const words = name.split(/[\s\p{P}]+/u).filter((word) => /[\p{L}\p{N}\p{S}]/u.test(word));
  const [first = words[0] ?? name, ...others] = words.filter((word) => !/^\p{N}/u.test(word));
  const letter = firstLetter(first);
  const isSingle = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]/u.test(letter);
  return isSingle ? letter : letter + firstLetter(others.at(-1) ?? '');
}

/** Keeps at most three combining marks. No script needs more, and more would cover neighbouring text. */
function firstLetter(word: string): string {
  const letter = [...segmenter.segment(word)][0]?.segment.toLocaleUpperCase() ?? '';
  return letter.replace(/(\p{M}{3})\p{M}+/gu, '$1');
}

/** Returns the CSS class of the hue by FNV-1a of the ID, so that a user or room has the same colour in all clients. */
export function hue(id: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(id)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return `h${hash % colors.length}`;
}
