import type { ComponentChildren } from 'preact';
import type { ControlContext } from '../views/context.ts';
import type { Desk } from './desk.ts';
import type { PagePlace } from './place.ts';

/** Every view of the moderators' page works with this. */
export interface DeskContext extends ControlContext {
  readonly chat: Desk;
  /** There is room for the list and what is chosen in it, beside each other. */
  wide(): boolean;
  /** What is shown. */
  place(): PagePlace;
  /** Shows that, and draws before this returns. `instead`: Back does not lead to what was shown before. */
  go(place: PagePlace, how?: 'instead'): void;
  /** Leads from what was chosen back to its list. */
  back(): void;
  /** Opens a dialog. */
  dialog(content: (close: () => void) => ComponentChildren): void;
  /** @param press - what the notice offers, perhaps until then */
  toast(
    text: string,
    kind: 'good' | 'bad',
    press?: { readonly label: string; readonly until?: number; run(): void },
  ): void;
  /** For those who hear it. */
  say(text: string): void;
  /** Moves the focus to the heading of what is chosen. */
  focusDetail(): void;
  /** Keys do something. */
  keys(): boolean;
  /** An attribute of the element. */
  attribute(name: string): string | null;
}
