import iamcal from 'emojibase-data/en/shortcodes/iamcal.json' with { type: 'json' };
import joypixels from 'emojibase-data/en/shortcodes/joypixels.json' with { type: 'json' };

/** The emoji of a chat, as hexadecimal code points by their names. */
export type EmojiNames = ReadonlyMap<string, string>;

const named = (shortcodes: Record<string, string | string[]>): EmojiNames =>
  new Map(Object.entries(shortcodes).flatMap(([code, names]) => [names].flat().map((name) => [name, code])));

/** The names in Slack and Mattermost. */
export const iamcalNames = named(iamcal);
/** The names in Rocket.Chat. */
export const joypixelsNames = named(joypixels);

/** Suffixes of names in Mattermost. */
const tones = ['light', 'medium_light', 'medium', 'medium_dark', 'dark'];

/**
 * Returns an emoji, or undefined for an unknown name, such as of an emoji that the other chat's admins added.
 * @param tone Slack's number of the skin tone, 2 to 6
 */
export function emojiNamed(name: string, tone: string | undefined, names: EmojiNames): string | undefined {
  const [, bare, suffix] = /^(.+?)_((?:medium_)?(?:light|dark)|medium)_skin_tone$/.exec(name) ?? [];
  const code = names.get(name) ?? (bare === undefined ? undefined : names.get(bare));
  if (code === undefined) return undefined;
  const points = code.split('-').map((point) => Number.parseInt(point, 16));
  const level = tone === undefined ? tones.indexOf(suffix ?? '') : Number(tone) - 2;
  const toned = level < 0 ? [] : [points.toSpliced(1, points[1] === 0xfe0f ? 1 : 0, 0x1f3fb + level)];
  // Some codes have no variation selectors.
  return [...toned, points]
    .flatMap((form) => [String.fromCodePoint(...form), withSelectors(form)])
    .find((emoji) => /^\p{RGI_Emoji}$/v.test(emoji));
}

/** Adds the variation selector to characters that are shown as text without it. */
const withSelectors = (points: readonly number[]): string =>
  points
    .map((point) => String.fromCodePoint(point))
    .map((one) => (/^(?!\p{Emoji_Presentation})\p{Emoji}$/u.test(one) ? `${one}\ufe0f` : one))
    .join('')
    .replaceAll(/\ufe0f\ufe0f/g, '\ufe0f');
