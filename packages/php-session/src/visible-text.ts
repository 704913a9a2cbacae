/** Whether a text has no visible character: as in server/text/blank.ts, which this package cannot import. */
export const isBlank = (text: string) => /^[\p{White_Space}\p{Cc}\p{Cf}\p{DI}\u2800\u{1d159}]*$/u.test(text);

const control = /[\p{Cc}\p{Zl}\p{Zp}]/u;
export const isLine = (text: string): boolean => !control.test(text);

/**
 * Characters that could make two names look alike. Joiners, variation selectors and tags stay, because they form emoji
 * and letters.
 */
const invisible =
  /(?!\u200c|\u200d|\p{VS}|[\u{e0020}-\u{e007f}])[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{DI}\ufff9-\ufffc]/gu;

/** Returns the visible characters of a name. */
export function visibleLine(text: string, maxCharacters: number): string {
  const line = [...text.toWellFormed().replace(invisible, '')].slice(0, maxCharacters).join('');
  return isBlank(line) ? '' : line;
}
