import { rows, type Subjects } from './engine/work.ts';
import { storeFiles } from './files/loaded.ts';
import { otherOf } from './history.ts';
import { keepMembers, memberNeed, storeMembers } from './members/loaded.ts';
import { storeMessages } from './messages/loaded.ts';
import { storeReactions } from './messages/loaded-reactions.ts';
import { changesUsers, keepUsers, storeUsers, userNeed } from './people/loaded.ts';
import { formerKeys, keepRooms, storeRooms } from './rooms/loaded.ts';
import { rules } from './rules/rules.ts';
import { blocks, formerRooms, tables } from './tables.ts';
/** All that is stored, for the engine. */
export const subjects: Subjects = {
  tables,
  rules,
  needsOfRoom(work, id) {
    const room = work.rooms.get(id);
    // It may be made now, and then begins after a deleted one of its id.
    if (room == null) return formerKeys(work, id).map((key) => rows(formerRooms, key));
    // Of a direct room who writes may have been blocked by the other side, whom the first message makes a member.
    const { pair } = room.row;
    return (pair ?? []).flatMap((user) => [
      rows(blocks, { user, other: otherOf(pair, user) as string }),
      memberNeed(id, user),
      userNeed(user),
    ]);
  },
  stores: [storeRooms, storeMembers, storeMessages, storeReactions, storeUsers, storeFiles],
  keep(work, kept) {
    // Such changes reach rows that are not loaded here; and nothing of an erased user stays.
    if (changesUsers(work) || work.deletedRooms.length > 0) return kept.forget();
    keepRooms(work, kept);
    keepMembers(work, kept);
    keepUsers(work, kept);
  },
};
