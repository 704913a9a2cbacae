/** The colours of the classes `h0` to `h7`, in this order. */
export const colors = ['red', 'orange', 'yellow', 'green', 'teal', 'blue', 'purple', 'pink'] as const;

const segmenter = new Intl.Segmenter();

/** First letters of the first and the last word; one is enough for Chinese, Japanese and Korean. */
export function initials(name: string): string {
  const words = name.split(/[\s\p{P}]+/u).filter((word) => /[\p{L}\p{N}\p{S}]/u.test(word));
  const first = firstLetter(words[0] ?? name);
  if (words.length < 2 || /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]/u.test(first))
    return first;
  return first + firstLetter(words.at(-1) ?? '');
}

/** With three marks at most, which every script can do with: more would be painted over the neighbours. */
function firstLetter(word: string): string {
  const letter = [...segmenter.segment(word)][0]?.segment.toLocaleUpperCase() ?? '';
  return letter.replace(/(\p{M}{3})\p{M}+/gu, '$1');
}

/** The class of one of eight hues: FNV-1a of the id, so that a person or a room has the same colour everywhere. */
export function hue(id: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(id)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return `h${hash % colors.length}`;
}
