import type { Message } from '../../../server/wire/events.ts';
import type { Connection, RequestOf } from '../connection/connection.ts';
import { RequestError } from '../connection/connection-state.ts';
import type { Unsent } from '../store/entries.ts';
import type { Room } from '../store/room.ts';
import { heldItem } from './held.ts';
import { type Alone, Outbox } from './outbox.ts';
import type { RoomSync } from './room-sync.ts';
import type { Store } from './storage.ts';

export interface Pause {
  /** The error code of the last attempt. */
  readonly code: string;
  /** A value of `performance.now()`. */
  readonly until: number;
}

interface DeliveryPort {
  readonly connection: Connection;
  readonly sync: RoomSync;
  readonly rooms: ReadonlyMap<string, Room>;
  stored(message: Message): void;
  /** Called when a sent message is pending approval. */
  held(): void;
  failed(item: Unsent): void;
  paused(pause: Pause | undefined): void;
  changed(): void;
}

/** Opens a user's outbox, which sends over the connection into joined rooms. */
export function openOutbox(store: Store, alone: Alone, around: DeliveryPort): Outbox {
  const { connection, sync, rooms } = around;
  const send = async (item: Unsent): Promise<Message | Unsent> => {
    const { sentAt: _, failed: _failed, forward, ...payload } = item;
    try {
      if (forward !== undefined) {
        const { room, clientId } = payload;
        return (await connection.request('message:forward', { room, from: forward, clientId })).message;
      }
      const sent = payload as object as RequestOf<'message:send'>;
      const answer = await connection.request('message:send', sent);
      if (!('message' in answer)) return heldItem(answer.held, item) ?? item;
      const room = rooms.get(answer.message.room);
      if (room !== undefined) room.unreached = answer.unreached === true;
      return answer.message;
    } catch (error) {
      const state = rooms.get(payload.room);
      if (state !== undefined && error instanceof RequestError && error.code === 'not_joined') {
        state.joined = false;
        void sync.join(state);
      }
      throw error;
    }
  };
  const port = {
    canSend: (room: string) => rooms.get(room)?.joined === true,
    send,
    sent: (message: Message) => {
      around.paused(undefined);
      around.stored(message);
    },
    held: () => {
      around.paused(undefined);
      around.held();
    },
    failed: (item: Unsent) => around.failed(item),
    changed: () => around.changed(),
    waiting: (code: string, ms: number) => around.paused({ code, until: performance.now() + ms }),
  };
  return new Outbox(store, port, alone, connection.clock);
}
