/** Includes characters that are blank without this Unicode property: an empty Braille pattern, a note without a head. */
export const blanks = /[\p{White_Space}\u2800\u{1d159}]+/gu;
/** Whether a text has no visible character. */
export const isBlank = (text: string) => /^[\p{White_Space}\p{Cc}\p{Cf}\p{DI}\u2800\u{1d159}]*$/u.test(text);

const control = /[\p{Cc}\p{Zl}\p{Zp}]/u;
const controls = new RegExp(control, 'gu');
export const isLine = (text: string): boolean => !control.test(text);
export const asLine = (text: string): string => text.toWellFormed().replace(controls, '');

/** Escapes characters that control a terminal or reorder a line. Keeps line feeds. */
export const forScreen = (text: string): string =>
  text.replace(/[^\P{Cc}\n]|[\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, code);

/** Like `forScreen`, and escapes line feeds. */
export const lineForScreen = (text: string): string => forScreen(text).replaceAll('\n', code);

const code = (character: string) => `\\u{${character.codePointAt(0)?.toString(16)}}`;

/** Unicode control characters that change the direction of the text after them. */
export const directionMarks = /[\u202a-\u202e\u2066-\u2069]/gu;

/** Direction marks and invisible characters. A name with them could imitate another name. */
export const invisible = /[\p{Bidi_Control}\p{DI}\ufff9-\ufffc]/gu;
/** Without joiners, variation selectors and tags, because they form emoji and letters. */
const unseen = new RegExp(
  String.raw`(?!\u200c|\u200d|\p{VS}|[\u{e0020}-\u{e007f}])${invisible.source}`,
  'gu',
);

/** Returns the visible characters of a name in one line, at most `maxCharacters`. Empty if no character is visible. */
export function visibleLine(text: string, maxCharacters: number): string {
  const line = [...asLine(text).replace(unseen, '')].slice(0, maxCharacters).join('');
  return isBlank(line) ? '' : line;
}
