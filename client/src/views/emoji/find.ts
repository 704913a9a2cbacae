import all from 'virtual:emoji/all';
import { folded } from '../../../../server/text/folding.ts';
import { toned } from '../../text/tone.ts';
import { drawable } from './drawable.ts';
import { wordsIn } from './words.ts';

/** All emoji, grouped by the tabs of the grid. */
export const groups = all.map((tab) => tab.split(' '));

/** Finds emoji by their names in one language and in English. */
export class EmojiNames {
  readonly #words: readonly string[];
  readonly #folded: readonly string[];

  private constructor(words: readonly string[]) {
    this.#words = words;
    this.#folded = words.map(folded);
  }

  static async in(locale: string): Promise<EmojiNames> {
    return new EmojiNames(await wordsIn(locale));
  }

  /** Finds emoji in the given skin tone, if they have one. */
  named(query: string, most: number, tone: string | undefined): { emoji: string; name: string }[] {
    return this.find(query, most).map((one) => ({
      emoji: (tone && toned(one, tone)) || one,
      name: this.nameOf(one) ?? one,
    }));
  }

  nameOf(emoji: string): string | undefined {
    return this.#words[groups.flat().indexOf(emoji)]?.split(',')[0];
  }

  /**
   * Returns emoji with this name, then with names that start with it or contain it, then with other matching words.
   * Emoji that this system cannot draw are left out.
   */
  find(query: string, most: number): readonly string[] {
    const wanted = folded(query.trim());
    const rank = (words = '') => {
      const at = words.indexOf(wanted);
      const [name = ''] = words.split(',');
      return at < 0 ? at : name === wanted ? 0 : at === 0 ? 1 : at < name.length ? 2 : 3;
    };
    const hits = groups.flat().map((emoji, n) => ({ emoji, rank: rank(this.#folded[n]) }));
    const found = hits.filter((hit) => hit.rank >= 0).sort((a, b) => a.rank - b.rank);
    return drawable(found.slice(0, most).map(({ emoji }) => emoji));
  }
}
