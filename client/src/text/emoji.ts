/** Whether a text consists of one to three emoji. It is then shown large and without a bubble. */
export function onlyEmoji(text: string): boolean {
  return text.length <= 120 && /^\s*(?:\p{RGI_Emoji}\s*){1,3}$/v.test(text);
}
