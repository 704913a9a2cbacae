import type { Context } from '../context.ts';
import { Icon, IconButton } from '../controls/icon.tsx';
import type { Hits } from './search.tsx';

interface Props {
  readonly context: Context;
  readonly hits: Hits;
  /** The index of the hit that is shown. */
  readonly at: number;
  go(at: number): void;
  end(): void;
}

/** The position among the hits of a search, with buttons for the next and the previous hit. */
export function Walk({ context: { strings }, hits: { query, messages, more }, at, go, end }: Props) {
  const total = `${strings.number(messages.length)}${more ? '+' : ''}`;
  const step = (name: 'next' | 'previous', to: number) => (
    <button
      type="button"
      class="icon"
      aria-label={strings.text(`search.${name}`)}
      aria-disabled={messages[to] === undefined || undefined}
      onClick={() => messages[to] !== undefined && go(to)}
    >
      <Icon name={name === 'next' ? 'up' : 'fold'} />
    </button>
  );
  return (
    <section class="pins walk" aria-label={strings.text('search.heading')}>
      <Icon name="search" size="s" />
      <span dir="auto">{query}</span>
      <small role="status">{strings.text('search.position', { n: strings.number(at + 1), total })}</small>
      {/* Older messages are further up. */}
      {step('next', at + 1)}
      {step('previous', at - 1)}
      <IconButton name="close" label={strings.text('search.end')} press={end} />
    </section>
  );
}
