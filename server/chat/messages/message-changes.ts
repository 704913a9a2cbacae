import {
  acted,
  type Change,
  lastInRoom,
  type RoomRecord,
  type StoredMessage,
  withDeleted,
  withMessage,
} from '../../history/history.ts';
import type { Chat } from '../chat.ts';
import type { Effect } from '../effect.ts';
import type { Person, Room } from '../model.ts';
import { recordLastMessage } from '../moderation/slow-mode.ts';
import { announceReturn } from '../summary.ts';

type MessageChange = Change & { type: 'message' };

/** A message was sent, edited, deleted or reacted to. */
export const messageEffect: Effect<'message'> = {
  outdates: ({ directory }, { message }) => directory.withPeers(message.user.id),
  apply(chat, change, find) {
    const { message, is } = change;
    const room = chat.directory.room(message.room);
    if (room === undefined) return undefined;
    applyMessage(room.record, message);
    if (is === 'new') applyAuthor(chat, room, message, find(message.user.id));
    return () => announceMessage(chat, room, change);
  },
};

/** Applies a message to its room, unless the room is already at its `rev`. */
function applyMessage(record: RoomRecord, message: StoredMessage): void {
  if (message.rev <= record.head) return;
  record.head = message.rev;
  if (message.seq > record.lastSeq) Object.assign(record, withMessage(record, message));
  if (message.deletedAt !== undefined) Object.assign(record, withDeleted(record, [message]));
  if (message.seq === lastInRoom(record)) record.last = message;
}

/** Makes the author of a new message visible in the room (`acted`). The history stored this with the message. */
function applyAuthor(
  { directory, others }: Chat,
  room: Room,
  { user, sentAt }: StoredMessage,
  author: Person | undefined,
): void {
  const partner = room.partners.get(user.id);
  if (partner !== undefined) partner.acted = acted.written;
  const membership = author?.memberships.get(room.record.id);
  if (author === undefined || membership === undefined) return;
  const before = membership.member.acted;
  membership.member = { ...membership.member, acted: acted.written, wroteAt: sentAt };
  if (before === acted.written) return;
  directory.show(room, author.user);
  others?.seenChanged(user.id);
}

function announceMessage(chat: Chat, room: Room, { is, message, reacted }: MessageChange): void {
  const { directory, publisher, typing, threads, activity, presence } = chat;
  const { id, kind } = room.record;
  const isNew = is === 'new';
  if (isNew) recordLastMessage(room, message);
  for (const missed of room.missed) missed.push(message);
  if (isNew) typing.stop(room, message.user.id);
  if (reacted !== undefined) {
    const { seq, rev } = message;
    publisher.toRoom(id, 'message:reacted', { room: id, seq, rev, changes: reacted });
  } else {
    publisher.toRoom(id, isNew ? 'message:new' : 'message:changed', directory.messageOf(message));
  }
  if (isNew || message.deletedAt !== undefined) threads.changed(room, message);
  activity.announce(room);
  if (isNew && kind === 'direct') announceReturn(chat, room, room.here);
  if (isNew && kind === 'direct' && message.seq === 1) presence.begun(room, message.user.id);
}
