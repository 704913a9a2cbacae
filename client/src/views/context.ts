import type { ComponentChildren } from 'preact';
import type { Message, User } from '../../../server/events.ts';
import type { Chat } from '../chat/chat.ts';
import type { MessagePlace } from '../chat/notifications.ts';
import type { Entry, NewMention, SentFile } from '../store/entries.ts';
import type { Room } from '../store/room.ts';
import type { Strings } from '../strings/strings.ts';
import type { Say } from './messages/formatted.tsx';
import type { Pane } from './panes.ts';

/** What a dialog is about. */
export type DialogRequest =
  | { readonly kind: 'create'; readonly name?: string }
  | { readonly kind: 'direct' }
  /** `failed`: who could not be invited when the room was made. */
  | { readonly kind: 'invite'; readonly room: Room; readonly failed?: readonly FailedInvitation[] }
  | { readonly kind: 'settings'; readonly room: Room }
  | { readonly kind: 'leave'; readonly room: Room }
  | { readonly kind: 'remove'; readonly room: Room; readonly user: User }
  | { readonly kind: 'restrict'; readonly room: Room; readonly user: User; readonly how: 'mute' | 'ban' }
  | { readonly kind: 'block'; readonly user: User; readonly run: () => Promise<void> }
  | { readonly kind: 'report'; readonly message: Message }
  | { readonly kind: 'reports' }
  | { readonly kind: 'delete'; readonly message: Message }
  | { readonly kind: 'select'; readonly text: string }
  | {
      readonly kind: 'describe';
      readonly source: Blob | undefined;
      readonly alt: string;
      save(alt: string): void;
    };

/** A message that mentions somebody, with the names of now. */
export interface Named {
  readonly text: string;
  /** The text with a sign in place of each mention, and how that is shown. */
  readonly marked: string;
  readonly say: Say;
  /** Somebody else mentions the reader. */
  readonly toMe: boolean;
}

/** What is done with a message in the composer. */
export interface Writing {
  reply(entry: Entry): void;
  edit(entry: Entry): void;
}

/** What a menu is about. */
export type MenuRequest =
  | { readonly kind: 'add' }
  | { readonly kind: 'room'; readonly room: Room }
  /** `key`: does at once what that key of the menu does. */
  | {
      readonly kind: 'message';
      readonly entry: Entry;
      readonly writing: Writing;
      readonly key?: string | undefined;
    };

export interface FailedInvitation {
  readonly user: User;
  readonly code: string;
}

/** What the message that is being edited says by now: somebody changed it on another device, or it was deleted. */
export type Clash = { readonly text: string; readonly rev: number } | 'deleted';

/** What is written: an edit, a reply, or neither. */
export interface Stripped {
  readonly room: Room;
  readonly edit: { readonly clash?: Clash } | undefined;
  /** The message that it answers, which may change meanwhile: nothing of it is kept with the draft. */
  readonly replyTo: number | undefined;
  /** Edits what the message says by now instead. */
  use(text: string, rev: number): void;
  cancel(): void;
}

/** The files of what is being written. */
export interface Tray {
  /** There is something to send. */
  readonly full: boolean;
  draw(): ComponentChildren;
  /** What goes with the message that is sent now; undefined for nothing. */
  take(): SentFile[] | undefined;
}

export interface Blocking {
  has(user: string): boolean;
  set(user: User, blocked: boolean): Promise<void>;
  /** What stands in place of what somebody said last, if that is hidden. */
  instead(user: User | undefined): string | undefined;
  /** What stands in place of a hidden message. */
  line(entry: Entry): ComponentChildren;
}

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
  /**
   * Draws now, before this returns.
   *
   * @param opener - what opened that which closes: it gets the focus that was there
   */
  draw(opener?: Element | null): void;
  toast(text: string, kind: 'good' | 'bad'): void;
  /** Opens a room, and moves the focus there. */
  open(room: string): void;
  /** Shows a message, whichever room it is in. */
  jump(message: MessagePlace): void;
  /** Puts a menu or sheet above everything else; without one, what is there goes. */
  layer(content?: () => ComponentChildren): void;
  /** Opens a menu beside what was pressed. */
  menu(request: MenuRequest, opener: HTMLElement): void;
  /** What has come between an edit and its message; its code comes later. */
  clashOf(error: unknown): Clash | undefined;
  /** What stands beside the field; its code comes later. */
  tools(): ComponentChildren;
  /** Names somebody in what is being written; its code comes later. */
  mention(user: User): void;
  /** What one replies to or edits, above the field; its code comes later. */
  strip(stripped: Stripped): ComponentChildren;
  /** The row of reactions under a message; its code comes later. */
  reactions(entry: Entry): ComponentChildren;
  /** Whom a message mentions; its code comes later. */
  named(entry: Entry): Named | undefined;
  /** Whom a text mentions that is written into a room, or in place of that message. */
  mentions(room: Room, text: string, seq?: number): NewMention[] | undefined;
  /** The pictures and files of a message; its code comes later. */
  files(entry: Entry): ComponentChildren;
  /** What is attached to what is being written; its code comes later. */
  tray(room: Room): Tray | undefined;
  /** Attaches files; without any, asks for some. */
  attach(room: Room, files?: FileList): void;
  /**
   * What stands about the field of a room: `line` in place of it, where one may not write, or `status` above it. With
   * `wait` nothing can be sent for a moment. Its code comes later.
   */
  bar(room: Room): { line?: ComponentChildren; status?: ComponentChildren; wait?: boolean } | undefined;
  /** Whom the reader has blocked; its code comes later. */
  blocking(): Blocking | undefined;
  /** Opens a dialog. */
  dialog(request: DialogRequest): void;
  /** In place of an empty room, for somebody who has just set the chat up. */
  firstRun(): ComponentChildren;
  /** What the page says on the element. */
  attribute(name: string): string | null;
  /** What stands in place of a room where none is open; its code comes later. */
  noRoom(): ComponentChildren;
  /** Shows the rooms, or the room, where there is one pane. */
  pane(which: Pane): void;
  /** The people beside or above the timeline. */
  showPeople(): void;
  /** Looks for messages of the room, where the bar above them has no button for it. */
  searchInMenu(): (() => void) | undefined;
}
