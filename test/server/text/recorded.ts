import { links } from '../../../server/text/links.ts';
import { shapes } from './shapes.ts';

/** Returns what `test/vectors/text/recorded.json` says of a text: its links, and its blocks. */
export const recorded = (text: string) => [
  links(text).flatMap((piece) =>
    typeof piece === 'string' ? [] : [[piece.text, piece.href, piece.host, piece.shown]],
  ),
  shapes(text),
];
