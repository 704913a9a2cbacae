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
 * Returns the part of a message that contains the query, ignoring case and without formatting signs. Returns the
 * beginning if the message does not contain the query literally.
 */
export function snippet(text: string, query: string): Snippet {
  const line = plain(text).replace(/\s+/gu, ' ').toWellFormed();
  const wanted = query.trim().replace(/\s+/gu, ' ');
  const match = wanted === '' ? null : new RegExp(escaped(wanted), 'iu').exec(line);
  if (match === null) return { before: line.slice(0, BEFORE + AFTER).toWellFormed(), found: '', after: '' };
  const { index: at, 0: found } = match;
  // Starts at the beginning of a word, if one is near.
  const from = at <= BEFORE ? 0 : Math.max(at - BEFORE, line.lastIndexOf(' ', at - BEFORE / 2) + 1);
  return {
    before: `${from > 0 ? '…' : ''}${line.slice(from, at)}`.toWellFormed(),
    found,
    after: line.slice(at + found.length, at + found.length + AFTER).toWellFormed(),
  };
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
