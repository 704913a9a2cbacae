import { findFolded } from '../../../server/text/folding.ts';
import { plain } from '../../../server/text/format.ts';

/** The maximum number of characters before and after a hit, so that it is visible in two lines. */
const BEFORE = 60;
const AFTER = 200;

export interface Snippet {
  readonly before: string;
  readonly found: string;
  readonly after: string;
}

/**
 * Returns the part of a message that contains the query, without formatting signs. Returns the beginning if the message
 * without these signs does not contain the query.
 */
export function snippet(text: string, query: string): Snippet {
  const line = plain(text).replace(/\s+/gu, ' ').toWellFormed();
  const wanted = query.trim();
  const match = wanted === '' ? undefined : findFolded(line, wanted);
  if (match === undefined)
    return { before: line.slice(0, BEFORE + AFTER).toWellFormed(), found: '', after: '' };
  const { start: at, end } = match;
  // Starts at the beginning of a word, if one is near.
  const from = at <= BEFORE ? 0 : Math.max(at - BEFORE, line.lastIndexOf(' ', at - BEFORE / 2) + 1);
  return {
    before: `${from > 0 ? '…' : ''}${line.slice(from, at)}`.toWellFormed(),
    found: line.slice(at, end),
    after: line.slice(end, end + AFTER).toWellFormed(),
  };
}
