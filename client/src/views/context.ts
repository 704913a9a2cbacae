import type { Chat } from '../chat.ts';
import type { Strings } from '../strings.ts';
import type { Attributes } from './h.ts';

/** What every view works with. */
export interface Context {
  readonly chat: Chat;
  readonly strings: Strings;
  /** A finger, not a mouse: larger targets, sheets for menus, and Enter breaks the line. */
  touch(): boolean;
  /** Draws again with the next frame. */
  changed(): void;
  toast(text: string, kind: 'good' | 'bad'): void;
  /** Opens a room, and moves the focus there. */
  open(room: string): void;
  /** Puts a menu or sheet above everything else. */
  layer(...elements: Element[]): void;
}

export type { Attributes };
