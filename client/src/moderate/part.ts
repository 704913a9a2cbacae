import type { ComponentChildren } from 'preact';

/** A part of the page: a list with what is chosen in it, or one pane. */
export interface Part {
  /** It is shown from now on. */
  open?(): void;
  /** Over a new connection, or with other rights, while it is shown. */
  ready?(): void;
  draw(): Drawn;
  /** Does what that key does here; false if it does nothing. */
  key?(key: string): boolean;
  /** Moves the focus to the field that finds something. */
  find?(): void;
  /** The session may be over. */
  clear(): void;
}

export type Drawn =
  | {
      readonly list: ComponentChildren;
      /** The chosen one, and its name. */
      readonly detail?: ComponentChildren;
      readonly label: string;
      /** Stands there as long as nothing is chosen. */
      readonly blank?: ComponentChildren;
    }
  | { readonly whole: ComponentChildren };
