import { randomUUID } from 'node:crypto';
import { firstPage } from '../../text/format.ts';
import { pick, type WaitingContent } from '../../wire/content.ts';
import type { HoldReason, Preview } from '../../wire/events.ts';
import { tellAct } from '../audit.ts';
import { ask, inList, raw, sql } from '../engine/dialect.ts';
import { columnsOf, cutPageBySize, hasRows, type ReadsOf } from '../engine/read.ts';
import { type Nothing, type Rule, refuse } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { rowFrom } from '../engine/table.ts';
import { rows, type Work } from '../engine/work.ts';
import { isModerator } from '../members/membership.ts';
import { edit, editedTo, editNeeds, type MessageWrites, mayEdit, storeEdit } from '../messages/messages.ts';
import {
  appendMessage,
  checkPause,
  contentOf,
  digestOf,
  mayPost,
  post,
  recordWriting,
  repeatOf,
  saidBy,
  sameClientId,
  sendNeeds,
  tellPosted,
  toNewContent,
  waitingContentOf,
  waitingFields,
} from '../messages/posting.ts';
import { type PreviewWrites, showsPreviews } from '../messages/previews.ts';
import type { Change } from '../records/changes.ts';
import type { Row } from '../records/columns.ts';
import { isReserved, reservedAt } from '../records/file.ts';
import { isBanned, isMember } from '../records/member.ts';
import { mostNameBytes, type StoredMessage } from '../records/message.ts';
import { isConversation, type RoomRow } from '../records/room.ts';
import { fileNeed, getFile, setFile } from '../rows/files.ts';
import { getMember, memberNeed, setMember } from '../rows/members.ts';
import { getMessageByClientId } from '../rows/messages.ts';
import {
  discardEdit,
  dropPending,
  filesOfEdit,
  keepFiles,
  maxPendingOfUser,
  type PendingMessage,
  pendingLimitReason,
  pendingMessages,
  recordPendingChange,
} from '../rows/pending.ts';
import { requireRoom } from '../rows/room-changes.ts';
import { getRoom } from '../rows/rooms.ts';
import { userNeed } from '../rows/users.ts';
import { named } from '../users/users.ts';

// Messages that are pending approval. They have their own table, so that queries of messages cannot return them.

export interface PendingWrites {
  /**
   * Stores a message as pending approval. Sends it at once, like `send`, if the author moderates the room, if the room
   * is direct, or if `why` is null. A repeat of a pending message returns that message, even if `why` is null. Codes:
   * as for `send`, `limit_reached` (`maxPendingOfUser`).
   */
  hold: {
    in: MessageWrites['send']['in'] & { why: HoldReason | null };
    out: MessageWrites['send']['out'] | { held: PendingMessage; repeated: boolean };
  };
  /**
   * Stores an edit as pending approval, with the exceptions of `hold`. The message remains unchanged. Replaces a
   * pending or rejected edit of the message.
   */
  holdEdit: {
    in: MessageWrites['edit']['in'] & { why: HoldReason };
    out: MessageWrites['edit']['out'] | { held: PendingMessage };
  };
  /**
   * Publishes a pending message as the newest one of the room, or applies the pending edit. Codes: `unknown_room`,
   * `unknown_message` (not pending, or `by` may not decide there), `forbidden` (the moderator's own message, or the
   * author may no longer write there), others as for `send` and `edit`.
   * @param in.user the author
   * @param in.preview false: omits the preview
   * @param in.siteModerator see `Sending`
   */
  approvePending: {
    in: {
      room: string;
      id: string;
      user: string;
      by: string;
      preview?: boolean;
      siteModerator?: boolean;
      at: number;
    };
    out: { message: StoredMessage };
  };
  /**
   * Rejects a pending message. Its author sees it until it is discarded. Codes: `unknown_room`, `unknown_message` (not
   * pending, or `by` may not decide there), `forbidden` (the moderator's own message).
   */
  rejectPending: {
    in: { room: string; id: string; by: string; siteModerator?: boolean; reason?: string; at: number };
    out: Nothing;
  };
  /** Discards a pending or rejected message. No-op if its author is not `user`. */
  discardPending: { in: { room: string; id: string; user: string; at: number }; out: Nothing };
  /** Discards pending and rejected messages after their retention time: see `pendingBefore`. */
  forgetPending: { in: { of: readonly { room: string; id: string }[]; at: number }; out: Nothing };
  /** Stores the preview of a pending message: see `preview`. */
  pendingPreview: {
    in: { room: string; id: string } & Pick<PreviewWrites['preview']['in'], 'url' | 'page' | 'at'>;
    out: { changed: boolean };
  };
}

