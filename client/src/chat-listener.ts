import type { Message } from '../../server/events.ts';
import type { ConnectionState } from './connection-state.ts';
import type { Pending } from './store/entries.ts';
import type { Room } from './store/room.ts';

/** What the views are told. */
export interface ChatListener {
  /** Something to show has changed. */
  changed(): void;
  /** Everything shown has to go, before this returns. */
  hide(): void;
  state(state: ConnectionState): void;
  /** A new message of somebody else. */
  message(room: Room, message: Message): void;
  unsent(item: Pending): void;
  loaded(count: number): void;
}
