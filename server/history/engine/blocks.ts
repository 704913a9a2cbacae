import type { Value } from '../records/columns.ts';
import { type Asking, type Dialect, type FormerText, type Statements, sql } from './dialect.ts';
import { addFormerTerms } from './terms.ts';

/** Messages of one block of the search index. Blocks do not span rooms. */
export const blockSize = 128;

/**
 * Messages of one part of a block. A term has a bit for each part, so that a search reads only messages near those that
 * have all terms, and each row stays small.
 */
const partSize = 4;
/** The bits of all parts. */
export const allParts = -1;

/** Returns the bit of the part of a message. */
export const partOf = (seq: number): number => 1 << (((seq - 1) % blockSize) / partSize);

/** Returns the `seq` of each message of these parts of a block. */
export function seqsOf(block: number, parts: number): number[] {
  const seqs = Array.from({ length: blockSize }, (_, n) => block * blockSize + n + 1);
  return seqs.filter((seq) => (parts & partOf(seq)) !== 0);
}

/** Terms of one statement. */
const termsPerStatement = 1000;

export const blockOf = (seq: number): number => Math.floor((seq - 1) / blockSize);

/**
 * Removes the terms of former texts from the search index. Other messages of these blocks may have the same terms, so
 * the blocks are indexed again.
 */
export function* outdateBlocks(
  dialect: Dialect,
  transaction: Statements,
  former: readonly FormerText[],
): Asking<void> {
  const blocks = dialect.among(
    ['room', 'block'],
    former.map(({ room, seq }) => [room, blockOf(seq)]),
  );
  const { length } = yield* transaction.query(sql`SELECT room FROM chat_blocks WHERE ${blocks}`);
  if (length === 0) return;
  transaction.later(sql`UPDATE chat_blocks SET stale = 1 WHERE ${blocks}`);
  const rows = former.flatMap(({ room, seq, ...indexed }): Value[][] => {
    const terms = new Set<number>();
    addFormerTerms(terms, indexed);
    return [...terms].map((term) => [room, term, blockOf(seq)]);
  });
  for (let n = 0; n < rows.length; n += termsPerStatement) {
    const some = dialect.among(['room', 'term', 'block'], rows.slice(n, n + termsPerStatement));
    transaction.later(sql`DELETE FROM chat_terms WHERE ${some}`);
  }
}
