import words from 'virtual:emoji/words';

/** Loads the search words of each emoji in the language of the interface and in English. */
export async function wordsIn(locale: string): Promise<string[]> {
  const [lang = ''] = locale.split('-');
  const [english, own] = await Promise.all([words.en?.(), lang === 'en' ? undefined : words[lang]?.()]);
  const lines = english?.default.split('\n') ?? [];
  return own === undefined ? lines : own.default.split('\n').map((line, n) => `${line},${lines[n] ?? ''}`);
}
