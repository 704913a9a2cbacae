import type { History } from '../../server/history/history.ts';

export interface Place {
  user: string;
  room: string;
}

type Happens = (write: History['write'], place: Place) => Promise<unknown>;

/**
 * Changes before a notification is sent, and how many notifications are sent after the change. The room has an unread
 * message by Ann.
 */
export const meanwhile: readonly [what: string, happens: Happens, sent: number][] = [
  ['nothing happens', async () => {}, 1],
  [
    'the message is deleted',
    (write, { room }) => write.delete({ room, seq: 1, user: 'ann', moderator: false, at: Date.now() }),
    0,
  ],
  ['the message is read', (write, place) => write.markRead({ ...place, seq: 1 }), 0],
  [
    'the author is blocked',
    (write, { user }) => write.block({ user, other: 'ann', blocked: true, at: Date.now() }),
    0,
  ],
  [
    'notifications of the room are switched off',
    (write, place) => write.setPreferences({ ...place, set: { notify: 'none' } }),
    0,
  ],
  ['the room is deleted', (write, { room }) => write.deleteRoom({ room }), 0],
];
