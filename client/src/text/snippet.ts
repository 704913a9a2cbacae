import { plain } from './format.ts';

/** The most characters before and after a hit: two lines then show it. */
const BEFORE = 60;
const AFTER = 200;

export interface Snippet {
  readonly before: string;
  readonly found: string;
  readonly after: string;
}

/**
 * The part of a message in which the query stands, without regard to case and without the signs that format it; its
 * beginning if the query is not found as it is.
 */
export function snippet(text: string, query: string): Snippet {
  const line = plain(text).replace(/\s+/gu, ' ').toWellFormed();
  const wanted = query.trim().replace(/\s+/gu, ' ');
  const match = wanted === '' ? null : new RegExp(escaped(wanted), 'iu').exec(line);
  if (match === null) return { before: line.slice(0, BEFORE + AFTER).toWellFormed(), found: '', after: '' };
  const { index: at, 0: found } = match;
  // At a word's beginning, if there is one near.
  const from = at <= BEFORE ? 0 : Math.max(at - BEFORE, line.lastIndexOf(' ', at - BEFORE / 2) + 1);
  return {
    before: `${from > 0 ? '…' : ''}${line.slice(from, at)}`.toWellFormed(),
    found,
    after: line.slice(at + found.length, at + found.length + AFTER).toWellFormed(),
  };
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
