/** A text of one to three emoji and nothing else is shown large, without a bubble. */
export function onlyEmoji(text: string): boolean {
  return text.length <= 120 && /^\s*(?:\p{RGI_Emoji}\s*){1,3}$/v.test(text);
}
