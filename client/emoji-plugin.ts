import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';
import { languages } from './strings-plugin.ts';

const start = 'virtual:emoji/';
const from = createRequire(import.meta.url);
/** The tabs of the grid, by the groups of Unicode: symbols and flags stand with the objects. */
const tabs = [[0], [1], [3], [4], [6], [5], [7, 8, 9]];
/** No newer emoji: few systems could draw them. */
const newest = 15.1;
/** An emoji is found by at most this many words beside its name. */
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

/** Of the data, whose modules are not the package's own. */
function license(): object {
  const path = from.resolve('emojibase-data/package.json');
  const { name, version, license } = from(path) as Record<string, string>;
  const text = readFileSync(join(dirname(path), 'LICENSE'), 'utf8').trim();
  return { name, version, identifier: license, text };
}

/** The emoji of each tab, in Unicode's order. */
function grouped(lang: string): Emoji[][] {
  const all = from(`emojibase-data/${lang}/data.json`) as Emoji[];
  const shown = all.flatMap((one) => {
    if (one.version > newest) return [];
    // The data has a variation selector where Unicode recommends none.
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

/** The name of an emoji, and what else it is found by. */
function words({ label, tags = [] }: Emoji): string {
  const more = tags.filter((tag) => !label.includes(tag)).slice(0, mostTags);
  return [label, ...more].join(',').toLowerCase();
}

/**
 * Modules of emojibase's data: `virtual:emoji/all` has the emoji of the tabs, each tab as one text; `virtual:emoji/words-en` has
 * the words of each in a language, in the same order, one a line; `virtual:emoji/words` loads these by the first part of a
 * language's tag, for each language of the client that emojibase knows.
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
