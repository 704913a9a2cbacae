/**
 * There is nothing to see in it: blanks, control characters, marks of direction, and characters that are drawn as nothing
 * (Braille's empty pattern is one to readers, but not to Unicode).
 */
export const isBlank = (text: string) => /^[\p{White_Space}\p{Cc}\p{Cf}\p{DI}\u2800]*$/u.test(text);

/** Controls, marks of direction, and letters without a width: with them one name can look like another, or like none. */
const unseen = /[\p{Cc}\p{Bidi_Control}\u00ad\u180e\u200b\u2060-\u2064\ufeff]/gu;

/** A name as others see it: one line of at most `most` characters; empty if there would be nothing to see. */
export function visibleLine(text: string, most: number): string {
  const line = [...text.toWellFormed().replace(unseen, '')].slice(0, most).join('');
  return isBlank(line) ? '' : line;
}
