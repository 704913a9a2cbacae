/** Light to dark. Without one, an emoji is yellow. */
export const TONES = ['\u{1f3fb}', '\u{1f3fc}', '\u{1f3fd}', '\u{1f3fe}', '\u{1f3ff}'];

/** The emoji with that tone of skin, as Unicode recommends it; undefined if it has none. */
export function toned(emoji: string, tone: string): string | undefined {
  // Between two people, hands have the tone of theirs.
  return [/(\p{Emoji_Modifier_Base})\ufe0f?/gu, /((?!🤝)\p{Emoji_Modifier_Base})\ufe0f?/gu]
    .map((people) => emoji.replace(people, `$1${tone}`))
    .find((found) => found !== emoji && /^\p{RGI_Emoji}$/v.test(found));
}
