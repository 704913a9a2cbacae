import type { ComponentChildren } from 'preact';
import type { Chat } from '../chat.ts';
import type { Strings } from '../strings.ts';

/** What every view works with. */
export interface Context {
  readonly chat: Chat;
  readonly strings: Strings;
  /** A finger, not a mouse: larger targets, sheets for menus, and Enter breaks the line. */
  touch(): boolean;
  /** How the reader puts the chat away, where the page has something to bring it back. */
  close(): (() => void) | undefined;
  /** Draws again with the next frame. */
  changed(): void;
  /** Draws now, before this returns. */
  draw(): void;
  toast(text: string, kind: 'good' | 'bad'): void;
  /** Opens a room, and moves the focus there. */
  open(room: string): void;
  /** Puts a menu or sheet above everything else; without one, what is there goes. */
  layer(content?: () => ComponentChildren): void;
}
