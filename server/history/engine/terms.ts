import { folded } from '../../text/folding.ts';
import { pairsOf, searchPairs } from '../records/text-keys.ts';

/**
 * The terms of the search indexes. A row of an index is a term in a block of consecutive messages of a room. Most terms
 * recur within a block, so a message adds a few rows instead of one per character. A search reads only rows of rooms
 * that the asker may read, so it does not reveal activity in other rooms.
 */

/** Maximum terms of a query that are looked up in the index. The text of each candidate is checked anyway. */
const mostTerms = 12;

/** Adds the terms of a text, which are hashes of its pairs of characters and of its single characters. */
export function addTerms(terms: Set<number>, text: string): void {
  addTermsOf(terms, folded(text));
}

/** Adds all terms that the index may have for a text, also those from before texts were folded. */
export function addFormerTerms(terms: Set<number>, text: string): void {
  addTerms(terms, text);
  addTermsOf(terms, text.toLowerCase());
}

function addTermsOf(terms: Set<number>, form: string): void {
  for (const pair of pairsOf(form)) {
    terms.add(hash(pair));
    terms.add(hash(String.fromCodePoint(pair.codePointAt(0) as number)));
  }
}

/** Returns terms of the query, which every text that contains the query has. */
export function termsOfQuery(query: string): number[] {
  const wanted = searchPairs(folded(query));
  const words = 'pairs' in wanted ? wanted.pairs : [wanted.beginning];
  return [...new Set(words.map(hash))].slice(0, mostTerms);
}

/** Returns the FNV-1a hash. A collision only adds candidates, whose texts are then checked. */
function hash(word: string): number {
  let value = 0x811c9dc5;
  for (let n = 0; n < word.length; n++) value = Math.imul(value ^ word.charCodeAt(n), 0x01000193);
  return value | 0;
}
