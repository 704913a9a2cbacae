import type { ComponentChildren } from 'preact';
import type { Held, Message, Thread, User } from '../../../server/wire/events.ts';
import type { Chat } from '../chat/chat.ts';
import type { MessagePlace } from '../chat/notifications.ts';
import type { BrowserPush } from '../chat/push.ts';
import type { Entry, NewMention, SentFile } from '../store/entries.ts';
import type { Room } from '../store/room.ts';
import type { StringKey, Strings } from '../strings/strings.ts';
import type { Linked, Say } from './messages/formatted.tsx';
import type { Pane } from './panes.ts';

/** A dialog to open, and its subject. */
export type DialogRequest =
  | { readonly kind: 'create'; readonly name?: string }
  | { readonly kind: 'direct' }
  /** `failed`: who could not be invited when the room was made. */
  | { readonly kind: 'invite'; readonly room: Room; readonly failed?: readonly FailedInvitation[] }
  | { readonly kind: 'inviteLink'; readonly room: Room }
  | { readonly kind: 'restricted'; readonly room: Room }
  | { readonly kind: 'handOver'; readonly room: Room }
  | { readonly kind: 'deleteRoom'; readonly room: Room }
  | { readonly kind: 'leave'; readonly room: Room }
  | { readonly kind: 'remove'; readonly room: Room; readonly user: User }
  | { readonly kind: 'restrict'; readonly room: Room; readonly user: User; readonly how: 'mute' | 'ban' }
  | { readonly kind: 'block'; readonly user: User; readonly run: () => Promise<void> }
  | { readonly kind: 'report'; readonly message: Message }
  | { readonly kind: 'forward'; readonly message: Message }
  | { readonly kind: 'seen'; readonly message: Message }
  | { readonly kind: 'reject'; readonly held: Held }
  | { readonly kind: 'reports' }
  | { readonly kind: 'pushHelp'; readonly why: 'blocked' | 'home'; readonly mail: (() => void) | undefined }
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
  /** The text with a sign in place of each mention, and how that is shown. */
  readonly marked: string;
  readonly say: Say;
  /** Somebody else mentions the reader. */
  readonly toMe: boolean;
}

/** Actions on a message that happen in the composer. */
export interface Writing {
  reply(entry: Entry): void;
  edit(entry: Entry): void;
  /** Puts these words into the field, before what it has. */
  again(entry: Entry): void;
}

/** A menu to open, and its subject. */
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

/** Somebody in a room. */
export interface SomebodyHere {
  readonly room: Room;
  readonly user: User;
  /** A message of that person, which can be reported. */
  readonly message?: Message | undefined;
  /** Banned from the room. */
  readonly banned?: boolean;
}

export interface FailedInvitation {
  readonly user: User;
  readonly code: string;
}

/** The present text of the message that is being edited: it was changed on another device, or deleted. */
export type Clash = { readonly text: string; readonly rev: number } | 'deleted';

/** The text that is being written, for the strip above its field: an edit, a reply, or neither. */
export interface StripProps {
  readonly room: Room;
  readonly edit: { readonly clash?: Clash } | undefined;
  /** The message that it answers, which may change meanwhile: nothing of it is kept with the draft. */
  readonly replyTo: number | undefined;
  /** Written so far; empty where its link is to have no preview. */
  readonly text: string;
  /** Edits what the message says by now instead. */
  use(text: string, rev: number): void;
  cancel(): void;
  /** Takes the preview of its link away. */
  bare(): void;
}

/** Where one writes: into a room, or into a thread of it. */
export interface Place {
  readonly room: Room;
  readonly thread?: { readonly number: number } | undefined;
}

/** Under which a draft and its files are kept. */
export const keyOf = ({ room, thread }: Place): string =>
  thread === undefined ? room.id : `${room.id}/${thread.number}`;

/** The files of what is being written. */
export interface Tray {
  /** There is something to send. */
  readonly full: boolean;
  draw(): ComponentChildren;
  /** The files of the message that is sent now; undefined for none. */
  take(): SentFile[] | undefined;
}

/** Where a voice message is recorded, and what its composer knows of it. */
export interface VoicePlace extends Place {
  /** The message that it answers. */
  readonly replyTo: number | undefined;
  sent(): void;
}

export interface VoiceControls {
  /** Stands above the field. */
  readonly status?: ComponentChildren;
  /** Stands in place of the field, while there is a recording. */
  readonly row?: ComponentChildren;
  /** Stands in place of the button that sends, while there is nothing else to send. */
  readonly end: ComponentChildren;
}

/** A message, also as it is pinned or stands in the room list. */
export type Hideable = Pick<Message, 'user' | 'hidden'>;

export interface Blocking {
  /** Another one whenever something else is hidden: messages are drawn again then. */
  readonly version: number;
  has(user: string): boolean;
  set(user: User, blocked: boolean): Promise<void>;
  /** Its author is blocked. */
  isHidden(message: Hideable): boolean;
  /** It is hidden, and was not shown on request. */
  hides(message: Message): boolean;
  /** Stands in place of hidden messages in a row. */
  line(run: readonly Message[]): ComponentChildren;
}

