import { randomUUID } from 'node:crypto';
import type { HoldReason, MessageFile, Preview } from '../../wire/events.ts';
import { firstPage } from '../../wire/links.ts';
import type { Change } from '../changes.ts';
import { ask, inList, raw, sql } from '../engine/dialect.ts';
import { columnsOf, cutPageBySize, hasRows, type ReadsOf } from '../engine/read.ts';
import { type Nothing, type Rule, refuse } from '../engine/rule.ts';
import { type Row, rowFrom } from '../engine/table.ts';
import { rows, type Work } from '../engine/work.ts';
import { isHeld, waitsSince } from '../files/file.ts';
import { fileNeed, getFile, setFile } from '../files/loaded.ts';
import { getMember, memberNeed, setMember } from '../members/loaded.ts';
import { acted, isBanned, isMember } from '../members/member.ts';
import { isModerator } from '../members/membership.ts';
import { getMessageByClientId } from '../messages/loaded.ts';
import { mostNameBytes, type StoredMessage } from '../messages/message.ts';
import { edit, editedTo, editNeeds, type MessageWrites, mayEdit, storeEdit } from '../messages/messages.ts';
import {
  appendMessage,
  checkPause,
  contentOf,
  mayPost,
  post,
  repeatOf,
  saidBy,
  sameClientId,
  sendNeeds,
  tellPosted,
} from '../messages/posting.ts';
import { type PreviewWrites, showsPreviews } from '../messages/previews.ts';
import { userNeed } from '../people/loaded.ts';
import { named } from '../people/users.ts';
import { getRoom } from '../rooms/loaded.ts';
import type { RoomRow } from '../rooms/room.ts';
import { requireRoom } from '../rooms/room-changes.ts';
import { tellAct } from './acts.ts';
import {
  discardEdit,
  dropHeld,
  filesOfEdit,
  held,
  keepFiles,
  mostHeld,
  type StoredHeld,
  tellHeld,
} from './waiting.ts';

// Messages that wait for a moderator. They are in a table of their own, so that nothing that reads messages finds them.

