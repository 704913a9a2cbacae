import { blocks, type Inline } from '../../../server/text/format.ts';

/** Writes pieces as text: code in angle brackets, bold in square ones, italic in braces. */
const shape = (inline: readonly Inline[]): string =>
  inline
    .map((piece) => {
      if (typeof piece === 'string') return piece;
      if ('code' in piece) return `<${piece.code}>`;
      if (!('mark' in piece)) return piece.text;
      const inside = shape(piece.inline);
      return piece.mark === 'strong' ? `[${inside}]` : `{${inside}}`;
    })
    .join('');

/** Returns the blocks of a text as the vectors write them. */
export const shapes = (text: string) =>
  blocks(text).map((block) => {
    if (block.kind === 'code') return ['`', block.text];
    if (block.kind === 'list') return [block.start ?? '-', ...block.items.map(shape)];
    return block.kind === 'quote' ? ['>', shape(block.inline)] : shape(block.inline);
  });
