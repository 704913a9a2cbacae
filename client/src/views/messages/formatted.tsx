import type { ComponentChildren } from 'preact';
import { type Block, blocks, type Inline, said, words } from '../../../../server/text/format.ts';

/** Returns how to show and open a link that leads into the chat. Undefined for any other link. */
export type Linked = (href: string) => { readonly text: string; open(): void } | undefined;
/** Renders a piece of text, with `code` as plain words. */
export type Say = (text: string, code?: boolean) => ComponentChildren;

/**
 * Renders the text of a message, with `end` after the last word, and `codeHead` above code. After about `most` nodes the rest becomes plain text,
 * because three characters can make two elements.
 */
export function formatted(
  text: string,
  most: number,
  end: ComponentChildren,
  say: Say = (piece) => piece,
  linked: Linked = () => undefined,
  codeHead: (language: string | undefined) => ComponentChildren = () => false,
) {
  const all = blocks(text);
  let left = most;

  /** `rest` renders the pieces beyond the limit as one. */
  const within = <T,>(
    pieces: readonly T[],
    show: (piece: T, n: number) => ComponentChildren,
    rest: (pieces: readonly T[]) => ComponentChildren,
  ): ComponentChildren[] => {
    const shown: ComponentChildren[] = [];
    for (const piece of pieces) {
      const n = shown.length;
      if (left <= 0) return [...shown, rest(pieces.slice(n))];
      left -= 2;
      shown.push(show(piece, n));
    }
    return shown;
  };
  const inlines = (pieces: readonly Inline[]) => within(pieces, inline, (rest) => say(said(rest)));

  function inline(piece: Inline): ComponentChildren {
    if (typeof piece === 'string') return say(piece);
    if ('code' in piece) return <code>{say(piece.code, true)}</code>;
    if ('mark' in piece) {
      const inside = inlines(piece.inline);
      return piece.mark === 'strong' ? <strong>{inside}</strong> : <em>{inside}</em>;
    }
    const inside = linked(piece.href);
    if (inside !== undefined) return <MessageLink href={piece.href} {...inside} />;
    return (
      <a
        href={piece.href}
        rel="noopener noreferrer nofollow ugc"
        target="_blank"
        title={piece.host}
        tabIndex={-1}
      >
        {say(piece.shown, true)}
      </a>
    );
  }

  function shown(block: Block, key: number) {
    const after = key === all.length - 1 && end;
    if (block.kind === 'code') {
      return [
        <div class={block.language ? 'code-box named' : 'code-box'} key={key}>
          {codeHead(block.language)}
          {/* `Roving` makes it a tab stop with its message, so that the keyboard can scroll it. */}
          <pre class="code" tabIndex={-1}>
            <code>{say(block.text, true)}</code>
          </pre>
        </div>,
        after && (
          <p class="text" key="end">
            {after}
          </p>
        ),
      ];
    }
    if (block.kind !== 'list') {
      return (
        <p class={block.kind === 'quote' ? 'text q' : 'text'} dir="auto" key={key}>
          {inlines(block.inline)}
          {after}
        </p>
      );
    }
    const { start, items } = block;
    const List = start === undefined ? 'ul' : 'ol';
    return (
      // The direction of a list decides on which side its markers are.
      <List class="text" dir="auto" start={start} key={key}>
        {within(
          items,
          (item, n) => (
            <li key={n}>
              {inlines(item)}
              {n === items.length - 1 && after}
            </li>
          ),
          (rest) => (
            <li class="rest" key="rest">
              {say(words([{ ...block, start: start && start + items.length - rest.length, items: rest }]))}
              {after}
            </li>
          ),
        )}
      </List>
    );
  }

  return within(all, shown, (rest) => (
    <p class="text" key="rest">
      {say(words(rest))}
      {end}
    </p>
  ));
}

/** A plain click stays in the chat. With a modifier key it opens another tab, like any link. */
function MessageLink({ href, text, open }: { href: string; text: string; open(): void }) {
  const press = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    open();
  };
  return (
    <a class="mention" href={href} rel="noopener" target="_blank" tabIndex={-1} onClick={press}>
      <bdi>{text}</bdi>
    </a>
  );
}
