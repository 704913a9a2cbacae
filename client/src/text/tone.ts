/** The skin tones from light to dark. An emoji without a tone is yellow. */
export const TONES = ['\u{1f3fb}', '\u{1f3fc}', '\u{1f3fd}', '\u{1f3fe}', '\u{1f3ff}'];

/** Returns the emoji with a skin tone, in a form that Unicode recommends. Returns undefined if it has no tones. */
export function toned(emoji: string, tone: string): string | undefined {
  // In an emoji of two people, the handshake between them has no tone of its own.
  return [/(\p{Emoji_Modifier_Base})\ufe0f?/gu, /((?!🤝)\p{Emoji_Modifier_Base})\ufe0f?/gu]
    .map((people) => emoji.replace(people, `$1${tone}`))
    .find((found) => found !== emoji && /^\p{RGI_Emoji}$/v.test(found));
}
