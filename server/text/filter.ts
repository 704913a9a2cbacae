import { foldedForFilter } from './folding.ts';

/**
 * Accents, characters without a width, and the strokes that lengthen Arabic letters. Fillers are wide, so they are
 * `parting`.
 */
const shapeless = /(?![\u115f\u1160])[\p{Cf}\p{DI}\p{Mn}\p{Me}\u0640\u07fa]/gu;
/** Blanks, and what some clients show as a sign, a blank or a line break, and others hide: formatting, unknown characters. */
const parting = /[\s\u2800\u115f\u1160\ufffc\p{Cc}\p{Co}\p{Cn}*_~`\\]+/gu;
/** The sign of a quotation or a list at the start of a further line, which clients hide. */
const lineSign = /(?<=\n)[>-](?: +|(?=\n))/gu;
/** Stands for `parting` characters without a blank. */
export const maybeBlank = '*';

/**
 * Returns the form of a text in which filters search: folded, without any accents and invisible characters, and with
 * one space for consecutive blanks. Signs of formatting become `maybeBlank`, because a client may hide them, show them,
 * or start a new line, as for a block of code.
 */
export const filterForm = (text: string): string =>
  foldedForFilter(text.replace(lineSign, ''))
    .replace(shapeless, '')
    .replace(parting, (run) => (/[\s\u2800]/u.test(run) ? ' ' : maybeBlank));