export interface PendingReads {
  pendingMessage: { in: { id: string }; out: PendingMessage | null };
  /** The pending and rejected messages of a user in all rooms, oldest first. */
  pendingBy: { in: { user: string }; out: PendingMessage[] };
  /**
   * The pending messages in `rooms` and (`everyPublic`) in all public rooms but `except`, newest first, paginated like
   * `reports`.
   */
  pendingIn: {
    in: {
      rooms: readonly string[];
      everyPublic: boolean;
      except?: readonly string[];
      from?: string;
      limit: number;
    };
    out: { held: PendingMessage[]; next?: string };
  };
  /** The oldest pending and rejected messages that were sent before `before`. */
  pendingBefore: { in: { before: number; limit: number }; out: { room: string; id: string }[] };
  /**
   * Whether the user has an undeleted message in `room`, or in another room that the site created: a public room where
   * the user is not banned, or a room where the user is a member.
   */
  hasWritten: { in: { user: string; room: string }; out: boolean };
}

export const hold: Rule<PendingWrites['hold']> = {
  adds: true,
  needs: (input) => [...sendNeeds(input), rows(pendingMessages, { room: input.room, user: input.user.id })],
  run(work, input, changes) {
    const { room: id, user, clientId, sentAt, why, waited } = input;
    const reserved = waited?.files ?? [];
    const fingerprint = saidBy(input);
    const room = requireRoom(work, id);
    const member = getMember(work, id, user.id);
    if (input.asMember && !isMember(member)) refuse('unknown_room');
    const ownPending = work.find(pendingMessages, { room: id, user: user.id });
    const earlier = ownPending.find((message) => message.clientId === clientId);
    if (earlier !== undefined) {
      if (earlier.digest !== digestOf(work, input, fingerprint)) refuse('conflict', sameClientId);
      return { held: earlier, repeated: true };
    }
    const repeat = repeatOf(work, input, fingerprint);
    if (repeat !== null) return { message: repeat, repeated: true };
    const skipsApproval = () => mayPost(work, room, input) || isConversation(room);
    if (why === null || skipsApproval()) {
      return post(work, input, fingerprint, changes, (_, free) =>
        contentOf(work, room, input, { free, reserved }),
      );
    }
    const content = waitingContentOf(work, room, input, reserved);
    checkPause(room, member, input);
    requireBelowLimit(ownPending);
    const pending: PendingMessage = {
      id: randomUUID(),
      room: id,
      user: user.id,
      clientId,
      why,
      at: sentAt,
      content,
      digest: digestOf(work, input, fingerprint),
    };
    storePending(work, pending, changes);
    // Slow mode counts from the time of sending, not of the approval.
    if (isMember(member)) setMember(work, id, user.id, { ...member, wroteAt: sentAt });
    return { held: pending, repeated: false };
  },
};

const holdEdit: Rule<PendingWrites['holdEdit']> = {
  adds: true,
  needs: (input) => [...editNeeds(input), rows(pendingMessages, { room: input.room, user: input.user })],
  run(work, input, changes) {
    const { room: id, seq, user, at, why } = input;
    const { room, before, free } = mayEdit(work, input);
    const edited = editedTo(work, room, before, input, { free, reserved: filesOfEdit(work, before) });
    if (free || edited === null || isConversation(room)) return edit.run(work, input, changes);
    const others = work.find(pendingMessages, { room: id, user }).filter((message) => message.seq !== seq);
    requireBelowLimit(others);
    discardEdit(work, before, at, changes);
    const pending: PendingMessage = {
      id: randomUUID(),
      room: id,
      user,
      // Clients cannot send this ID.
      clientId: `edit ${seq}`,
      seq,
      why,
      at,
      content: pick(
        {
          ...input,
          files: input.files && (edited.files ?? []),
          preview: edited.preview === before.preview ? undefined : edited.preview,
        } as WaitingContent,
        waitingFields,
      ),
      digest: '',
    };
    storePending(work, pending, changes);
    return { held: pending };
  },
};

