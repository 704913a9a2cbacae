import type { ComponentChildren } from 'preact';
import type { ControlContext } from '../views/context.ts';
import type { Desk } from './desk.ts';
import type { PagePlace } from './place.ts';

/** What every view of the moderators' page needs. */
export interface DeskContext extends ControlContext {
  readonly chat: Desk;
  /** Whether the list and the chosen item fit next to each other. */
  wide(): boolean;
  place(): PagePlace;
  /** Shows a place, and renders before this returns. With `instead`, Back does not lead to the previous place. */
  go(place: PagePlace, how?: 'instead'): void;
  /** Goes from the chosen item back to its list. */
  back(): void;
  dialog(content: (close: () => void) => ComponentChildren): void;
  /** @param press - the button of the toast, which closes at `until` (Unix ms) */
  toast(
    text: string,
    kind: 'good' | 'bad',
    press?: { readonly label: string; readonly until?: number; run(): void },
  ): void;
  /** Announces a text to screen readers. */
  say(text: string): void;
  /** Moves the focus to the heading of the chosen item. */
  focusDetail(): void;
  /** Whether keyboard shortcuts are on. */
  keys(): boolean;
  /** Returns an attribute of the element. */
  attribute(name: string): string | null;
}
