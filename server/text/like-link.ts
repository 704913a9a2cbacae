import { filterForm, maybeBlank } from './filter.ts';

/** Addresses, wherever they start: at the end a host with a path or a port. */
const LIKE_LINK =
  /:\/\/|mailto:|www[.。]\S|[^\s@]@[^\s@]+\.[^\s.]|(?:[\p{L}\p{N}]\.\p{L}[\p{L}\p{N}-]{1,62}|(?<!\d)(?:\d{1,3}\.){3}\d{1,3})(?:\/|:\d)/iu;

/**
 * Whether a program may make a part of the text a link. Finds all that `links` finds in any part of the text, because
 * clients split it at their formatting, and what other apps and mail programs find.
 */
export const mayHaveLink = (text: string): boolean =>
  LIKE_LINK.test(text) || LIKE_LINK.test(filterForm(text).replaceAll(maybeBlank, ''));
