import type { EventPayload, Message, MessageFile } from '../../../server/events.ts';
import type { ConnectionState } from '../connection/connection-state.ts';
import type { Pending } from '../store/entries.ts';
import type { Room } from '../store/room.ts';

/** `unknown`: it was found missing. */
export type RoomRemoval = EventPayload<'room:removed'>['reason'] | 'unknown';

/** A message that others sent; of a room that is not joined, how many files it has is all that is known of them. */
export type NewMessage = Pick<Message, 'user' | 'text' | 'seq' | 'mentions'> & {
  readonly files?: readonly MessageFile[] | number;
};

/** What the views are told. */
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
  removed?(room: Room): void;
  /** The room that the page names is none that the user may read. */
  unknownRoom?(id: string): void;
}
