/**
 * Matches the characters that are removed from file names: control, format, private-use, unassigned and invisible
 * characters, line and paragraph separators. Joiners and variation selectors stay, because they form emoji and letters.
 */
export const unseen = /(?!\u200c|\u200d|\p{VS})[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{DI}\u2028\u2029\u2800]/gu;
