import { pairsOf, searchPairs } from './text-keys.ts';

/**
 * The terms of the indexes for searching. Each index holds them by room and block: so many messages of a room together.
 * Most pairs of characters return in a block, so it takes a few rows a message, where one by message would take as many as
 * the text has characters. No search looks at a row of a room that the asker may not read, so nothing is learnt of it.
 */

/** A longer query asks the index for so many of its terms: each text that is found is looked at anyway. */
const mostTerms = 12;

/** A text is found by its pairs of characters and by each character, as numbers of 32 bits. */
export function addTerms(terms: Set<number>, text: string): void {
  for (const pair of pairsOf(text)) {
    terms.add(hash(pair));
    terms.add(hash(String.fromCodePoint(pair.codePointAt(0) as number)));
  }
}

/** Terms that each text has in which the query is found. */
export function termsOfQuery(query: string): number[] {
  const wanted = searchPairs(query);
  const words = 'pairs' in wanted ? wanted.pairs : [wanted.beginning];
  return [...new Set(words.map(hash))].slice(0, mostTerms);
}

/** FNV-1a. Two that are the same by chance cost a look at the texts. */
function hash(word: string): number {
  let value = 0x811c9dc5;
  for (let n = 0; n < word.length; n++) value = Math.imul(value ^ word.charCodeAt(n), 0x01000193);
  return value | 0;
}
