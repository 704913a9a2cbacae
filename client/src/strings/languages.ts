import type { Texts } from './language-texts.ts';
import type { OwnersTexts } from './own-texts.ts';
import type { LoadedTexts } from './owners-texts.ts';

/** The texts of a language are loaded only if it is shown. */
export const ours = [
  'ar',
  'de',
  'en',
  'es',
  'fr',
  'he',
  'it',
  'ja',
  'nl',
  'pl',
  'pt-BR',
  'ru',
  'tr',
  'uk',
  'zh-Hans',
];

/** Returns the language of an element: its own, the language of the page around it, or the browser's. */
export function wantedLanguage(element: Element): string {
  // `closest` does not leave a shadow tree, so the document's language is used there.
  const around = element.closest('[lang]:not([lang=""])') ?? document.documentElement;
  return around.getAttribute('lang') || navigator.language;
}

/**
 * Returns the best available language, by the exact tag or by its primary subtag. The owner's languages are included.
 */
export function bestLanguage(wanted: string, owners: OwnersTexts = {}): string {
  const same = (tag: string) => tag.toLowerCase().replaceAll('_', '-');
  const known = [...Object.values(owners).flatMap((by) => Object.keys(by ?? {})), ...ours];
  // Traditional Chinese readers are better served with simplified characters than with English.
  return (
    known.find((lang) => same(lang) === same(wanted)) ??
    known.find((lang) => base(lang) === base(wanted)) ??
    'en'
  );
}

/**
 * Loads the texts to start with.
 *
 * @param owners - the owner's texts, or the address of their file
 */
export async function loadTexts(
  wanted: string,
  owners: OwnersTexts | string | undefined,
): Promise<LoadedTexts> {
  const own = load(bestLanguage(wanted));
  if (owners === undefined) return { texts: await own };
  // A failure is handled where this is awaited.
  own.catch(() => {});
  const their = await import('./owners-texts.ts');
  return their.withOwners(owners, own, (by) => {
    const lang = bestLanguage(wanted, by);
    return [lang, load(bestLanguage(lang))];
  });
}

async function load(lang: string): Promise<Texts> {
  const by = await file('', lang);
  return { lang, by, all: async () => ({ ...by, ...(await file('late-', lang)) }) };
}

async function file(part: '' | 'late-', lang: string): Promise<Texts['by']> {
  // The build replaces this address with the addresses of its files (strings-plugin.ts).
  const { default: by } = await import(/* @vite-ignore */ `./languages/${part}${lang}.json`);
  return by;
}

/**
 * Returns the primary subtag. Other files have copies of this function, because a shared module would be one more file
 * to load.
 */
function base(tag: string): string | undefined {
  return tag.toLowerCase().split(/[-_]/)[0];
}