/** What controls and dialogs need. They also appear on the moderators' page, which shows no room. */
export interface ControlContext {
  readonly chat: Pick<Chat, 'connection' | 'request'>;
  readonly strings: Strings;
  /** A finger, not a mouse: larger targets, sheets for menus, and Enter breaks the line. */
  touch(): boolean;
  /** Draws again with the next frame. */
  changed(): void;
  /** Puts a menu or sheet above everything else; without one, what is there goes. */
  layer(content?: () => ComponentChildren): void;
}

/** Every view of the chat works with this. */
export interface Context extends ControlContext {
  readonly chat: Chat;
  /** How the reader puts the chat away, where the page has something to bring it back. */
  close(): (() => void) | undefined;
  /**
   * Draws now, before this returns.
   *
   * @param opener - what opened that which closes: it gets the focus that was there
   */
  draw(opener?: Element | null): void;
  /** @param press - what the notice offers, such as to take back what was done, unless that is `over` */
  toast(
    text: string,
    kind: 'good' | 'bad',
    press?: { readonly label: StringKey; over?(): boolean; run(): void },
  ): void;
  /** Opens a room, and moves the focus there. */
  open(room: string): void;
  /** Shows a message, whichever room it is in. */
  jump(message: MessagePlace): void;
  /** Opens a menu beside what was pressed. */
  menu(request: MenuRequest, opener: HTMLElement): void;
  /** The present text of the message, if an edit was refused because of it; its code comes later. */
  clashOf(error: unknown): Clash | undefined;
  /** The buttons beside the field; their code comes later. */
  tools(): ComponentChildren;
  /** Names somebody in what is being written; its code comes later. */
  mention(user: User): void;
  /** The strip above the field: the message to reply to or edit, and the link with a preview; its code comes later. */
  strip(props: StripProps): ComponentChildren;
  /** The row of reactions under a message; its code comes later. */
  reactions(entry: Entry): ComponentChildren;
  /** The page of a message's link; its code comes later. */
  preview(entry: Entry, resize: () => void): ComponentChildren;
  /** Draws who has seen the user's newest message; its code comes later. */
  seen(message: Message): (() => ComponentChildren) | undefined;
  /** The line under the first message of a thread; its code comes later. */
  replies(thread: Thread, open: boolean, seq: number): ComponentChildren;
  /** Under which message the replies are that are shown beside that room. */
  repliesOf(room: Room): number | undefined;
  /** Shows the replies of a thread; `opener` gets the focus back. */
  showReplies(room: Room, thread: number, opener: Element | null): void;
  /** Moves the focus to the first of these elements. */
  focus(which: string): void;
  /** A message that mentions somebody; its code comes later. */
  named(entry: Entry): Named | undefined;
  /** The mentions of a text that is written there, or in place of that message. */
  mentions(place: Place, text: string, seq?: number): NewMention[] | undefined;
  /** The buttons of a message that waits for the reader's decision; their code comes later. */
  decide(held: Held): ComponentChildren;
  /** The pictures and files of a message; its code comes later. */
  files(entry: Entry): ComponentChildren;
  /** The files that are attached to the draft; their code comes later. */
  tray(place: Place): Tray | undefined;
  /** Records voice messages; undefined where that cannot be. Its code comes later. */
  voice(place: VoicePlace): VoiceControls | undefined;
  /** Attaches files; without any, asks for some. */
  attach(place: Place, files?: FileList): void;
  /**
   * Stands at the field of a room: `line` in its place, where the user may not write, or `status` above it.
   * With `wait` nothing can be sent for a moment. Its code comes later.
   */
  bar(room: Room): { line?: ComponentChildren; status?: ComponentChildren; wait?: boolean } | undefined;
  /** The people whom the reader has blocked; their code comes later. */
  blocking(): Blocking | undefined;
  /** The text shown instead of a blocked user's message. */
  instead(message: Hideable | undefined): string | undefined;
  /** A link to a message that the reader may see; its code comes later. */
  readonly linked: Linked;
  /** Moves the focus to the heading of the card in place of a room, and says it. */
  focusCard(): void;
  /** Opens a dialog. */
  dialog(request: DialogRequest): void;
  /** In place of an empty room, for somebody who has just set the chat up. */
  firstRun(): ComponentChildren;
  /** An attribute of the element. */
  attribute(name: string): string | null;
  /** Stands in place of a room where none is open; its code comes later. */
  noRoom(): ComponentChildren;
  /** Shows the rooms, or the room, where there is one pane. */
  pane(which: Pane): void;
  /** The people beside or above the timeline. */
  showPeople(): void;
  /** The settings of the room, among its details. */
  showRoomSettings(): void;
  /** The user's own settings, in place of the room. */
  showSettings(): void;
  /** Push on this device; its code comes later. */
  push(): BrowserPush | undefined;
  /** The offer of notifications behind these messages; its code comes later. */
  offer(entries: readonly Entry[]): ComponentChildren;
  /** Looks for messages of the room, where the bar above them has no button for it. */
  searchInMenu(): (() => void) | undefined;
}
