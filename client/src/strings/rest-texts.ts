import type { Texts } from './language-texts.ts';

/** The texts of what opens later; languages.ts has the first ones. */
const ours: Record<string, () => Promise<{ default: Record<string, string> }>> = {
  en: () => import('virtual:texts/rest-en'),
  fr: () => import('virtual:texts/rest-fr'),
  'zh-Hans': () => import('virtual:texts/rest-zh-Hans'),
};

/** Those that belong to these. */
export async function restOf({ lang, above }: Texts): Promise<Texts> {
  const below = above?.lang ?? lang;
  const rest = { lang: below, by: (await ours[below]?.())?.default ?? {} };
  return above?.put(rest) ?? rest;
}
