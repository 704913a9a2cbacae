import type { RoomRole, User } from '../wire/events.ts';
import type { Nothing, Rule } from './engine/rule.ts';
import { type None, subject } from './engine/subject.ts';
import { add, peopleIn } from './members/membership.ts';
import { contentOf, post, saidBy, sendNeeds } from './messages/posting.ts';
import type { Change } from './records/changes.ts';
import { acted, isMember } from './records/member.ts';
import type { NewMessage } from './records/message.ts';
import type { RoomRecord } from './records/room.ts';
import { checkName, publicName } from './rooms/rooms.ts';
import { getMember, hasBeenMember, setMember } from './rows/members.ts';
import { getMessageByClientId, lastMessageNeed } from './rows/messages.ts';
import { requireRoom, siteRoom } from './rows/room-changes.ts';
import { getRoom, roomNeed, setRoom } from './rows/rooms.ts';
import { rename } from './users/users.ts';

// Imports of messages that another chat exported: see server/import/. No server runs during an import, and no user is
// notified, so the changes are neither dispatched nor logged.

export interface ImportWrites {
  /**
   * Creates a room that another chat exported. No-op if a room with this ID exists. Codes: `conflict` (a public room
   * has that name).
   */
  importRoom: {
    in: {
      id: string;
      kind: 'public' | 'private';
      name: string;
      topic?: string;
      at: number;
    };
    /** The kind of the room. An existing room keeps its kind. */
    out: { kind: RoomRecord['kind'] };
  };
  /** Stores a message in an imported room. No-op if the user already used the `clientId` there. Codes: as in `send`. */
  importMessage: { in: NewMessage; out: { seq: number; repeated: boolean } };
  /** Adds members of an imported room, with all messages marked as read. Codes: `unknown_room`. */
  importMembers: {
    in: { room: string; users: readonly (User & { role: RoomRole })[]; at: number };
    out: Nothing;
  };
}

const unheard = (): Change[] => [];

const importRoom: Rule<ImportWrites['importRoom']> = {
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

const importMessage: Rule<ImportWrites['importMessage']> = {
  adds: true,
  needs: sendNeeds,
  run(work, input) {
    const { room, user, clientId } = input;
    requireRoom(work, room);
    // The content is not compared, because files get new IDs in each import.
    const known = getMessageByClientId(work, room, user.id, clientId)?.message;
    if (known !== undefined) return { seq: known.seq, repeated: true };
    const sent = { ...input, asMember: false };
    const { message } = post(work, sent, saidBy(input), unheard(), (of) =>
      contentOf(work, of, input, { free: true }),
    );
    return { seq: message.seq, repeated: false };
  },
};

const importMembers: Rule<ImportWrites['importMembers']> = {
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
      // A repeated import must not bring back users who left, or were removed or banned since.
      if (!isMember(getMember(work, id, user.id)) && hasBeenMember(work, id, user.id)) continue;
      rename(work, user, unheard());
      add(work, room, user, { source: 'api', role, acted: acted.joined, at }, unheard());
      // Messages that an earlier import lacked are marked as read too.
      const member = getMember(work, id, user.id);
      if (member !== undefined && member.readSeq < room.lastSeq)
        setMember(work, id, user.id, { ...member, readSeq: room.lastSeq });
    }
    return {};
  },
};

export const importSubject = subject<ImportWrites, None>({
  rules: { importRoom, importMessage, importMembers },
  reads: {},
});
