import { tellAct } from '../audit.ts';
import { type Rule, refuse } from '../engine/rule.ts';
import { type None, subject } from '../engine/subject.ts';
import { isModerator } from '../members/membership.ts';
import type { StoredMessage } from '../records/message.ts';
import { getMember, memberNeed } from '../rows/members.ts';
import { messageNeed } from '../rows/messages.ts';
import { messageIn, requireRoomOf } from '../rows/room-changes.ts';
import { checkMuted } from './posting.ts';
import { putBesideText } from './previews.ts';

export interface MarkWrites {
  /**
   * Sets or removes `important` of any message, as a moderator of a room where only moderators may write. Authors use
   * `edit`. A repeat is a no-op. Codes: `unknown_room` (not a member), `forbidden` (all members may write in the room, or
   * the user is not a moderator now), `muted`, `unknown_message` (missing or deleted).
   * @param in.siteModerator see `Sending`
   * @param in.at in Unix ms
   */
  mark: {
    in: { room: string; seq: number; user: string; siteModerator?: boolean; important: boolean; at: number };
    out: { message: StoredMessage; changed: boolean };
  };
}

const mark: Rule<MarkWrites['mark']> = {
  needs: ({ room, seq, user }) => [memberNeed(room, user), messageNeed(room, seq)],
  run(work, { room: id, seq, user, siteModerator, important, at }, changes) {
    const room = requireRoomOf(work, id, user);
    if (room.settings.write !== 'moderators')
      refuse('forbidden', 'all members may write in this room, so only the author can mark a message');
    const member = getMember(work, id, user);
    if (!isModerator(member, siteModerator)) refuse('forbidden');
    checkMuted(member, at);
    const before = messageIn(work, room, seq);
    if (before === undefined || before.deletedAt !== undefined) refuse('unknown_message');
    if (important === (before.important ?? false)) return { message: before, changed: false };
    const after = { ...before, important: important ? (true as const) : undefined };
    const change = putBesideText(work, room, before, after);
    changes.push(change);
    const author = before.user.id;
    // Authors can also change the mark by an edit, which is not an action of moderation.
    if (author !== user)
      tellAct(changes, { kind: important ? 'marked' : 'unmarked', by: user, user: author, room, seq });
    return { message: change.message, changed: true };
  },
};

export const markSubject = subject<MarkWrites, None>({ rules: { mark }, reads: {} });
