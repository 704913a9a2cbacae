import type { ComponentChildren, RefObject } from 'preact';
import { Icon } from './icon.tsx';

interface Props {
  readonly label: string;
  readonly query: string;
  readonly field?: RefObject<HTMLInputElement | null>;
  /** After the field, such as the key that leads to it. */
  readonly children?: ComponentChildren;
  typed(query: string): void;
  pressed(event: KeyboardEvent): void;
}

/** Above a long list: finds by name. */
export function FilterField({ label, query, field, children, typed, pressed }: Props) {
  return (
    <div class="filter">
      <Icon name="search" size="s" />
      <input
        class="input"
        type="search"
        aria-label={label}
        placeholder={label}
        autocomplete="off"
        value={query}
        {...(field && { ref: field })}
        onInput={(event) => typed(event.currentTarget.value)}
        onKeyDown={pressed}
      />
      {children}
    </div>
  );
}