const pendingPreview: Rule<PendingWrites['pendingPreview']> = {
  adds: true,
  needs: ({ room, id, page }) => [
    rows(pendingMessages, { room, id }),
    ...(page?.image === undefined ? [] : [fileNeed(page.image.id)]),
  ],
  run(work, { room: roomId, id, url, page, at }, changes) {
    const room = requireRoom(work, roomId);
    const [pending] = work.find(pendingMessages, { room: roomId, id });
    const { image } = page ?? {};
    const file = image && getFile(work, roomId, image.id);
    // An erasure of the author drops the file. Its later stages would not find an image that is stored here.
    const isErased = image !== undefined && file?.state !== 'loose';
    const { preview } = pending?.content ?? {};
    const awaitsPage = pending?.closed === undefined && preview?.url === url && preview.title === undefined;
    if (pending === undefined || !awaitsPage || page === undefined || isErased || !showsPreviews(room)) {
      if (file?.state === 'loose') setFile(work, { ...file, state: 'dropped', at });
      return { changed: false };
    }
    if (file !== undefined) setFile(work, { ...file, at: reservedAt });
    work.put(pendingMessages, { ...pending, content: { ...pending.content, preview: { url, ...page } } });
    recordPendingChange(pending, { is: 'held' }, changes);
    return { changed: true };
  },
};

const approvePending: Rule<PendingWrites['approvePending']> = {
  adds: true,
  needs: ({ room, id, user, by }) => [
    rows(pendingMessages, { room, id }),
    memberNeed(room, user),
    memberNeed(room, by),
    userNeed(user),
  ],
  run(work, input, changes) {
    const { room, by, preview = true, at } = input;
    const stored = requirePending(work, input);
    const { content } = stored;
    const pending = { ...stored, content: preview ? content : { ...content, preview: undefined } };
    const message =
      pending.seq === undefined
        ? approve(work, pending, at, changes)
        : approveEdit(work, pending, pending.seq, at, changes);
    dropPending(work, stored, { at, is: 'approved', by }, changes);
    tellAct(changes, {
      kind: 'approved',
      by,
      user: pending.user,
      room: requireRoom(work, room),
      seq: message.seq,
    });
    return { message };
  },
};

const rejectPending: Rule<PendingWrites['rejectPending']> = {
  needs: ({ room, id, by }) => [rows(pendingMessages, { room, id }), memberNeed(room, by)],
  run(work, input, changes) {
    const { room, by, reason, at } = input;
    const pending = requirePending(work, input);
    const closed = { at, reason };
    work.put(pendingMessages, { ...pending, closed });
    recordPendingChange(pending, { is: 'rejected', by }, changes);
    tellAct(changes, {
      kind: 'rejected',
      by,
      user: pending.user,
      room: requireRoom(work, room),
      seq: pending.seq,
      reason,
    });
    return {};
  },
};

const discardPending: Rule<PendingWrites['discardPending']> = {
  needs: ({ room, id }) => [rows(pendingMessages, { room, id })],
  run(work, { room, id, user, at }, changes) {
    const [message] = work.find(pendingMessages, { room, id });
    if (message !== undefined && message.user === user)
      dropPending(work, message, { at, is: 'discarded' }, changes);
    return {};
  },
};

const forgetPending: Rule<PendingWrites['forgetPending']> = {
  needs: ({ of }) => of.map(({ room, id }) => rows(pendingMessages, { room, id })),
  run(work, { of, at }, changes) {
    for (const { room, id } of of) {
      if (getRoom(work, room) === undefined) continue;
      for (const message of work.find(pendingMessages, { room, id }))
        dropPending(work, message, { at, is: 'discarded' }, changes);
    }
    return {};
  },
};

