import type { ComponentChildren } from 'preact';
import type { Held, Message, Thread, User } from '../../../server/wire/events.ts';
import type { Chat } from '../chat/chat.ts';
import type { MessagePlace } from '../chat/notifications.ts';
import type { BrowserPush } from '../chat/push.ts';
import type { Questions } from '../chat/questions.ts';
import type { Entry, NewContent, NewMention } from '../store/entries.ts';
import type { Room } from '../store/room.ts';
import type { Note } from '../store/timeline-blocks.ts';
import type { StringKey, Strings } from '../strings/strings.ts';
import type { Look } from './look.ts';
import type { Linked, Say } from './messages/formatted.tsx';
import type { Pane } from './panes.ts';

/** A dialog to open, and its subject. */
export type DialogRequest =
  | { readonly kind: 'create'; readonly name?: string }
  | { readonly kind: 'direct' }
  | { readonly kind: 'switch' }
  /** `day`: Unix ms within the day to begin with. */
  | { readonly kind: 'day'; readonly room: Room; readonly day: number }
  | { readonly kind: 'keys' }
  | { readonly kind: 'ask' }
  | { readonly kind: 'note'; readonly room: Pick<Room, 'id'> }
  | { readonly kind: 'snippets' }
  /** `failed`: users who could not be invited when the room was created. */
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
  | {
      readonly kind: 'poll';
      readonly room: Room;
      readonly event: boolean;
      readonly text?: string;
      readonly options?: readonly string[];
      sent?(): void;
    }
  | { readonly kind: 'reports' }
  /** Asks for a time. `title` also labels the button. */
  | { readonly kind: 'later'; readonly title: string; readonly schedule: (at: number) => Promise<void> }
  | { readonly kind: 'scheduled' }
  | { readonly kind: 'pushHelp'; readonly why: 'blocked' | 'home'; readonly mail: (() => void) | undefined }
  | { readonly kind: 'delete'; readonly message: Message }
  | { readonly kind: 'select'; readonly text: string }
  | {
      readonly kind: 'describe';
      readonly source: Blob | undefined;
      readonly alt: string;
      save(alt: string): void;
    };

/** A message that mentions users, with their current names. */
export interface Named {
  /** The text with a placeholder for each mention, and how to render a piece of it. */
  readonly marked: string;
  readonly say: Say;
  /** Whether another user mentions the reader. */
  readonly toMe: boolean;
}

/** Actions on a message that happen in the composer. */
export interface Writing {
  reply(entry: Entry): void;
  edit(entry: Entry): void;
  /** Puts the text of the entry into the field, before the current text. */
  again(entry: Entry): void;
}

/** A message in a thread to show, or to reply to. */
export type ReplyTarget = { readonly seq: number } | { readonly reply: Entry };

/** A menu to open, and its subject. */
export type MenuRequest =
  | { readonly kind: 'add' }
  | { readonly kind: 'room'; readonly room: Room }
  /** What can be added to a draft. `picked` is called after files were picked. */
  | { readonly kind: 'attach'; readonly place: Place; picked(): void }
  /** A room in the list, which may not be open. `at`: the position of a right-click. */
  | {
      readonly kind: 'row';
      readonly room: Room;
      readonly at?: { readonly x: number; readonly y: number } | undefined;
    }
  /** `key` runs the item with this key instead of opening the menu. `at`: the position of a right-click. */
  | {
      readonly kind: 'message';
      readonly entry: Entry;
      readonly writing: Writing;
      readonly key?: string | undefined;
      readonly at?: { readonly x: number; readonly y: number } | undefined;
    };

/** A user in a room. */
export interface SomebodyHere {
  readonly room: Room;
  readonly user: User;
  /** A message by this user, which can be reported. */
  readonly message?: Message | undefined;
  /** Whether the user is banned from the room. */
  readonly banned?: boolean;
}

export interface FailedInvitation {
  readonly user: User;
  readonly code: string;
}

/** The current version of the message being edited, which was changed on another device or deleted. */
export type Clash = { readonly text: string; readonly rev: number } | 'deleted';

/** Actions on the user's own messages that are not in the room: unsent, pending approval, or rejected. */
export interface UnsentActions {
  retry(entry: Entry): void;
  discard(entry: Entry): void;
  /** Puts the text back into the field and discards the message. */
  again(entry: Entry): void;
}

