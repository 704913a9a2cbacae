import { rows } from '../engine/work.ts';
import { mostPins, type PinWrites } from '../history.ts';
import { memberNeed } from '../members/loaded.ts';
import { lastMessageNeed, messageNeed } from '../messages/loaded.ts';
import { pins } from '../tables.ts';
import {
  countPins,
  existingFor,
  isBlocked,
  isStale,
  messageIn,
  record,
  refuse,
  tellAct,
} from './room-changes.ts';
import type { Rule } from './rule.ts';
export const pin: Rule<PinWrites['pin']> = {
  needs: ({ room, seq, user }) => [
    lastMessageNeed(room),
    messageNeed(room, seq),
    memberNeed(room, user),
    rows(pins, { room }),
  ],
  run(work, { room: id, seq, user, pinned, decidedFor, at }, changes) {
    const room = existingFor(work, id, user);
    if (isStale(room, decidedFor)) return { changed: false, stale: true };
    if (isBlocked(work, room, user)) refuse('forbidden');
    const message = messageIn(work, room, seq);
    if (message === undefined) refuse('unknown_message');
    const all = work.find(pins, { room: id });
    const isPinned = all.some((one) => one.seq === seq);
    if (isPinned === pinned) return { changed: false, stale: false };
    if (pinned) {
      if (message.deletedAt !== undefined) refuse('unknown_message');
      if (all.length >= mostPins) refuse('limit_reached');
      const place = Math.max(0, ...all.map((one) => one.place)) + 1;
      work.put(pins, { room: id, seq, by: user, at, after: room.lastSeq, place });
    } else work.remove(pins, { room: id, seq });
    countPins(work, room, all.length + (pinned ? 1 : -1));
    changes.push({ type: 'pin', room: record(work, room), seq });
    if (room.kind !== 'direct') {
      const kind = pinned ? 'pinned' : 'unpinned';
      tellAct(changes, { kind, by: user, user: message.user.id, room, seq });
    }
    return { changed: true, stale: false };
  },
};
