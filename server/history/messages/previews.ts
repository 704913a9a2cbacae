import { firstPage } from '../../text/format.ts';
import type { Preview } from '../../wire/events.ts';
import { type Nothing, type Rule, refuse } from '../engine/rule.ts';
import { type None, subject } from '../engine/subject.ts';
import type { Work } from '../engine/work.ts';
import { isModerator } from '../members/membership.ts';
import type { Change } from '../records/changes.ts';
import type { StoredMessage } from '../records/message.ts';
import { hasBegun, type RoomRow, wantsPreviews } from '../records/room.ts';
import { fileNeed, getFile, release, setFile } from '../rows/files.ts';
import { getMember, memberNeed } from '../rows/members.ts';
import {
  getReacted,
  lastMessageNeed,
  messageNeed,
  setReacted,
  textRevOf,
  updateMessage,
} from '../rows/messages.ts';
import { messageIn, recordOf, requireRoom, requireRoomOf } from '../rows/room-changes.ts';
import { setRoom } from '../rows/rooms.ts';

export interface PreviewWrites {
  /**
   * Stores the preview of the page at `url` in the message. Without `page`, removes the pending preview. If the message
   * does not wait for this page any longer, drops the page's picture and returns `changed: false`. Codes:
   * `unknown_room`.
   */
  preview: {
    in: {
      room: string;
      seq: number;
      url: string;
      page?: Pick<Preview, 'title' | 'description' | 'image'>;
      at: number;
    };
    out: { changed: boolean };
  };
  /** Removes the preview of a message. Codes: as for `delete`. */
  removePreview: {
    in: {
      room: string;
      seq: number;
      user: string;
      moderator: boolean;
      siteModerator?: boolean;
      at: number;
    };
    out: { message: StoredMessage };
  };
  /** Sets whether a user wants link previews in a direct room. Codes: `unknown_room`, `forbidden`. */
  setPreviews: { in: { room: string; user: string; previews: 'on' | 'off' }; out: Nothing };
}

const preview: Rule<PreviewWrites['preview']> = {
  adds: true,
  needs: ({ room, seq, page }) => [
    messageNeed(room, seq),
    ...(page?.image === undefined ? [] : [fileNeed(page.image.id)]),
  ],
  run(work, { room: id, seq, url, page, at }, changes) {
    const room = requireRoom(work, id);
    const before = messageIn(work, room, seq);
    const isPending = before?.preview?.url === url && before.preview.title === undefined;
    const { image } = page ?? {};
    const file = image && getFile(work, id, image.id);
    if (before === undefined || !isPending) {
      // The author may have been erased since, and no stage of the erasure would find the file. A file that is already
      // attached belongs to an earlier result and stays.
      if (file?.state === 'loose') setFile(work, { ...file, state: 'dropped', at });
      return { changed: false };
    }
    const { preview: _, ...message } = before;
    const isPictureGone = image !== undefined && file?.state !== 'loose';
    if (page === undefined || isPictureGone || !showsPreviews(room)) {
      changes.push(putBesideText(work, room, before, message));
    } else {
      if (file !== undefined) setFile(work, { ...file, state: 'carried', seq, at });
      changes.push(putBesideText(work, room, before, { ...message, preview: { url, ...page } }));
    }
    return { changed: true };
  },
};

const removePreview: Rule<PreviewWrites['removePreview']> = {
  needs: ({ room, seq, user }) => [memberNeed(room, user), messageNeed(room, seq)],
  run(work, { room: id, seq, user, moderator, siteModerator, at }, changes) {
    const room = requireRoomOf(work, id, user);
    const before = messageIn(work, room, seq);
    if (before === undefined) refuse('unknown_message');
    const mayModerate = moderator && isModerator(getMember(work, id, user), siteModerator);
    if (before.user.id !== user && !mayModerate) refuse('forbidden');
    if (before.preview === undefined) return { message: before };
    const { preview: _, ...message } = before;
    releasePicture(work, before, at);
    const change = putBesideText(work, room, before, message);
    changes.push(change);
    return { message: change.message };
  },
};

const setPreviews: Rule<PreviewWrites['setPreviews']> = {
  needs: ({ room }) => [lastMessageNeed(room)],
  run(work, { room: id, user, previews }, changes) {
    const before = requireRoom(work, id);
    const { previewsOf, ...room } = before;
    if (!room.pair?.includes(user)) refuse('forbidden');
    if (!hasBegun(before)) refuse('forbidden', 'the room has no message yet');
    const [low, high] = room.pair.map((member) =>
      member === user ? previews === 'on' : wantsPreviews(before, member),
    );
    const chosen = low ? (high ? 'both' : 'low') : high ? 'high' : undefined;
    if (chosen === previewsOf) return {};
    setRoom(work, { ...room, previewsOf: chosen });
    changes.push({ type: 'room', is: 'changed', room: recordOf(work, requireRoom(work, id)) });
    return {};
  },
};

/** Whether the room shows link previews. In a direct room both users must want them. */
export const showsPreviews = ({ kind, settings, previewsOf }: RoomRow): boolean =>
  kind === 'direct' ? previewsOf === 'both' : settings.previews !== 'off';

/**
 * Returns the preview after an edit. A link to the same page keeps its preview, or stays without one if it was removed.
 */
export function changedPreview(
  room: RoomRow,
  before: StoredMessage,
  { text, preview: url }: { text: string; preview?: string },
): StoredMessage['preview'] {
  if (text === before.text || url === before.preview?.url) return before.preview;
  if (url === undefined || !showsPreviews(room) || url === firstPage(before.text)) return undefined;
  return { url };
}

/** Drops the picture of the message's preview. */
export function releasePicture(work: Work, message: StoredMessage, at: number): void {
  const { image } = message.preview ?? {};
  if (image !== undefined) release(work, message, image.id, { state: 'dropped', at });
}

/** Stores a message with an unchanged text. Raises `rev` but not `textRev`, so it does not conflict with an edit. */
export function putBesideText(
  work: Work,
  room: RoomRow,
  before: StoredMessage,
  after: StoredMessage,
): Change & { type: 'message' } {
  const rev = room.head + 1;
  const message = { ...after, rev };
  const placed = getReacted(work, room.id, before.seq)?.placed ?? 0;
  const textRev = textRevOf(work, before);
  updateMessage(work, message, before);
  setReacted(work, message, { rev, textRev, placed });
  setRoom(work, { ...room, head: rev });
  return { type: 'message', is: 'changed', message };
}

export const previewSubject = subject<PreviewWrites, None>({
  rules: { preview, removePreview, setPreviews },
  reads: {},
});
