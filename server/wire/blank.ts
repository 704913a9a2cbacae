/**
 * There is nothing to see in it: blanks, control characters, marks of direction, and characters that are drawn as nothing
 * (Braille's empty pattern is one to readers, but not to Unicode).
 */
export const isBlank = (text: string) => /^[\p{White_Space}\p{Cc}\p{Cf}\p{DI}\u2800]*$/u.test(text);

/** Control characters, and those that end a line or a paragraph. */
const control = /[\p{Cc}\p{Zl}\p{Zp}]/u;
const controls = new RegExp(control, 'gu');
export const isLine = (text: string): boolean => !control.test(text);
export const asLine = (text: string): string => text.toWellFormed().replace(controls, '');

/**
 * For a screen: a control character would command it, and a mark of direction would reorder the line. Ends of lines stay.
 */
export const forScreen = (text: string): string =>
  text.replace(/[^\P{Cc}\n]|[\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, code);

/** The same in one line. */
export const lineForScreen = (text: string): string => forScreen(text).replaceAll('\n', code);

const code = (character: string) => `\\u{${character.codePointAt(0)?.toString(16)}}`;

/** Marks of direction, and letters without a width: with them one name can look like another, or like none. */
const unseen = /[\p{Bidi_Control}\u00ad\u180e\u200b\u2060-\u2064\ufeff]/gu;

/** A name as others see it: one line of at most `most` characters; empty if there would be nothing to see. */
export function visibleLine(text: string, most: number): string {
  const line = [...asLine(text).replace(unseen, '')].slice(0, most).join('');
  return isBlank(line) ? '' : line;
}
