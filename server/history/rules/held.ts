import { randomUUID } from 'node:crypto';
import type { MessageFile, Preview } from '../../wire/events.ts';
import { firstPage } from '../../wire/links.ts';
import { rows, type Work } from '../engine/work.ts';
import { fileNeed, getFile, setFile } from '../files/loaded.ts';
import {
  acted,
  type Change,
  type HeldWrites,
  isBanned,
  isHeld,
  isMember,
  mostHeld,
  type StoredHeld,
  type StoredMessage,
  waitsSince,
} from '../history.ts';
import { getMember, memberNeed, setMember } from '../members/loaded.ts';
import { getMessageByClientId } from '../messages/loaded.ts';
import { userNeed } from '../people/loaded.ts';
import { getRoom } from '../rooms/loaded.ts';
import type { RoomRow } from '../rows.ts';
import { held } from '../tables.ts';
import { edit, editedTo, editNeeds, mayEdit, storeEdit } from './messages.ts';
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
} from './posting.ts';
import { showsPreviews } from './previews.ts';
import { existing, isModerator, named, refuse, tellAct } from './room-changes.ts';
import type { Rule } from './rule.ts';
import { discardEdit, dropHeld, filesOfEdit, keepFiles, tellHeld } from './waiting.ts';
// Messages that wait for a moderator. They are in a table of their own, so that nothing that reads messages finds them.

export const hold: Rule<HeldWrites['hold']> = {
  adds: true,
  needs: (input) => [...sendNeeds(input), rows(held, { room: input.room, user: input.user.id })],
  run(work, input, changes) {
    const { room: id, user, clientId, sentAt, why } = input;
    const said = saidBy(input);
    const room = existing(work, id);
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
    const room = existing(work, roomId);
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
    tellAct(changes, { kind: 'approved', by, user: one.user, room: existing(work, room), seq: message.seq });
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
      room: existing(work, room),
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
  const room = existing(work, one.room);
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
  const { kind } = existing(work, room);
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
