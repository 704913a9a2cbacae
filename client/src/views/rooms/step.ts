import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';

/**
 * Opens the room before or after the open one. After the last room follows the first.
 *
 * @param unread - skips rooms without unread messages
 */
export function step(by: 1 | -1, unread: boolean, order: readonly Room[], { chat, open }: Context): void {
  const at = chat.current === undefined ? -1 : order.indexOf(chat.current);
  const start = at === -1 && by === -1 ? 0 : at;
  for (let i = 1; i <= order.length; i++) {
    const room = order.at((start + by * i) % order.length);
    if (room !== undefined && room !== chat.current && (!unread || room.unread > 0 || room.fresh))
      return open(room.id);
  }
}