const notMember = 'the author is no longer a member';

/** Publishes the message as the newest one of the room, with its original `id` and `clientId`. */
function approve(work: Work, pending: PendingMessage, at: number, changes: Change[]): StoredMessage {
  const { id, clientId, digest } = pending;
  const room = requireRoom(work, pending.room);
  const user = named(work, pending.user);
  const member = getMember(work, room.id, user.id);
  if (!isMember(member)) refuse('forbidden', notMember);
  // Already published, because the client sent it again while messages needed no approval.
  const sent = getMessageByClientId(work, room.id, user.id, clientId);
  if (sent !== undefined && sent.digest !== digest) refuse('conflict', sameClientId);
  if (sent !== undefined) return sent.message;
  mayPost(work, room, { user, sentAt: at, asMember: true });
  const { files = [], preview } = pending.content;
  const content = contentOf(
    work,
    room,
    { room: room.id, user, ...toNewContent(pending.content) },
    { free: false, reserved: files.map(({ id }) => id) },
  );
  const author = { id: user.id, name: user.name };
  const shown = { ...content, preview: previewToShow(work, room, preview) };
  const message = appendMessage(
    work,
    room,
    { id, clientId, user: author, sentAt: at, ...shown },
    digest,
    changes,
  );
  attachPicture(work, message, at);
  recordWriting(work, message, { waited: true }, changes);
  tellPosted(work, room, message, changes);
  return message;
}

function approveEdit(
  work: Work,
  pending: PendingMessage,
  seq: number,
  at: number,
  changes: Change[],
): StoredMessage {
  if (!isMember(getMember(work, pending.room, pending.user))) refuse('forbidden', notMember);
  const { room, before } = mayEdit(work, { room: pending.room, seq, user: pending.user, at });
  const { content } = pending;
  const input = { ...toNewContent(content), preview: firstPage(content.text) ?? undefined };
  const edited = editedTo(work, room, before, input, { free: false, reserved: filesOfEdit(work, before) });
  if (edited === null) return before;
  const { preview: next, ...rest } = edited;
  const shown = next === before.preview ? next : previewToShow(work, room, content.preview);
  const edit = { ...rest, preview: shown, at };
  const message = storeEdit(work, room, before, edit, changes);
  attachPicture(work, message, at);
  return message;
}

/**
 * Returns the preview that the moderator saw, without the image if its file was dropped. Undefined if the page was not
 * fetched before the approval, so that no unseen content is published.
 */
function previewToShow(work: Work, room: RoomRow, preview: Preview | undefined): Preview | undefined {
  if (preview?.title === undefined || !showsPreviews(room)) return undefined;
  const { image, ...page } = preview;
  const file = image && getFile(work, room.id, image.id);
  return file !== undefined && isReserved(file) ? preview : page;
}

function attachPicture(work: Work, { room, seq, preview }: StoredMessage, at: number): void {
  const file = preview?.image && getFile(work, room, preview.image.id);
  if (file !== undefined && isReserved(file)) setFile(work, { ...file, state: 'carried', seq, at });
}

function storePending(work: Work, pending: PendingMessage, changes: Change[]): void {
  work.put(pendingMessages, pending);
  keepFiles(work, pending);
  recordPendingChange(pending, { is: 'held' }, changes);
}

/**
 * Returns the pending message. Checks the right of the moderator like `decidesIn` in chat/access.ts, because another
 * server may have revoked it.
 * @throws RequestError `unknown_room`, `unknown_message` or `forbidden`
 */
function requirePending(
  work: Work,
  {
    room,
    id,
    by,
    siteModerator,
  }: Pick<PendingWrites['rejectPending']['in'], 'room' | 'id' | 'by' | 'siteModerator'>,
): PendingMessage {
  const { kind } = requireRoom(work, room);
  const member = getMember(work, room, by);
  const canRead = kind === 'public' ? !isBanned(member) : isMember(member);
  const canDecide = canRead && isModerator(member, siteModerator);
  const [pending] = work.find(pendingMessages, { room, id });
  if (pending === undefined || pending.closed !== undefined || !canDecide) refuse('unknown_message');
  if (pending.user === by) refuse('forbidden', 'moderators cannot approve or reject their own messages');
  return pending;
}