export interface HeldWrites {
  /**
   * As `send`, but the message waits for a moderator, unless its author may write there as a moderator, or the room is a
   * direct one. `why` null: it does not have to, but may be a repeat of one that waits. More codes: `limit_reached`
   * (`mostHeld`).
   */
  hold: {
    in: MessageWrites['send']['in'] & { why: HoldReason | null };
    out: MessageWrites['send']['out'] | { held: StoredHeld; repeated: boolean };
  };
  /** As `edit`, but the edit waits likewise; the message stays as it is, and an edit of it that waited is discarded. */
  holdEdit: {
    in: MessageWrites['edit']['in'] & { why: HoldReason };
    out: MessageWrites['edit']['out'] | { held: StoredHeld };
  };
  /**
   * The message gets its place in the room, or the edit is made, as if it was sent now. Codes: `unknown_room`,
   * `unknown_message` (it does not wait, or `by` does not decide there any more), `forbidden` (one's own, or the author may
   * not write there any more), and those of `send` and `edit`.
   * @param in.user the author
   * @param in.preview false: without its preview
   * @param in.siteModerator see `Sending`
   */
  approveHeld: {
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
   * Its author sees it until it is discarded. Codes: `unknown_room`, `unknown_message` (it does not wait, or `by` does not
   * decide there any more), `forbidden` (one's own).
   */
  rejectHeld: {
    in: { room: string; id: string; by: string; siteModerator?: boolean; reason?: string; at: number };
    out: Nothing;
  };
  /** If it is this user's. */
  discardHeld: { in: { room: string; id: string; user: string; at: number }; out: Nothing };
  /** Discards messages that have waited for too long: see `heldBefore`. */
  forgetHeld: { in: { of: readonly { room: string; id: string }[]; at: number }; out: Nothing };
  /** The same for a message that waits for a moderator. */
  heldPreview: {
    in: { room: string; id: string } & Pick<PreviewWrites['preview']['in'], 'url' | 'page' | 'at'>;
    out: { changed: boolean };
  };
}

export interface HeldReads {
  held: { in: { id: string }; out: StoredHeld | null };
  /** The messages of a user that wait or were rejected, in all rooms, the oldest first. */
  heldBy: { in: { user: string }; out: StoredHeld[] };
  /** The messages that wait in these rooms and (`everyPublic`) in all public ones but `except`, newest first; pages as those of `reports`. */
  heldIn: {
    in: {
      rooms: readonly string[];
      everyPublic: boolean;
      except?: readonly string[];
      from?: string;
      limit: number;
    };
    out: { held: StoredHeld[]; next?: string };
  };
  /** The oldest ones that were sent before that time. */
  heldBefore: { in: { before: number; limit: number }; out: { room: string; id: string }[] };
  /**
   * Whether a message of the user is in that room, or in one that the site has made: a public one from which the user is not
   * banned, or one of the user's.
   */
  hasWritten: { in: { user: string; room: string }; out: boolean };
}

export const hold: Rule<HeldWrites['hold']> = {
  adds: true,
  needs: (input) => [...sendNeeds(input), rows(held, { room: input.room, user: input.user.id })],
  run(work, input, changes) {
    const { room: id, user, clientId, sentAt, why } = input;
    const said = saidBy(input);
    const room = requireRoom(work, id);
    const member = getMember(work, id, user.id);
    if (input.asMember && !isMember(member)) refuse('unknown_room');
    const waiting = work.find(held, { room: id, user: user.id });
    const earlier = waiting.find((one) => one.clientId === clientId);
    if (earlier !== undefined) {
      if (earlier.digest !== work.digest(said)) refuse('conflict', sameClientId);
      return { held: earlier, repeated: true };
    }
    const repeat = repeatOf(work, input, said);
    if (repeat !== null) return { message: repeat, repeated: true };
    const isFree = () => mayPost(work, room, input) || room.kind === 'direct';
    if (why === null || isFree()) {
      return post(work, input, said, changes, (_, free) => contentOf(work, room, input, { free }));
    }
    const { files } = contentOf(work, room, input, { free: false });
    checkPause(room, member, input);
    checkRoom(waiting);
    const { text, replyTo, mentions, preview } = input;
    const one: StoredHeld = {
      id: randomUUID(),
      room: id,
      user: user.id,
      clientId,
      why,
      at: sentAt,
      message: contents({
        text,
        replyTo,
        files,
        mentions,
        preview: preview === undefined || !showsPreviews(room) ? undefined : { url: preview },
      }),
      digest: work.digest(said),
    };
    keep(work, one, changes);
    // Slow mode counts at sending.
    if (isMember(member)) setMember(work, id, user.id, { ...member, wroteAt: sentAt });
    return { held: one, repeated: false };
  },
};

export const holdEdit: Rule<HeldWrites['holdEdit']> = {
  adds: true,
  needs: (input) => [...editNeeds(input), rows(held, { room: input.room, user: input.user })],
  run(work, input, changes) {
    const { room: id, seq, user, at, why, text, files: chosen, mentions } = input;
    const { room, before, free } = mayEdit(work, input);
    const to = editedTo(work, room, before, input, { free, held: filesOfEdit(work, before) });
    if (free || to === null || room.kind === 'direct') return edit.run(work, input, changes);
    const others = work.find(held, { room: id, user }).filter((one) => one.seq !== seq);
    checkRoom(others);
    discardEdit(work, before, at, changes);
    const files = chosen === undefined ? undefined : (to.files ?? []);
    const one: StoredHeld = {
      id: randomUUID(),
      room: id,
      user,
      // No client can give this id.
      clientId: `edit ${seq}`,
      seq,
      why,
      at,
      message: contents({
        text,
        files,
        mentions,
        preview: to.preview === before.preview ? undefined : to.preview,
      }),
      digest: '',
    };
    keep(work, one, changes);
    return { held: one };
  },
};

export const heldPreview: Rule<HeldWrites['heldPreview']> = {
  adds: true,
  needs: ({ room, id, page }) => [
    rows(held, { room, id }),
    ...(page?.image === undefined ? [] : [fileNeed(page.image.id)]),
  ],
  run(work, { room: roomId, id, url, page, at }, changes) {
    const room = requireRoom(work, roomId);
    const [one] = work.find(held, { room: roomId, id });
    const { image } = page ?? {};
    const file = image && getFile(work, roomId, image.id);
    // Its author may have been erased since: no stage would find the picture.
    const isErased = image !== undefined && file?.state !== 'loose';
    const { preview } = one?.message ?? {};
    const waits = one?.closed === undefined && preview?.url === url && preview.title === undefined;
    if (one === undefined || !waits || page === undefined || isErased || !showsPreviews(room)) {
      if (file?.state === 'loose') setFile(work, { ...file, state: 'dropped', at });
      return { changed: false };
    }
    if (file !== undefined) setFile(work, { ...file, at: waitsSince });
    work.put(held, { ...one, message: { ...one.message, preview: { url, ...page } } });
    tellHeld(one, { is: 'held' }, changes);
    return { changed: true };
  },
};

export const approveHeld: Rule<HeldWrites['approveHeld']> = {
  adds: true,
  needs: ({ room, id, user, by }) => [
    rows(held, { room, id }),
    memberNeed(room, user),
    memberNeed(room, by),
    userNeed(user),
  ],
  run(work, input, changes) {
    const { room, by, preview = true, at } = input;
    const stored = waitingFor(work, input);
    const { preview: page, ...said } = stored.message;
    const one = { ...stored, message: preview && page !== undefined ? { ...said, preview: page } : said };
    const message =
      one.seq === undefined ? approve(work, one, at, changes) : approveEdit(work, one, one.seq, at, changes);
    dropHeld(work, stored, { at, is: 'approved', by }, changes);
    tellAct(changes, {
      kind: 'approved',
      by,
      user: one.user,
      room: requireRoom(work, room),
      seq: message.seq,
    });
    return { message };
  },
};

export const rejectHeld: Rule<HeldWrites['rejectHeld']> = {
  needs: ({ room, id, by }) => [rows(held, { room, id }), memberNeed(room, by)],
  run(work, input, changes) {
    const { room, by, reason, at } = input;
    const one = waitingFor(work, input);
    const closed = { at, ...(reason === undefined ? {} : { reason }) };
    work.put(held, { ...one, closed });
    tellHeld(one, { is: 'rejected', by }, changes);
    tellAct(changes, {
      kind: 'rejected',
      by,
      user: one.user,
      room: requireRoom(work, room),
      seq: one.seq,
      reason,
    });
    return {};
  },
};

export const discardHeld: Rule<HeldWrites['discardHeld']> = {
  needs: ({ room, id }) => [rows(held, { room, id })],
  run(work, { room, id, user, at }, changes) {
    const [one] = work.find(held, { room, id });
    if (one !== undefined && one.user === user) dropHeld(work, one, { at, is: 'discarded' }, changes);
    return {};
  },
};

export const forgetHeld: Rule<HeldWrites['forgetHeld']> = {
  needs: ({ of }) => of.map(({ room, id }) => rows(held, { room, id })),
  run(work, { of, at }, changes) {
    for (const { room, id } of of) {
      if (getRoom(work, room) === undefined) continue;
      for (const one of work.find(held, { room, id })) dropHeld(work, one, { at, is: 'discarded' }, changes);
    }
    return {};
  },
};

const noMember = 'the author is no member any more';

/** Takes its place as the newest message of the room, with the id and the `clientId` under which it was sent. */
function approve(work: Work, one: StoredHeld, at: number, changes: Change[]): StoredMessage {
  const { id, clientId, digest } = one;
  const room = requireRoom(work, one.room);
  const user = named(work, one.user);
  const member = getMember(work, room.id, user.id);
  if (!isMember(member)) refuse('forbidden', noMember);
  // It was sent a second time while messages were not held.
  const sent = getMessageByClientId(work, room.id, user.id, clientId);
  if (sent !== undefined && sent.digest !== digest) refuse('conflict', sameClientId);
  if (sent !== undefined) return sent.message;
  mayPost(work, room, { user, sentAt: at, asMember: true });
  const { files = [], preview, ...said } = one.message;
  const content = contentOf(
    work,
    room,
    { room: room.id, user, ...said, files: files.map(chosenOf) },
    { free: false, held: files.map(({ id }) => id) },
  );
  const { text, ...more } = content;
  const shown = previewToShow(work, room, preview);
  const author = { id: user.id, name: user.name };
  const message = appendMessage(
    work,
    room,
    {
      id,
      clientId,
      user: author,
      text,
      sentAt: at,
      ...more,
      ...(shown === undefined ? {} : { preview: shown }),
    },
    digest,
    changes,
  );
  carryPicture(work, message, at);
  const now = getMember(work, room.id, user.id) ?? member;
  // An author who had read everything has read this, too.
  const readSeq = now.readSeq === message.seq - 1 ? message.seq : now.readSeq;
  setMember(work, room.id, user.id, { ...now, readSeq, acted: acted.written });
  if (readSeq !== now.readSeq) changes.push({ type: 'read', room: room.id, user: user.id, readSeq });
  tellPosted(work, room, message, changes);
  return message;
}

function approveEdit(work: Work, one: StoredHeld, seq: number, at: number, changes: Change[]): StoredMessage {
  if (!isMember(getMember(work, one.room, one.user))) refuse('forbidden', noMember);
  const { room, before } = mayEdit(work, { room: one.room, seq, user: one.user, at });
  const { files, preview, ...said } = one.message;
  const page = firstPage(said.text);
  const input = {
    ...said,
    ...(files === undefined ? {} : { files: files.map(chosenOf) }),
    ...(page === null ? {} : { preview: page }),
  };
  const to = editedTo(work, room, before, input, { free: false, held: filesOfEdit(work, before) });
  if (to === null) return before;
  const { preview: next, ...rest } = to;
  const shown = next === before.preview ? next : previewToShow(work, room, preview);
  const edited = { ...rest, ...(shown === undefined ? {} : { preview: shown }), at };
  const message = storeEdit(work, room, before, edited, changes);
  carryPicture(work, message, at);
  return message;
}

/** The preview that the moderator has seen. One that was not there yet is not shown later either. */
function previewToShow(work: Work, room: RoomRow, preview: Preview | undefined): Preview | undefined {
  if (preview?.title === undefined || !showsPreviews(room)) return undefined;
  const { image, ...page } = preview;
  const file = image && getFile(work, room.id, image.id);
  return file !== undefined && isHeld(file) ? preview : page;
}

function carryPicture(work: Work, { room, seq, preview }: StoredMessage, at: number): void {
  const file = preview?.image && getFile(work, room, preview.image.id);
  if (file !== undefined && isHeld(file)) setFile(work, { ...file, state: 'carried', seq, at });
}

function keep(work: Work, one: StoredHeld, changes: Change[]): void {
  work.put(held, one);
  keepFiles(work, one);
  tellHeld(one, { is: 'held' }, changes);
}

/**
 * The message, if that moderator may decide about it now, as `decidesIn` of the chat says: another server may have taken
 * the right away.
 */
function waitingFor(
  work: Work,
  {
    room,
    id,
    by,
    siteModerator,
  }: Pick<HeldWrites['rejectHeld']['in'], 'room' | 'id' | 'by' | 'siteModerator'>,
): StoredHeld {
  const { kind } = requireRoom(work, room);
  const member = getMember(work, room, by);
  const reads = kind === 'public' ? !isBanned(member) : isMember(member);
  const decides = reads && isModerator(member, siteModerator);
  const [one] = work.find(held, { room, id });
  if (one === undefined || one.closed !== undefined || !decides) refuse('unknown_message');
  if (one.user === by) refuse('forbidden', 'nobody decides about a message of their own');
  return one;
}

function checkRoom(waiting: readonly StoredHeld[]): void {
  if (waiting.length >= mostHeld)
    refuse('limit_reached', `${mostHeld} messages wait for a moderator already`);
}

const chosenOf = ({ id, alt }: MessageFile) => ({ id, ...(alt === undefined ? {} : { alt }) });

/** Without the fields that are not given. */
const contents = (
  given: { [Field in keyof StoredHeld['message']]: StoredHeld['message'][Field] | undefined },
) =>
  Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as unknown as StoredHeld['message'];

const selectHeld = sql`SELECT held.num AS num, rooms.id AS room_id, kind, ${columnsOf(held, 'held')}
  FROM chat_held AS held JOIN chat_rooms AS rooms ON rooms.num = held.room`;

const heldFrom = (row: Row) => rowFrom(held, row, row.room_id as string);

/** Most bytes of a pending message in a response, with the name of its author. */
const sizeOfHeld = (message: StoredHeld): number =>
  Buffer.byteLength(JSON.stringify(message)) + mostNameBytes;

export const heldReads: ReadsOf<HeldReads> = {
  *held(_, { id }) {
    const [row] = yield* ask(sql`${selectHeld} WHERE held.id = ${id}`);
    return row === undefined ? null : heldFrom(row);
  },
  *heldBy(_, { user }) {
    const rows = yield* ask(sql`${selectHeld} WHERE user_id = ${user} ORDER BY held.num`);
    return rows.map(heldFrom);
  },
  *heldIn({ dialect, cursors }, { rooms, everyPublic, except = [], from, limit }) {
    const before = cursors.open('held', from);
    const inRooms = (ids: readonly string[]) =>
      ids.length === 0 ? raw('1 = 0') : inList(dialect, 'room_id', ids);
    const isPublic = everyPublic ? sql`(kind = 'public' AND NOT (${inRooms(except)}))` : raw('1 = 0');
    const rows = yield* ask(
      sql`SELECT * FROM (${selectHeld} WHERE held.num < ${before} AND closed IS NULL) AS waiting
          WHERE ${inRooms(rooms)} OR ${isPublic} ORDER BY num DESC LIMIT ${limit + 1}`,
    );
    const { page, last } = cutPageBySize(rows, limit, heldFrom, sizeOfHeld);
    return { held: page, ...(last && { next: cursors.seal('held', last.num as number) }) };
  },
  *heldBefore(_, { before, limit }) {
    const rows = yield* ask(sql`${selectHeld} WHERE at < ${before} ORDER BY at LIMIT ${limit}`);
    return rows.map(heldFrom).map(({ room, id }) => ({ room, id }));
  },
  *hasWritten({ dialect }, { user, room }) {
    // An erasure removes the creator of a user's room. The id still tells that a user created it.
    const isFromSite = raw("created_by IS NULL AND substr(id, 1, 2) <> 'u-'");
    // The public rooms come last because most users have written in one of their few own rooms.
    for (const condition of [
      sql`id = ${room}`,
      sql`${isFromSite} AND kind <> 'direct' AND num IN (
            SELECT room FROM chat_members WHERE user_id = ${user} AND sources <> 0)`,
      sql`${isFromSite} AND kind = 'public' AND num NOT IN (
            SELECT room FROM chat_members WHERE user_id = ${user} AND held IS NOT NULL)`,
    ]) {
      const isFound = yield* hasRows(
        sql`SELECT 1 AS num FROM (SELECT num FROM chat_rooms WHERE ${condition}) AS rooms
            CROSS JOIN chat_messages AS messages ${dialect.by('chat_messages_by_author')}
            WHERE messages.room = rooms.num AND messages.user_id = ${user} AND deleted_at IS NULL LIMIT 1`,
      );
      if (isFound) return true;
    }
    return false;
  },
};
