/**
 * There is nothing to see in it: blanks, control characters, marks of direction, and characters that are drawn as nothing
 * (Braille's empty pattern is one to readers, but not to Unicode).
 */
export const isBlank = (text: string) => /^[\p{White_Space}\p{Cc}\p{Cf}\p{DI}\u2800]*$/u.test(text);
