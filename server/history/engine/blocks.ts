import type { Value } from '../records/columns.ts';
import { type Asking, type Dialect, type FormerText, type Statements, sql } from './dialect.ts';
import { addFormerTerms } from './terms.ts';

/** Messages of one block of the search index. Blocks do not span rooms. */
export const blockSize = 128;

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