/** The state of the composer for the strip above its field: an edit, a reply, or neither. */
export interface StripProps extends Place {
  readonly edit: { readonly clash?: Clash } | undefined;
  /** The message to reply to. Only its number is stored with the draft, because the message may change. */
  readonly replyTo: number | undefined;
  /** The text of the draft; empty if the user removed the preview of its link. */
  readonly text: string;
  /** Continues the edit with the current text of the message. */
  use(text: string, rev: number): void;
  cancel(): void;
  /** Whether the draft or the edited message is important. */
  readonly important: boolean | undefined;
  /** Changes the draft, or the edit. */
  change(change: Partial<NewContent>): void;
}

/** Where a message is written: a room, or a thread in it. */
export interface Place {
  readonly room: Room;
  /** `only`: a new message is only in the thread. */
  readonly thread?: { readonly number: number; readonly only?: boolean } | undefined;
}

/** Storage key of a room or thread, for its draft and files. */
export const keyOf = ({ room, thread }: Place): string =>
  thread === undefined ? room.id : `${room.id}/${thread.number}`;

/** Such as a `DataTransfer`. The items tell which files are folders, but only during the event. */
export interface FileSource {
  readonly files: Iterable<File>;
  readonly items?: DataTransferItemList;
}

/** The files and the card attached to a draft. */
export interface Tray {
  /** Whether a file or a card can be sent. */
  readonly full: boolean;
  /** Whether the server has stored all files. */
  readonly stored: boolean;
  /** Returns the card, and the files that have no problem. */
  content(): Pick<NewContent, 'files' | 'card'>;
  draw(): ComponentChildren;
  /** Removes what was sent or scheduled. A file that was attached meanwhile stays. */
  take(content: NewContent): void;
}

/** Where a voice message is recorded, with the state of the composer. */
export interface VoicePlace extends Place {
  readonly content: NewContent;
  sent(): void;
}

export interface VoiceControls {
  /** Shown above the field. */
  readonly status?: ComponentChildren;
  /** Replaces the field while there is a recording. */
  readonly row?: ComponentChildren;
  /** Replaces the send button while there is a recording, or nothing to send. */
  readonly end: ComponentChildren;
}

/** A text in a composer that is not sent yet. */
export interface Draft extends Place {
  readonly edit: object | undefined;
  readonly text: string;
  /** Returns the message to send or schedule, with the content of the tray. */
  content(): NewContent;
  change(change: Partial<NewContent>): void;
  /** Must be called when the content was scheduled, to clear the field. */
  sent(): void;
}

/** A message in full, as a pin, or as the preview in the room list. */
export type Hideable = Pick<Message, 'user' | 'hidden'>;

export interface Blocking {
  /** Changes when the set of hidden messages changes. Messages are redrawn then. */
  readonly version: number;
  has(user: string): boolean;
  set(user: User, blocked: boolean): Promise<void>;
  /** Whether the author is blocked. */
  isHidden(message: Hideable): boolean;
  /** Whether the message is hidden and the user has not revealed it. */
  hides(message: Message): boolean;
  /** The line that replaces a run of hidden messages. */
  line(run: readonly Message[]): ComponentChildren;
}

/** What controls and dialogs need. The moderators' page also provides it, but shows no room. */
export interface ControlContext {
  readonly chat: Pick<Chat, 'connection' | 'request'>;
  readonly strings: Strings;
  /** Whether the user touches the screen: larger targets, sheets instead of menus, and Enter inserts a line break. */
  touch(): boolean;
  /** Redraws in the next frame. */
  changed(): void;
  /** Shows a menu or sheet above everything else. Without content, closes the current one. */
  layer(content?: () => ComponentChildren): void;
}

