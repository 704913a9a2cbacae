import {
  type Ban,
  chosenNotify,
  deletedUser,
  otherOf,
  type Reads,
  type RoomRecord,
  type StoredMessage,
  wantsPreviews,
} from '../../history/history.ts';
import type { Chat } from '../chat.ts';
import { toScheduled } from '../later.ts';
import { toHeld } from '../moderation/shown-held.ts';
import { askedBy } from '../questions/state.ts';

/** Rows of one read, such as messages, reactions or reports. */
const atOnce = 500;

/** A file of the export. */
interface ExportedFile {
  name: string;
  bytes: AsyncIterable<string | Buffer>;
}

/**
 * Exports all stored data of a user, for that user: identity, mail address, rooms, invite links, blocked users,
 * devices, mutes and bans, own messages with their files, reactions, followed threads, reports, pins, pending and
 * scheduled messages, notes on questions, and audit entries. It omits data of others: reports lack the reported message and the decision,
 * restrictions lack the moderator, and audit entries lack the other user. A restriction in a private room is included
 * only if the user is a member, or if it is the ban that ended the membership. The data of guests that the user was
 * before logging in is in folders of their own.
 * @param open returns the bytes of a file by its `stored` ID; null if they do not exist
 * @returns null if the ID is not stored as a user, and no ban or mute of it can be included
 */
