import type { Change } from '../history/history.ts';
import type { Chat } from './chat.ts';
import type { Effect } from './effect.ts';
import { laterEffect } from './later.ts';
import { memberEffect } from './member-changes.ts';
import { concernedEffect, mentionsEffect } from './messages/mention-changes.ts';
import { messageEffect } from './messages/message-changes.ts';
import { pinEffect } from './messages/pins.ts';
import { readEffect } from './messages/reading.ts';
import { followedEffect } from './messages/threads.ts';
import type { FindUser } from './model.ts';
import { blockedEffect } from './moderation/blocking.ts';
import { pendingEffect } from './moderation/held.ts';
import { reportEffect } from './moderation/reports.ts';
import { restrictedEffect } from './moderation/restrict.ts';
import { questionEffect } from './questions/changes.ts';
import { resetEffect, roomEffect } from './room-changes.ts';
import { banEffect, erasedEffect, userEffect } from './user-changes.ts';

/** Null for changes that are only for other servers and for consumers of the change log. */
const effects: { [Type in Change['type']]: Effect<Type> | null } = {
  message: messageEffect,
  mentions: mentionsEffect,
  concerned: concernedEffect,
  followed: followedEffect,
  read: readEffect,
  pin: pinEffect,
  question: questionEffect,
  room: roomEffect,
  reset: resetEffect,
  member: memberEffect,
  user: userEffect,
  ban: banEffect,
  erased: erasedEffect,
  blocked: blockedEffect,
  restricted: restrictedEffect,
  report: reportEffect,
  held: pendingEffect,
  later: laterEffect,
  act: null,
  erasing: null,
  login_ended: null,
  broadcast: null,
};

const effectOf = ({ type }: Change) => effects[type] as Effect<Change['type']> | null;

/**
 * Reads the public rooms, bans and mutes into the directory, and then applies and announces each change of the history.
 */
export async function followChanges(chat: Chat): Promise<void> {
  const { history, directory, newest } = chat;
  const apply = (change: Change) => {
    newest.dropOutdated(change);
    for (const missed of directory.missed) missed.push(change);
    const effect = effectOf(change);
    for (const user of effect?.outdates?.(chat, change) ?? []) directory.recent.forget(user);
    const room = roomOf(change);
    // A guest may have a membership of a room that is no longer in CHAT_GUEST_ROOMS.
    const find: FindUser = (id) =>
      room === undefined || directory.isOpenTo(id, room) ? directory.person(id) : undefined;
    return effect?.apply(chat, change, find);
  };
  // Another server may write during the read. No user is connected yet, so these changes are not announced.
  const early: Change[] = [];
  let isRead = false;
  history.onChange((change) => {
    if (isRead) apply(change)?.();
    else early.push(change);
  });
  for (const record of await history.read.publicRooms(null)) directory.addRoom(record);
  for (const { user, ban } of await history.read.bans(null)) directory.setBan(user, ban);
  for (const { room, user, restricted } of await history.read.restrictions(null)) {
    directory.restrictions.setAll(room, user, restricted);
  }
  for (const change of early) apply(change);
  isRead = true;
}

/** See `Chat.catchUp`. */
export async function catchUp<Stored>(
  chat: Chat,
  reading: Promise<Stored>,
  take: (stored: Stored) => void,
  find: FindUser,
): Promise<void> {
  const missed: Change[] = [];
  chat.directory.missed.add(missed);
  try {
    take(await reading);
    for (const change of changesOfExistingRooms(missed)) effectOf(change)?.apply(chat, change, find);
  } finally {
    chat.directory.missed.delete(missed);
  }
}

/** Omits the changes of rooms that a later change deletes, because a new room may have the same ID. */
function changesOfExistingRooms(changes: readonly Change[]): Change[] {
  const deleted = new Set<string>();
  const newestFirst = changes.toReversed().filter((change) => {
    const room = roomOf(change);
    const isVoid = room !== undefined && deleted.has(room);
    if (change.type === 'room' && change.is === 'deleted') deleted.add(change.room.id);
    return !isVoid;
  });
  return newestFirst.reverse();
}

function roomOf(change: Change): string | undefined {
  if ('message' in change) return change.message.room;
  if ('room' in change) return typeof change.room === 'string' ? change.room : change.room.id;
  return undefined;
}
