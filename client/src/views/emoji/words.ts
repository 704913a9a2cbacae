/** By what each emoji is found: in the language of the interface, and in English. */
export async function wordsIn(locale: string): Promise<string[]> {
  const english = import('virtual:emoji/words-en');
  const own = locale.startsWith('fr')
    ? import('virtual:emoji/words-fr')
    : locale.startsWith('zh')
      ? import('virtual:emoji/words-zh')
      : undefined;
  const [theirs, words] = await Promise.all([english, own]);
  const lines = theirs.default.split('\n');
  if (words === undefined) return lines;
  return words.default.split('\n').map((line, n) => `${line},${lines[n] ?? ''}`);
}
