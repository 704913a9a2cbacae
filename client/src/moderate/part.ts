import type { ComponentChildren } from 'preact';

/** A part of the page, which is either a list with a chosen item, or a single pane. */
export interface Part {
  /** The part is now shown. */
  open?(): void;
  /** While the part is shown, a new connection is ready or the user's rights have changed. */
  ready?(): void;
  draw(): Drawn;
  /** Handles a shortcut. Returns false if the shortcut has no action here. */
  key?(key: string): boolean;
  /** Moves the focus to the search field. */
  find?(): void;
  /** Removes all data, because the session may be over. */
  clear(): void;
}

export type Drawn =
  | {
      readonly list: ComponentChildren;
      /** The chosen item. `label` is its name. */
      readonly detail?: ComponentChildren;
      readonly label: string;
      /** Shown while no item is chosen. */
      readonly blank?: ComponentChildren;
    }
  | { readonly whole: ComponentChildren };
