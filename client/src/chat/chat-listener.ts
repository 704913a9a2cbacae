import type {
  EventPayload,
  Held,
  MembersChange,
  Message,
  MessageFile,
  MessageReacted,
  PinChange,
  PresenceChange,
  Question,
} from '../../../server/wire/events.ts';
import type { ConnectionState } from '../connection/connection-state.ts';
import type { Unsent } from '../store/entries.ts';
import type { Room } from '../store/room.ts';

/** `unknown`: a request showed that the room is missing or not readable. */
export type RemovalReason = EventPayload<'room:removed'>['reason'] | 'unknown';
/** For a ban, `text` is its reason and `until` its end. */
export type RoomRemoval = { reason: RemovalReason } & Pick<EventPayload<'room:removed'>, 'text' | 'until'>;

/** A message of another user. If the room is not joined, `files` is only their number, and `card` may be true. */
export type NewMessage = Pick<Message, 'user' | 'text' | 'seq' | 'mentions'> & {
  readonly card?: string | true;
  readonly files?: readonly MessageFile[] | number;
};

/** Implemented by the views. */
export interface ChatListener {
  /** The view is out of date and must render again. */
  changed(): void;
  /** The view must remove all content before this returns. */
  hide(): void;
  state(state: ConnectionState): void;
  /** A new message of another user, in any room. Not called for muted rooms that are not joined. */
  message(room: Room, message: NewMessage): void;
  /** A message could not be sent. */
  failed(item: Unsent): void;
  loaded(count: number): void;
  /** The user left a room or lost access to it. It may be the room on screen. */
  removed?(room: Room, removal: RoomRemoval): void;
  /** The page names a room that does not exist or that the user may not read. */
  unknownRoom?(id: string): void;
}

/** Receives events while it is in `Chat.followers`. */
export interface Follower {
  /** A new connection is ready. */
  ready?(): void;
  /** All rooms of the user are listed after a new connection. */
  listed?(): void;
  /** The user logged out, or another user logged in. All data of this user must be deleted. */
  over?(): void;
  members?(change: MembersChange): void;
  presence?(change: PresenceChange): void;
  /** A message is new or has changed. */
  message?(message: Message): void;
  /** A message was edited or deleted, or its author was erased. Its old text must not be shown or read aloud. */
  outdated?(room: Room, seq: number, isDeleted: boolean): void;
  /** The room's messages must be loaded again. */
  reset?(room: Room): void;
  reacted?(room: Room, reacted: MessageReacted): void;
  /** The user was mentioned, or a followed thread has a reply, in a room that no connection of the user has joined. */
  mentioned?(message: Message): void;
  /** A room is new in the list, or the user is now a member of it. */
  added?(room: Room): void;
  /** The room was opened here, or read on another device. */
  opened?(room: Room): void;
  removed?(room: Room, removal: RoomRemoval): void;
  /** The room is joined on the current connection. */
  joined?(room: Room): void;
  /** More users have seen a message of this user. */
  seen?(change: EventPayload<'seen:changed'>): void;
  /** A message was pinned or unpinned. */
  pinned?(room: Room, change: PinChange): void;
  /** A card of the site may have changed. */
  card?(change: EventPayload<'card:changed'>): void;
  typing?(change: EventPayload<'typing:changed'>): void;
  /** The user started or stopped following a thread. */
  followed?(change: EventPayload<'thread:followed'>): void;
  /**
   * This user may have muted or banned a user, or lifted that. Called after the request, because no event names the
   * moderator.
   */
  restricted?(): void;
  reported?(change: EventPayload<'report:changed'>): void;
  /** The user blocked or unblocked a user, here or on another device. May repeat the current state. */
  blocked?(change: EventPayload<'blocked:changed'>): void;
  /** No more events arrive for this room, or for any room if `room` is undefined. */
  silent?(room?: string): void;
  /** A pending message was added, changed or decided. Moderators also receive the messages of other users. */
  held?(change: EventPayload<'held:changed'>): void;
  /** A scheduled message of this user was added, changed, sent or deleted, or could not be sent. */
  scheduled?(change: EventPayload<'scheduled:changed'>): void;
  /** A reminder of this user was set or deleted, or is due. */
  reminded?(change: EventPayload<'reminder:changed'>): void;
  /** A question changed. Only for the team. */
  question?(question: Question): void;
  /** A note in a question was added or deleted. Only for the team. */
  noted?(change: EventPayload<'question:noted'>): void;
  /** A message of this user is pending approval, was approved or was rejected. `rejected` also covers edits. */
  waits?(): void;
  approved?(): void;
  rejected?(held: Held): void;
  /** From the server, or from the PHP application, which may use the same names with other data. */
  pushed?(name: string, data: unknown): void;
  /** Another tab changed the browser's storage. `key` is null if it was cleared. */
  stored?(key: string | null): void;
}
