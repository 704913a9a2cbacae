/** Whether a text has no visible character: whitespace, controls, formatting, and Braille's empty pattern. */
export const isBlank = (text: string) => /^[\p{White_Space}\p{Cc}\p{Cf}\p{DI}\u2800]*$/u.test(text);

const control = /[\p{Cc}\p{Zl}\p{Zp}]/u;
export const isLine = (text: string): boolean => !control.test(text);

/** Controls, and characters without a width, with which one name could imitate another. */
const unseen = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u00ad\u180e\u200b\u2060-\u2064\ufeff]/gu;

/** Returns the visible characters of a name in one line, at most `maxCharacters`; empty if none is visible. */
export function visibleLine(text: string, maxCharacters: number): string {
  const line = [...text.toWellFormed().replace(unseen, '')].slice(0, maxCharacters).join('');
  return isBlank(line) ? '' : line;
}
