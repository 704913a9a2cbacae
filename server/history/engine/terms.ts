import { folded, foldingVersion } from '../../text/folding.ts';
import type { Row } from '../records/columns.ts';
import { pairsOf, searchPairs } from '../records/text-keys.ts';

/**
 * The terms of the search indexes. A row of an index is a term in a block of consecutive messages of a room. Most terms
 * recur within a block, so a message adds a few rows instead of one per character. A search reads only rows of rooms
 * that the asker may read, so it does not reveal activity in other rooms.
 */

/** The version of the terms. It changes with the folding, and with what else they are made of. */
export const termsVersion = foldingVersion + 2;

/** What the search indexes contain of a message. A deleted message has nothing in them. */
export interface Indexed {
  text: string;
  /** The ID of the author. */
  author: string;
}

export const nothingIndexed: Indexed = { text: '', author: '' };

/** Returns what the indexes contain of a row of `chat_messages`. */
export const indexedFrom = ({ text, user_id, deleted_at }: Row): Indexed =>
  deleted_at === null ? { text: text as string, author: user_id as string } : nothingIndexed;

/** Maximum terms of a query that are looked up in the index. The text of each candidate is checked anyway. */
const mostTerms = 12;

/** Adds the terms of a message, which are hashes of its author, and of its text's pairs of characters and characters. */
export function addTerms(terms: Set<number>, { text, author }: Indexed): void {
  if (author !== '') terms.add(termOfAuthor(author));
  addTermsOf(terms, folded(text));
}

/** Adds all terms that the index may have for a message, also those from before texts were folded. */
export function addFormerTerms(terms: Set<number>, message: Indexed): void {
  addTerms(terms, message);
  addTermsOf(terms, message.text.toLowerCase());
}

function addTermsOf(terms: Set<number>, form: string): void {
  for (const pair of pairsOf(form)) {
    terms.add(hash(pair));
    terms.add(hash(String.fromCodePoint(pair.codePointAt(0) as number)));
  }
}

/** Returns terms that every message by `author` (if set) whose text contains `query` (if set) has. */
export function termsOfQuery(query: string | undefined, author: string | undefined): number[] {
  const terms = new Set<number>();
  if (author !== undefined) terms.add(termOfAuthor(author));
  if (query !== undefined) {
    const wanted = searchPairs(folded(query));
    for (const word of 'pairs' in wanted ? wanted.pairs : [wanted.beginning]) terms.add(hash(word));
  }
  return [...terms].slice(0, mostTerms);
}

/** No pair of characters begins with this one, because texts do not contain it. */
const termOfAuthor = (id: string): number => hash(`\0${id}`);

/** Returns the FNV-1a hash. A collision only adds candidates, whose texts are then checked. */
function hash(word: string): number {
  let value = 0x811c9dc5;
  for (let n = 0; n < word.length; n++) value = Math.imul(value ^ word.charCodeAt(n), 0x01000193);
  return value | 0;
}