export async function exported(
  { history, directory }: Pick<Chat, 'history' | 'directory'>,
  id: string,
  open: (stored: string) => Promise<(AsyncIterable<Buffer> & { destroy(): unknown }) | null>,
): Promise<AsyncIterable<ExportedFile> | null> {
  const { user, memberships, blocked } = await history.read.user({ user: id });
  const banned = directory.banOf(id);
  const rooms = memberships.map(({ room }) => room.id);
  const laid = directory.restrictions.on(id);
  const lost = laid.flatMap(({ room, restriction }) => (restriction.endsMembership ? room : []));
  // Moderators can mute or ban any ID in their private room. The export must not reveal that room to the user.
  const isKnown = (room: string) => directory.room(room)?.record.kind === 'public' || rooms.includes(room);
  const restricted = laid.filter(({ room }) => isKnown(room) || lost.includes(room));
  const firstHere = (await history.read.arrival({ user: id }))?.at ?? 0;
  const here = await history.read.lastHere({ user: id, asker: id });
  const { notices, activeAt, notified, lastNotified } = await history.read.notices({ user: id });
  const { address: mailAddress } = await history.read.mailAddress({ user: id });
  if (user === null && banned === null && restricted.length === 0) return null;
  const pictures = await history.read.picturesBy({ user: id });
  const about = {
    user: { id, name: user?.name ?? id },
    siteRole: user?.siteRole,
    banned: banned === null ? undefined : withoutModerator(banned),
    // 0: the user never connected, or first connected before the server stored this time.
    since: firstHere || undefined,
    lastHere: here.at,
    hidden: here.hidden ? true : undefined,
    notices,
    activeAt,
    notified,
    lastNotified,
    mailAddress,
    rooms: memberships.map(({ room, member, since }) => ({
      id: room.id,
      kind: room.kind,
      ...(room.kind === 'direct' ? { with: otherOf(room.pair, id) ?? deletedUser.id } : { name: room.name }),
      role: member.role,
      since,
      readSeq: member.readSeq,
      wroteAt: member.wroteAt,
      notify: chosenNotify(room.kind, member),
      quietUntil: member.quietUntil,
      favourite: member.favourite,
      archived: member.archived === undefined ? undefined : true,
      previews: wantsPreviews(room, id) ? 'on' : undefined,
      ...(member.role === 'owner' ? ownedOf(room) : {}),
      question: askedBy(room, id),
    })),
    opened: await history.read.openedBy({ user: id }),
    // Pictures of rooms that this user uploaded.
    pictures: pictures.map(({ room, id }) => ({ room, file: id })),
    blocked,
    devices: (await history.read.devices({ user: id })).map(({ kind, name, at }) => ({
      kind,
      name,
      at,
    })),
    invites: (await history.read.invitesBy({ user: id })).map(({ room, at, until, uses, used }) => ({
      room,
      at,
      until,
      uses,
      used,
    })),
    restricted: restricted.map(({ room, kind, restriction: { until, reason } }) => ({
      room,
      kind,
      until,
      reason,
    })),
  };
  const files: { id: string; name: string }[] = pictures.map(({ id, name }) => ({ id, name }));
  /**
   * Hides names that the user may not know, and who reacted. Omits all reactions in rooms that the user may not read
   * now, because they may be newer than the loss of the room.
   */
  const withoutReactors = (message: StoredMessage) => {
    const { reactions, ...rest } = directory.messageOf(message);
    if (reactions === undefined || !isKnown(message.room) || lost.includes(message.room)) return rest;
    return { ...rest, reactions: reactions.map(({ emoji, count }) => ({ emoji, count })) };
  };
  async function* messages(): AsyncIterable<string> {
    for (let from: string | undefined = ''; from !== undefined; ) {
      const page: Reads['written']['out'] = await history.read.written({
        user: id,
        from,
        limit: atOnce,
      });
      for (const message of page.messages) files.push(...(message.files ?? []));
      if (page.messages.length > 0) yield lines(page.messages.map(withoutReactors));
      from = page.next;
    }
  }
  async function* reactions(): AsyncIterable<string> {
    for (let from: string | undefined = ''; from !== undefined; ) {
      const page: Reads['reactionsBy']['out'] = await history.read.reactionsBy({
        user: id,
        from,
        limit: atOnce,
      });
      if (page.reactions.length > 0) yield lines(page.reactions);
      from = page.next;
    }
  }
  async function* followed(): AsyncIterable<string> {
    for (let from: string | undefined = ''; from !== undefined; ) {
      const page: Reads['followedBy']['out'] = await history.read.followedBy({
        user: id,
        from,
        limit: atOnce,
      });
      if (page.threads.length > 0) yield lines(page.threads);
      from = page.next;
    }
  }
  async function* reports(): AsyncIterable<string> {
    let from: string | undefined;
    do {
      const page: Reads['reportsBy']['out'] = await history.read.reportsBy({
        user: id,
        from,
        limit: atOnce,
      });
      const own = page.reports.map(({ id, room, seq, reason, text, at }) => ({
        id,
        room,
        seq,
        reason,
        text,
        at,
      }));
      if (own.length > 0) yield lines(own);
      from = page.next;
    } while (from !== undefined);
  }
  async function* pins(): AsyncIterable<string> {
    for (let from: string | undefined = ''; from !== undefined; ) {
      const page: Reads['pinsBy']['out'] = await history.read.pinsBy({ user: id, from, limit: atOnce });
      if (page.pins.length > 0) yield lines(page.pins);
      from = page.next;
    }
  }
  async function* held(): AsyncIterable<string> {
    const own = await history.read.pendingBy({ user: id });
    for (const { content } of own) files.push(...(content.files ?? []));
    if (own.length > 0) yield lines((await toHeld(history, own)).map(({ user: _, ...one }) => one));
  }
  async function* scheduled(): AsyncIterable<string> {
    const own = await history.read.scheduledBy({ user: id });
    for (const { content } of own) files.push(...(content.files ?? []));
    if (own.length > 0) yield lines(own.map(toScheduled));
  }
  async function* notes(): AsyncIterable<string> {
    const own = await history.read.notesBy({ user: id });
    if (own.length > 0) yield lines(own.map(({ room, after, text, at }) => ({ room, after, text, at })));
  }
  async function* acts(): AsyncIterable<string> {
    for (let before: number | undefined = Number.MAX_SAFE_INTEGER; before !== undefined; ) {
      const page: Reads['acts']['out'] = await history.read.acts({
        of: { user: id, rooms, lost },
        before,
        limit: atOnce,
      });
      const shown = page.acts.flatMap(({ by, user, ...act }) => {
        if (by === id) return { ...act, as: 'moderator' };
        // The author of a message must not learn that it was reported.
        return act.kind === 'report_closed' ? [] : { ...act, as: 'user' };
      });
      if (shown.length > 0) yield lines(shown);
      before = page.next;
    }
  }
  return (async function* () {
    yield { name: 'about.json', bytes: once(`${JSON.stringify(about, null, 2)}\n`) };
    yield { name: 'messages.jsonl', bytes: messages() };
    yield { name: 'reactions.jsonl', bytes: reactions() };
    yield { name: 'followed.jsonl', bytes: followed() };
    yield { name: 'reports.jsonl', bytes: reports() };
    yield { name: 'pins.jsonl', bytes: pins() };
    yield { name: 'held.jsonl', bytes: held() };
    yield { name: 'scheduled.jsonl', bytes: scheduled() };
    yield { name: 'notes.jsonl', bytes: notes() };
    yield { name: 'acts.jsonl', bytes: acts() };
    for (const [file, name] of new Map(files.map(({ id, name }) => [id, name]))) {
      // A forwarded file has the bytes of the original.
      const found = await history.read.file({ id: file, user: id });
      const bytes = found && (await open(found.file.stored));
      if (bytes === null) continue;
      try {
        yield { name: `files/${file}/${name}`, bytes };
      } finally {
        // The client may disconnect before it reads this file. An open file handle that is never closed ends the
        // process.
        bytes.destroy();
      }
    }
    for (const guest of await history.read.claimedBy({ user: id }))
      for await (const { name, bytes } of (await exported({ history, directory }, guest, open)) ?? [])
        yield { name: `guests/${guest}/${name}`, bytes };
  })();
}

const withoutModerator = ({ by: _, ...ban }: Ban) => ban;

const ownedOf = ({ topic, settings }: RoomRecord) => ({
  topic,
  ...settings,
});

const lines = (values: readonly object[]): string =>
  values.map((value) => `${JSON.stringify(value)}\n`).join('');

async function* once(text: string): AsyncIterable<string> {
  yield text;
}
