/** There is nothing to see in it. */
export const isBlank = (text: string) => /^[\p{White_Space}\p{Cf}]*$/u.test(text);