/** Checks that the user may have one more pending message. @throws RequestError `limit_reached` */
function requireBelowLimit(pendingInRoom: readonly PendingMessage[]): void {
  if (pendingInRoom.length >= maxPendingOfUser) refuse('limit_reached', pendingLimitReason);
}

const selectPending = sql`SELECT held.num AS num, rooms.id AS room_id, kind, ${columnsOf(pendingMessages, 'held')}
  FROM chat_held AS held JOIN chat_rooms AS rooms ON rooms.num = held.room`;

const pendingFrom = (row: Row) => rowFrom(pendingMessages, row, row.room_id as string);

/** Returns the maximum size in bytes of a pending message in a response, including its author's name. */
const sizeOfPending = (message: PendingMessage): number =>
  Buffer.byteLength(JSON.stringify(message)) + mostNameBytes;

const reads: ReadsOf<PendingReads> = {
  *pendingMessage(_, { id }) {
    const [row] = yield* ask(sql`${selectPending} WHERE held.id = ${id}`);
    return row === undefined ? null : pendingFrom(row);
  },
  *pendingBy(_, { user }) {
    const rows = yield* ask(sql`${selectPending} WHERE user_id = ${user} ORDER BY held.num`);
    return rows.map(pendingFrom);
  },
  *pendingIn({ dialect, cursors }, { rooms, everyPublic, except = [], from, limit }) {
    const before = cursors.open('held', from);
    const inRooms = (ids: readonly string[]) =>
      ids.length === 0 ? raw('1 = 0') : inList(dialect, 'room_id', ids);
    const isPublic = everyPublic ? sql`(kind = 'public' AND NOT (${inRooms(except)}))` : raw('1 = 0');
    const rows = yield* ask(
      sql`SELECT * FROM (${selectPending} WHERE held.num < ${before} AND closed IS NULL) AS waiting
          WHERE ${inRooms(rooms)} OR ${isPublic} ORDER BY num DESC LIMIT ${limit + 1}`,
    );
    const { page, last } = cutPageBySize(rows, limit, pendingFrom, sizeOfPending);
    return { held: page, next: last && cursors.seal('held', last.num as number) };
  },
  *pendingBefore(_, { before, limit }) {
    const rows = yield* ask(sql`${selectPending} WHERE at < ${before} ORDER BY at LIMIT ${limit}`);
    return rows.map(pendingFrom).map(({ room, id }) => ({ room, id }));
  },
  *hasWritten({ dialect }, { user, room }) {
    // An erasure deletes `created_by`. The prefix of the ID still shows that a user created the room.
    const isFromSite = raw("created_by IS NULL AND substr(id, 1, 2) <> 'u-'");
    // Public rooms come last, because there are many, and most users wrote in one of their own rooms.
    for (const condition of [
      sql`id = ${room}`,
      sql`${isFromSite} AND kind <> 'direct' AND num IN (
            SELECT room FROM chat_members WHERE user_id = ${user} AND sources <> 0)`,
      sql`${isFromSite} AND kind = 'public' AND num NOT IN (
            SELECT room FROM chat_members WHERE user_id = ${user} AND held IS NOT NULL)`,
    ]) {
      const hasMessage = yield* hasRows(
        sql`SELECT 1 AS num FROM (SELECT num FROM chat_rooms WHERE ${condition}) AS rooms
            CROSS JOIN chat_messages AS messages ${dialect.by('chat_messages_by_author')}
            WHERE messages.room = rooms.num AND messages.user_id = ${user} AND deleted_at IS NULL LIMIT 1`,
      );
      if (hasMessage) return true;
    }
    return false;
  },
};

export const pendingSubject = subject<PendingWrites, PendingReads>({
  tables: [pendingMessages],
  rules: { hold, holdEdit, approvePending, rejectPending, discardPending, forgetPending, pendingPreview },
  reads,
});
