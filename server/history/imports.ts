import type { RoomRole, User } from '../wire/events.ts';
import type { Change } from './changes.ts';
import type { Nothing, Rule } from './engine/rule.ts';
import { getMember, hasBeenMember, setMember } from './members/loaded.ts';
import { acted, isMember } from './members/member.ts';
import { add, peopleIn } from './members/membership.ts';
import { getMessageByClientId, lastMessageNeed } from './messages/loaded.ts';
import type { NewMessage } from './messages/message.ts';
import { contentOf, post, saidBy, sendNeeds } from './messages/posting.ts';
import { rename } from './people/users.ts';
import { getRoom, roomNeed, setRoom } from './rooms/loaded.ts';
import type { RoomRecord } from './rooms/room.ts';
import { requireRoom, siteRoom } from './rooms/room-changes.ts';
import { checkName, publicName } from './rooms/rooms.ts';

// Messages that another chat has exported: see server/import/. No server runs meanwhile, and nobody is notified: the changes are
// neither handed out nor logged.

export interface ImportWrites {
  /**
   * A room that another chat has exported. As all imports it is neither announced nor logged: no server runs meanwhile.
   * Codes: `conflict` (a public room has that name).
   */
  importRoom: {
    in: {
      id: string;
      kind: 'public' | 'private';
      name: string;
      topic?: string;
      at: number;
    };
    /** An existing room keeps its kind. */
    out: { kind: RoomRecord['kind'] };
  };
  /** A message of such a room. A `clientId` that this user has used there stores nothing. Codes: as in `send`. */
  importMessage: { in: NewMessage; out: { seq: number; repeated: boolean } };
  /** Members of such a room, who have read everything. Codes: `unknown_room`. */
  importMembers: {
    in: { room: string; users: readonly (User & { role: RoomRole })[]; at: number };
    out: Nothing;
  };
}

const unheard = (): Change[] => [];

export const importRoom: Rule<ImportWrites['importRoom']> = {
  adds: true,
  needs: ({ id, kind, name }) => [roomNeed(id), ...publicName(kind, name)],
  run(work, { id, kind, name, topic, at }) {
    const known = getRoom(work, id);
    if (known !== undefined) return { kind: known.kind };
    if (kind === 'public') checkName(work, name);
    setRoom(work, { ...siteRoom(work, id, kind, name, at), ...(topic ? { topic } : {}) });
    return { kind };
  },
};

export const importMessage: Rule<ImportWrites['importMessage']> = {
  adds: true,
  needs: sendNeeds,
  run(work, input) {
    const { room, user, clientId } = input;
    requireRoom(work, room);
    // Whatever it says: files get other ids each time.
    const known = getMessageByClientId(work, room, user.id, clientId)?.message;
    if (known !== undefined) return { seq: known.seq, repeated: true };
    const sent = { ...input, asMember: false };
    const { message } = post(work, sent, saidBy(input), unheard(), (of) =>
      contentOf(work, of, input, { free: true }),
    );
    return { seq: message.seq, repeated: false };
  },
};

export const importMembers: Rule<ImportWrites['importMembers']> = {
  adds: true,
  needs: ({ room, users }) => [
    lastMessageNeed(room),
    ...peopleIn(
      room,
      users.map(({ id }) => id),
    ),
  ],
  run(work, { room: id, users, at }) {
    const room = requireRoom(work, id);
    for (const { role, ...user } of users) {
      // The import done again brings back nobody who has left, or was removed or banned since.
      if (!isMember(getMember(work, id, user.id)) && hasBeenMember(work, id, user.id)) continue;
      rename(work, user, unheard());
      add(work, room, user, { source: 'api', role, acted: acted.joined, at }, unheard());
      // Messages that an earlier run had not imported count as read, too.
      const member = getMember(work, id, user.id);
      if (member !== undefined && member.readSeq < room.lastSeq)
        setMember(work, id, user.id, { ...member, readSeq: room.lastSeq });
    }
    return {};
  },
};
