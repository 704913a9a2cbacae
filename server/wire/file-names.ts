/**
 * Signs that a file name loses: control, format and invisible characters, those that turn the direction of writing, and those
 * that are drawn as blanks. Joiners stay, because they combine several emoji into one, and what chooses the form of a
 * character.
 */
export const unseen = /(?!\u200c|\u200d|\p{VS})[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{DI}\u2028\u2029\u2800]/gu;
