import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';
import { languages } from './strings-plugin.ts';

const start = 'virtual:emoji/';
const from = createRequire(import.meta.url);
/** The tabs of the emoji grid, as Unicode groups. Symbols (8) and flags (9) share a tab with objects (7). */
const tabs = [[0], [1], [3], [4], [6], [5], [7, 8, 9]];
/** The newest Emoji version that is included. Few systems can render later ones. */
const newest = 15.1;
/** The maximum number of tags that find an emoji, in addition to its name. */
const mostTags = 2;

interface Emoji {
  readonly emoji: string;
  readonly label: string;
  readonly tags?: readonly string[];
  readonly group?: number;
  readonly order?: number;
  readonly version: number;
}

function isKnown(lang: string): boolean {
  try {
    return from.resolve(`emojibase-data/${lang}/data.json`) !== '';
  } catch {
    return false;
  }
}

/**
 * Returns the licence entry of emojibase-data. Vite does not list that package, because this plugin bundles its data as
 * virtual modules.
 */
function license(): object {
  const path = from.resolve('emojibase-data/package.json');
  const { name, version, license } = from(path) as Record<string, string>;
  const text = readFileSync(join(dirname(path), 'LICENSE'), 'utf8').trim();
  return { name, version, identifier: license, text };
}

/** Returns the emoji of each tab in Unicode's order. */
function grouped(lang: string): Emoji[][] {
  const all = from(`emojibase-data/${lang}/data.json`) as Emoji[];
  const shown = all.flatMap((one) => {
    if (one.version > newest) return [];
    // Some emoji in the data have a variation selector that Unicode does not recommend.
    const forms = [one.emoji, one.emoji.replaceAll('\ufe0f', '')];
    const emoji = forms.find((form) => /^\p{RGI_Emoji}$/v.test(form));
    return emoji === undefined ? [] : [{ ...one, emoji }];
  });
  return tabs.map((groups) =>
    shown
      .filter(({ group = -1 }) => groups.includes(group))
      .sort(
        (a, b) =>
          groups.indexOf(a.group ?? 0) - groups.indexOf(b.group ?? 0) || (a.order ?? 0) - (b.order ?? 0),
      ),
  );
}

/** Returns the search words of an emoji: its name and tags, separated by commas. */
function words({ label, tags = [] }: Emoji): string {
  const more = tags.filter((tag) => !label.includes(tag)).slice(0, mostTags);
  return [label, ...more].join(',').toLowerCase();
}

/**
 * Provides emojibase's data as modules. `virtual:emoji/all` exports one string of emoji per tab.
 * `virtual:emoji/words-en` exports the search words in a language, one line per emoji in the same order.
 * `virtual:emoji/words` exports functions that load these words, by primary language subtag. It contains the languages
 * that both the client and emojibase support.
 */
export function emoji(): Plugin {
  return {
    name: 'emoji',
    resolveId: (id) => (id.startsWith(start) ? `\0${id}` : undefined),
    load(id) {
      if (!id.startsWith(`\0${start}`)) return undefined;
      const name = id.slice(start.length + 1);
      if (name === 'words') {
        const known = [...new Set(languages.map((tag) => tag.split('-')[0] ?? tag))].filter(isKnown);
        const loads = known.map((lang) => `${lang}: () => import('${start}words-${lang}')`);
        return `export default { ${loads.join(', ')} }`;
      }
      const value =
        name === 'all'
          ? grouped('en').map((tab) => tab.map(({ emoji: one }) => one).join(' '))
          : grouped(name.replace('words-', ''))
              .flatMap((tab) => tab.map(words))
              .join('\n');
      return `export default ${JSON.stringify(value)}`;
    },
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const list = bundle['licenses.json'];
        if (list?.type !== 'asset') return;
        list.source = JSON.stringify([...JSON.parse(String(list.source)), license()], null, 2);
      },
    },
  };
}
