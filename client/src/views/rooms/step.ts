import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';

/**
 * Opens the room before or after the open one.
 *
 * @param unread - skips rooms without unread messages
 */
export function step(by: 1 | -1, unread: boolean, order: readonly Room[], { chat, open }: Context): void {
  const at = chat.current === undefined ? -1 : order.indexOf(chat.current);
  for (let i = at + by; i >= 0 && i < order.length; i += by) {
    const room = order[i];
    if (room !== undefined && (!unread || room.unread > 0 || room.fresh)) return open(room.id);
  }
}
