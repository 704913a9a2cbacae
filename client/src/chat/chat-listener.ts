import type {
  EventPayload,
  Held,
  MembersChange,
  Message,
  MessageFile,
  MessageReacted,
  PinChange,
  PresenceChange,
} from '../../../server/wire/events.ts';
import type { ConnectionState } from '../connection/connection-state.ts';
import type { Pending } from '../store/entries.ts';
import type { Room } from '../store/room.ts';

/** `unknown`: it was found missing. */
export type RemovalReason = EventPayload<'room:removed'>['reason'] | 'unknown';
/** Of a ban, `text` is its reason, and `until` its end. */
export type RoomRemoval = { reason: RemovalReason } & Pick<EventPayload<'room:removed'>, 'text' | 'until'>;

/** A message that others sent; of a room that is not joined, how many files it has is all that is known of them. */
export type NewMessage = Pick<Message, 'user' | 'text' | 'seq' | 'mentions'> & {
  readonly files?: readonly MessageFile[] | number;
};

/** The views listen with it. */
export interface ChatListener {
  /** Something to show has changed. */
  changed(): void;
  /** Everything shown has to go, before this returns. */
  hide(): void;
  state(state: ConnectionState): void;
  /** A new message of somebody else, in whichever room. */
  message(room: Room, message: NewMessage): void;
  unsent(item: Pending): void;
  loaded(count: number): void;
  /** A room was taken from the user, who may have been reading it. */
  removed?(room: Room, removal: RoomRemoval): void;
  /** The room that the page names is none that the user may read. */
  unknownRoom?(id: string): void;
}

/** Follows events as long as it is shown. Its code comes later. */
export interface Follower {
  /** Over a new connection. */
  ready?(): void;
  /** All rooms of the user are known over the new connection. */
  listed?(): void;
  /** The user has logged out for good: nothing of that user may stay. */
  over?(): void;
  members?(change: MembersChange): void;
  presence?(change: PresenceChange): void;
  /** It is new, or another than before. */
  message?(message: Message): void;
  /** That message was edited or deleted, or its author erased: its former words are not to be seen or heard any more. */
  outdated?(room: Room, seq: number, isDeleted: boolean): void;
  /** Its messages have to be read again. */
  reset?(room: Room): void;
  reacted?(room: Room, reacted: MessageReacted): void;
  /** In a room that no page of this user shows. */
  mentioned?(message: Message): void;
  /** It is listed now, or one is a member of it now. */
  added?(room: Room): void;
  /** Here or elsewhere. */
  opened?(room: Room): void;
  removed?(room: Room, removal: RoomRemoval): void;
  /** Over the connection that is open now. */
  joined?(room: Room): void;
  /** More people have seen a message of the user's. */
  seen?(change: EventPayload<'seen:changed'>): void;
  /** A message is pinned, or not any more. */
  pinned?(room: Room, change: PinChange): void;
  typing?(change: EventPayload<'typing:changed'>): void;
  /** The user follows a thread from now on, or no longer does. */
  followed?(change: EventPayload<'thread:followed'>): void;
  /** The user has muted or banned somebody, or lifted that: no event tells who did it. */
  restricted?(): void;
  reported?(change: EventPayload<'report:changed'>): void;
  /** Here or on another device; also what is known already. */
  blocked?(change: EventPayload<'blocked:changed'>): void;
  /** The connection says nothing more of that room, or of any. */
  silent?(room?: string): void;
  /** For those who decide: a message waits, or does so no more. */
  held?(change: EventPayload<'held:changed'>): void;
  /** A message of the user's waits for a moderator, and was approved or rejected, or an edit of one was. */
  waits?(): void;
  approved?(): void;
  rejected?(held: Held): void;
  /** A moderator has deleted a message of the user's, and says why. */
  deleted?(room: Room, reason: string): void;
  /** Another tab has changed what is kept in the browser. */
  stored?(key: string | null): void;
}
