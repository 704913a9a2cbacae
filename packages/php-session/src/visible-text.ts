/** Whether a text has only invisible characters. */
export const isBlank = (text: string) => /^[\p{White_Space}\p{Cc}\p{Cf}\p{DI}\u2800]*$/u.test(text);

const control = /[\p{Cc}\p{Zl}\p{Zp}]/u;
export const isLine = (text: string): boolean => !control.test(text);

/** Characters that could make two names look alike. */
const invisible = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u00ad\u180e\u200b\u2060-\u2064\ufeff]/gu;

/** Returns the visible characters of a name. */
export function visibleLine(text: string, maxCharacters: number): string {
  const line = [...text.toWellFormed().replace(invisible, '')].slice(0, maxCharacters).join('');
  return isBlank(line) ? '' : line;
}