/** The context of all views. A member whose code loads later returns undefined until it is loaded. */
export interface Context extends ControlContext {
  readonly chat: Chat;
  /** Returns the function that closes the chat, if the page can open it again. */
  close(): (() => void) | undefined;
  /**
   * Redraws before it returns.
   *
   * @param opener - the element that opened the closing layer; it gets the focus back
   */
  draw(opener?: Element | null): void;
  /**
   * @param press - the button of the toast, such as undo. At the Unix time `until`, in ms, the toast closes. While `over`
   * returns true, it is hidden.
   */
  toast(
    text: string,
    kind: 'good' | 'bad',
    press?: { readonly label: StringKey; readonly until?: number; over?(): boolean; run(): void },
  ): void;
  /** Opens a room, and moves the focus there. */
  open(room: string): void;
  /** Shows a message in any room. */
  jump(message: MessagePlace): void;
  /** Opens a menu next to the clicked element. */
  menu(request: MenuRequest, opener: HTMLElement): void;
  /** Returns the current version of the message if an edit failed because the message was changed or deleted. */
  clashOf(error: unknown): Clash | undefined;
  /** The buttons next to the field. */
  tools(draft: Draft): ComponentChildren;
  /** Inserts a mention of the user into the draft. */
  mention(user: User): void;
  /** The strip above the field: the message to reply to or edit, and the link with a preview. */
  strip(props: StripProps): ComponentChildren;
  /** The options of a poll or an event, and their votes. */
  poll(entry: Entry): ComponentChildren;
  /** The site's card of a message. */
  card(entry: Entry): ComponentChildren;
  /** The row of reactions under a message. */
  reactions(entry: Entry): ComponentChildren;
  /** The preview of a message's link. */
  preview(entry: Entry, resize: () => void): ComponentChildren;
  /** Returns the function that draws the read receipts of the user's newest message. */
  seen(message: Message): (() => ComponentChildren) | undefined;
  /** The line under the root of a thread. */
  replies(thread: Thread, open: boolean, seq: number): ComponentChildren;
  /** The `seq` of the message whose replies are open next to the room. */
  repliesOf(room: Room): number | undefined;
  /** Opens the replies of a thread. `opener` gets the focus back. `to`: the message to show or reply to. */
  showReplies(room: Room, thread: number, opener: Element | null, to?: ReplyTarget): void;
  /** Focuses the first element that matches the selector. */
  focus(which: string): void;
  /** The text of a message that mentions users. */
  named(entry: Entry): Named | undefined;
  /** The mentions in a new text at this place, or in the edit of message `seq`. */
  mentions(place: Place, text: string, seq?: number): NewMention[] | undefined;
  /** The line under a held or rejected message, with the actions of its author or of those who decide. */
  held(entry: Entry, state: 'held' | 'rejected', actions: UnsentActions): ComponentChildren;
  /** The pictures and files of a message. */
  files(entry: Entry): ComponentChildren;
  /** The files attached to the draft. */
  tray(place: Place): Tray | undefined;
  /** Records voice messages. Undefined if that is not possible. */
  voice(place: VoicePlace): VoiceControls | undefined;
  /**
   * Attaches the files of a paste, a drop or a view.
   *
   * @param stored - called when the server has stored the last file
   */
  attach(place: Place, data: FileSource, stored?: () => void): void;
  /** @param picked - called when the user has chosen files in the picker */
  pickFiles(place: Place, picked: () => void): void;
  /** The line above a block of code. */
  codeHead(language: string | undefined): ComponentChildren;
  /**
   * For the composer of a room: `line` replaces the field if the user may not write, `status` appears above it, and
   * `wait` prevents sending for a moment.
   */
  bar(room: Room): { line?: ComponentChildren; status?: ComponentChildren; wait?: boolean } | undefined;
  /** The users blocked by the reader. */
  blocking(): Blocking | undefined;
  /** The text shown instead of a blocked user's message. */
  instead(message: Hideable | undefined): string | undefined;
  /** Resolves a link to a message that the reader may see. */
  readonly linked: Linked;
  /** Focuses and announces the heading of the card that replaces the room. */
  focusCard(): void;
  dialog(request: DialogRequest): void;
  /** Deletes a message of the user. The user can undo this for a moment. */
  deleteOwn(message: Message): void;
  /** The card at the start of a room, in the middle of a room without messages. */
  start(room: Room, empty: boolean): ComponentChildren;
  /** The lines between the messages of a room, such as “… pinned a message”. */
  notes(room: Room): readonly Note[];
  /** The look that the user chose. */
  readonly look: Look;
  /** An attribute of the element. */
  attribute(name: string): string | null;
  /**
   * Shown instead of a room while none is open, or instead of the rooms if no name contains `query`.
   */
  noRoom(query?: string): ComponentChildren;
  /** Switches between the room list and the room if there is space for one pane. */
  pane(which: Pane): void;
  /** Shows a tab of the details of the room. */
  showDetails(tab: 'people' | 'settings'): void;
  /** The user's own settings, shown instead of the room. */
  showSettings(): void;
  /** The questions that the user's team answers. */
  questions(): Questions | undefined;
  /** Push on this device. */
  push(): BrowserPush | undefined;
  /** Renders the offer to turn on notifications, if it belongs under one of these messages. */
  offer(entries: readonly Entry[]): ComponentChildren;
  /** See `Panes.lettersInField`. */
  lettersInField(): number;
  /** Searches the room. Undefined if the header has a search button. */
  searchInMenu(): (() => void) | undefined;
}
