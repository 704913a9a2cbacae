import type { RefObject } from 'preact';
import { Icon } from './icon.tsx';

/** The maximum length of a query (docs/protocol.md). */
const LONGEST = 100;

interface Props {
  readonly label: string;
  readonly query: string;
  readonly field?: RefObject<HTMLInputElement | null>;
  typed(query: string): void;
  pressed?(event: KeyboardEvent): void;
}

/** The field above a list that searches or filters it. */
export function FilterField({ label, query, field, typed, pressed }: Props) {
  return (
    <div class="filter">
      <Icon name="search" size="s" />
      <input
        class="input"
        type="search"
        aria-label={label}
        placeholder={label}
        autocomplete="off"
        maxLength={LONGEST}
        value={query}
        ref={field}
        onInput={(event) => typed(event.currentTarget.value)}
        onKeyDown={pressed}
      />
    </div>
  );
}
