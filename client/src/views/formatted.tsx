import type { ComponentChildren } from 'preact';
import { type Block, blocks, type Inline } from '../text/format.ts';

/** Says how a piece of text is shown; `code`: as words alone. */
export type Say = (text: string, code?: boolean) => ComponentChildren;

/** A message's text as elements; `end` follows its last word. */
export function formatted(text: string, end: ComponentChildren, say: Say = (piece) => piece) {
  const all = blocks(text);
  return all.map((block, n) => shown(block, n, n === all.length - 1 ? end : undefined, say));
}

function shown(block: Block, key: number, end: ComponentChildren, say: Say) {
  const inlines = (pieces: readonly Inline[]) => pieces.map((piece) => inline(piece, say));
  if (block.kind === 'code') {
    return [
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what is cut off at its end is reached by keyboard, too.
      <pre class="code" tabIndex={0} key={key}>
        <code>{say(block.text, true)}</code>
      </pre>,
      end && (
        <p class="text" key="end">
          {end}
        </p>
      ),
    ];
  }
  if (block.kind !== 'list') {
    return (
      <p class={block.kind === 'quote' ? 'text q' : 'text'} key={key}>
        {inlines(block.inline)}
        {end}
      </p>
    );
  }
  const List = block.start === undefined ? 'ul' : 'ol';
  return (
    <List class="text" start={block.start} key={key}>
      {block.items.map((item, n) => (
        <li key={n}>
          {inlines(item)}
          {n === block.items.length - 1 && end}
        </li>
      ))}
    </List>
  );
}

function inline(piece: Inline, say: Say): ComponentChildren {
  if (typeof piece === 'string') return say(piece);
  if ('code' in piece) return <code>{say(piece.code, true)}</code>;
  if ('mark' in piece) {
    const inside = piece.inline.map((one) => inline(one, say));
    return piece.mark === 'strong' ? <strong>{inside}</strong> : <em>{inside}</em>;
  }
  return (
    <a
      href={piece.href}
      rel="noopener noreferrer nofollow ugc"
      target="_blank"
      title={piece.host}
      tabIndex={-1}
    >
      {say(piece.text, true)}
    </a>
  );
}
