import type { Reaction } from '../../wire/events.ts';
import type { Need, Work } from '../engine/work.ts';
import { type Erasable, type Erasure, type ErasureStage, erasureStages, stagesAgain } from '../erasure.ts';
import {
  type Change,
  deletedUser,
  erasureConsumer,
  everybody,
  isMember,
  type MemberRecord,
  namedReactors,
  otherOf,
  restrictionKinds,
  type StoredMessage,
  type Writes,
} from '../history.ts';
import { gone } from '../rows.ts';
import { bans, held, reports, rows, type Table, tables } from '../tables.ts';
import { releasePicture } from './previews.ts';
import {
  countMembers,
  countReports,
  existing,
  handOver,
  peopleIn,
  record,
  refuse,
  release,
  removeRoom,
  tellAct,
  tellMentions,
} from './room-changes.ts';
import type { Rule } from './rule.ts';
import { giveReply, isReply, removeReply } from './threads.ts';

/** The work of a stage on each of the rows that it finds. */
interface Step {
  needs(user: string, found: Erasable): Need[];
  run(work: Work, erasure: Erasure, found: Erasable, changes: Change[]): void;
}

export const steps: { [Stage in ErasureStage]: Step } = {
  begin: { needs: () => [], run() {} },

  /** A conversation stays with the other one, if that one has ever seen it. */
  directs: {
    needs: (user, { room }) => [{ what: 'lastMessage', room }, ...peopleIn(room, [user])],
    run(work, { user, at }, { room: id }, changes) {
      const { pair } = work.room(id) ?? {};
      const other = otherOf(pair, user);
      if (other === undefined) return;
      if (!isMember(work.member(id, other))) return removeRoom(work, existing(work, id), changes);
      removeMember(work, { room: id, user, at }, changes);
      const { pair: _, previewsOf: _wish, createdBy, ...room } = existing(work, id);
      work.putRoom({ ...room, ...(createdBy === other ? { createdBy } : {}) });
      changes.push({ type: 'room', is: 'changed', room: record(work, room) });
      work.noteErased(user, id);
    },
  },

  members: {
    needs: (user, { room }) => [{ what: 'lastMessage', room }, ...peopleIn(room, [user])],
    run(work, { user, at }, { room: id }, changes) {
      const room = work.room(id);
      if (room === undefined) return;
      // The other one was erased before: nobody is left to read it.
      if (room.kind === 'direct' && room.pair === undefined) return removeRoom(work, room, changes);
      removeMember(work, { room: id, user, at }, changes);
    },
  },

  made: {
    needs: (_user, { room }) => [{ what: 'room', id: room }],
    run(work, _erasure, { room: id }) {
      const { createdBy: _by, clientId: _id, ...room } = existing(work, id);
      work.putRoom(room);
    },
  },

  restricted: {
    needs: (_user, { room, user }) => [{ what: 'lastMessage', room }, ...peopleIn(room, [user])],
    run(work, { user }, { room: id, user: restricted }, changes) {
      const member = work.member(id, restricted);
      if (member?.restricted === undefined) return;
      const now = { ...member.restricted };
      for (const kind of restrictionKinds) {
        if (now[kind]?.by !== user) continue;
        now[kind] = { ...now[kind], by: deletedUser.id };
        const room = record(work, existing(work, id));
        changes.push({ type: 'restricted', room, user: restricted, kind, now: now[kind] });
      }
      work.putMember(id, restricted, { ...member, restricted: now });
    },
  },

  rows: {
    needs: (_user, { id }) => [rows(...rowNamed(id))],
    run(work, { user }, { id }, changes) {
      const [table, where] = rowNamed(id);
      const [found] = work.find(table, where);
      const left = found && table.erased?.without(found, user);
      if (left === undefined) return;
      work.remove(table, where);
      if (left.row !== null) {
        work.put(table, left.row);
        // The members of the room see it otherwise from now on.
        if ('room' in where) note(work, user, where.room as string);
      }
      if (left.change !== undefined) changes.push(left.change);
    },
  },

  files: {
    needs: () => [],
    run(work, _erasure, { id }) {
      work.eraseFile(id);
    },
  },

  person: {
    needs: () => [],
    run(work, { user }, _found, changes) {
      work.deleteUser(user);
      work.remove(bans, { user });
      changes.push({ type: 'ban', user, ban: null }, { type: 'erased', user });
    },
  },

  log: {
    needs: (_user, { id }) => [{ what: 'entry', num: Number(id) }],
    run(work, { user }, { id }) {
      work.eraseInLog(user, id);
    },
  },

  audit: {
    needs: () => [],
    run(work, { user }, { id }) {
      work.eraseAct(user, id);
    },
  },

  reports: {
    needs: (_user, { room, id, seq }) => [
      { what: 'lastMessage', room },
      { what: 'message', room, seq },
      rows(reports, { room, id }),
    ],
    run(work, erasure, { room: id, id: report }, changes) {
      const [known] = work.find(reports, { room: id, id: report });
      if (known === undefined) return;
      const { user, messages } = erasure;
      const { closed, message } = known;
      // The messages of the erased user are nobody's by now.
      const isOfNewUser = work.message(id, known.seq)?.user.id === user;
      const isOwn = message?.user.id === user && !isOfNewUser;
      const isCopy = isOwn || message?.forwarded?.user.id === user;
      const author = known.author === user && !isOfNewUser ? { author: deletedUser.id } : {};
      // As the message itself.
      const isToGo = isCopy && (messages === 'delete' || message?.text === '');
      if (known.by === user || isToGo) {
        work.remove(reports, known);
        const room = existing(work, id);
        // Of messages that are too old none counts.
        if (closed !== undefined || known.seq < room.firstSeq) return;
        countReports(work, room, -1);
        return void changes.push({
          type: 'report',
          room: record(work, existing(work, id)),
          id: report,
          closed: true,
        });
      }
      work.put(reports, {
        ...known,
        ...author,
        ...(message === undefined
          ? {}
          : { message: withoutMention(withoutOrigin(isOwn ? asNobodys(message) : message, user), user) }),
        ...(closed?.by === user ? { closed: { ...closed, by: deletedUser.id } } : {}),
      });
    },
  },

  /** Messages of others that wait for a moderator. */
  held: {
    needs: (_user, { room, id }) => [rows(held, { room, id })],
    run(work, { user }, { room, id }) {
      const [one] = work.find(held, { room, id });
      if (one !== undefined) work.put(held, { ...one, message: withoutMention(one.message, user) });
    },
  },

  reactions: {
    needs: (user, { room, seq, emoji }) => [
      { what: 'message', room, seq },
      { what: 'reaction', room, seq, emoji, user },
    ],
    run(work, { user }, { room: id, seq, emoji }) {
      const message = work.message(id, seq);
      work.putReaction(id, seq, emoji, user, null);
      const reacted = work.reacted(id, seq);
      if (message === undefined || reacted === undefined) return;
      const { reactions: before = [], ...kept } = message;
      const reactions = before.flatMap((one): Reaction[] => {
        if (one.emoji !== emoji) return [one];
        if (one.count === 1) return [];
        const { count, users } = one;
        // Somebody who has not been named so far may take the place.
        const isLong = count > namedReactors && users.includes(user);
        const rest = isLong
          ? work.reactors(id, seq, emoji, namedReactors)
          : users.filter((other) => other !== user);
        return [{ emoji, count: count - 1, users: rest }];
      });
      // The message keeps its `rev`, here and below: the room gets one new `rev` at the end, for all its changes.
      work.putReacted({ ...kept, ...(reactions.length === 0 ? {} : { reactions }) }, reacted);
      note(work, user, id);
    },
  },

  /** Messages of others stay as they are, but they no longer mention the user. */
  mentions: {
    needs: (_user, { room, seq }) => [{ what: 'message', room, seq }],
    run(work, { user }, { room: id, seq }) {
      const message = work.message(id, seq);
      if (message === undefined) return;
      work.updateMessage(withoutMention(message, user), message);
      note(work, user, id);
    },
  },

  messages: {
    needs: (_user, { room, seq }) => [{ what: 'message', room, seq }],
    run(work, { user, at, messages }, { room: id, seq }, changes) {
      const before = work.message(id, seq);
      if (before === undefined) return;
      const after = asNobodys(before);
      // A message that had only files is empty now.
      const isToGo = messages === 'delete' || after.text === '';
      const message = isToGo && after.deletedAt === undefined ? deleted(after, at) : after;
      work.eraseMessage(message, before);
      // It may have come after the stage of the files.
      releasePicture(work, before, at);
      tellMentions(message, before, changes);
      if (isReply(before) && before.deletedAt === undefined) {
        if (message.deletedAt !== undefined) removeReply(work, message, before, changes);
        else giveReply(work, { ...message, thread: before.thread }, before);
      }
      note(work, user, id);
    },
  },

  /** Copies that others have forwarded. As of the original, the files go, and the name. */
  forwards: {
    needs: (_user, { room, seq }) => [{ what: 'message', room, seq }],
    run(work, { user, at, messages }, { room: id, seq }, changes) {
      const before = work.message(id, seq);
      if (before?.forwarded?.user.id !== user) return;
      const { files = [], ...kept } = before;
      const isToGo = messages === 'delete' || kept.text === '';
      const { shown } = before.forwarded;
      const message = isToGo ? deleted(kept, at) : { ...kept, forwarded: { user: deletedUser, shown } };
      work.updateMessage(message, before);
      for (const file of files) release(work, message, file.id, { state: 'dropped', at });
      releasePicture(work, before, at);
      tellMentions(message, before, changes);
      note(work, user, id);
    },
  },

  resets: {
    needs: (_user, { room }) => [{ what: 'lastMessage', room }],
    run(work, { user }, { room: id }, changes) {
      const room = work.room(id);
      work.settleErased(user, id);
      if (room === undefined || id.startsWith(gone)) return;
      const now = { ...room, head: room.head + 1, reset: room.head + 1 };
      work.putRoom(now);
      changes.push({ type: 'reset', room: record(work, now) });
    },
  },
};

export const erase: Rule<'erase'> = {
  needs: ({ user }) => [{ what: 'erasureOf', user }],
  run(work, { user, messages, actor, reason, at }, changes) {
    if (user === deletedUser.id || user === everybody) refuse('bad_request', 'nobody has this id');
    const before = work.erasureOf(user);
    const erases = before?.messages === 'delete' ? 'delete' : messages;
    work.putErasure({ user, messages: erases, at, upTo: 0, stage: 'begin', place: 0 });
    changes.push({ type: 'erasing' });
    tellAct(changes, { kind: 'erased', by: actor, user: deletedUser.id, reason });
    return {};
  },
};

export const eraseStep: Rule<'eraseStep'> = {
  needs: ({ by }) => [{ what: 'consumer', input: leaseOf(by) }, { what: 'openErasure' }],
  run(work, { by, kicked, at }, changes) {
    if (work.consumer(leaseOf(by)).holder !== by) return null;
    const erasure = work.openErasure();
    if (erasure === undefined) return null;
    const { user, stage } = erasure;
    if ((stage === 'begin' || stage === 'person') && kicked !== user) return { user, kick: true };
    // Messages sent before the last old connection was closed are the erased user's; later ones are somebody else's.
    const ended = stage === 'person' ? { ...erasure, at, upTo: work.newestMessage() } : erasure;
    if (
      stage === 'person' &&
      !stagesAgain.every((one) => takeFrom(work, { ...ended, stage: one }, changes) === undefined)
    ) {
      work.putErasure({ ...erasure, stage: 'directs', place: 0 });
      return { user, kick: false };
    }
    const next = takeFrom(work, ended, changes);
    const later = erasureStages[erasureStages.indexOf(stage) + 1];
    if (next !== undefined) work.putErasure({ ...ended, place: next });
    else if (later === undefined) work.endErasure(user);
    else work.putErasure({ ...ended, stage: later, place: 0 });
    return { user, kick: false };
  },
};

/** Asks for the lease of the erasures, and takes nothing. */
const leaseOf = (by: string): Writes['consume']['in'] => ({
  name: erasureConsumer,
  by,
  types: [],
  lease: 0,
  most: 0,
});

/** Deals with what is next in the stage of this erasure. @returns where to go on */
function takeFrom(work: Work, erasure: Erasure, changes: Change[]): number | undefined {
  const { found, next } = work.erasable(erasure);
  // In one order, whatever the database.
  for (const one of (found as Erasable[]).sort(inOrder))
    steps[erasure.stage].run(work, erasure, one, changes);
  return next;
}

/** A row that `rowsNaming` has found. */
function rowNamed(id: string): [table: Table, where: object] {
  const [name, where] = JSON.parse(id) as [string, object];
  return [tables.find((table) => table.name === name) as Table, where];
}

function inOrder(a: Partial<Erasable>, b: Partial<Erasable>): number {
  const bySeq = (a.seq ?? 0) - (b.seq ?? 0);
  for (const name of ['room', 'user', 'other', 'id', 'emoji'] as const) {
    const [one = '', other = ''] = [a[name], b[name]];
    if (one !== other) return one < other ? -1 : 1;
    if (name === 'room' && bySeq !== 0) return bySeq;
  }
  return 0;
}

/** Nobody sees messages any more that are being deleted with their room. */
function note(work: Work, user: string, room: string): void {
  if (!room.startsWith(gone)) work.noteErased(user, room);
}

/** As if the user had never been there. An owner's room goes to another. */
function removeMember(
  work: Work,
  { room: id, user, at }: { room: string; user: string; at: number },
  changes: Change[],
): void {
  const before = work.member(id, user);
  if (before === undefined) return;
  const room = existing(work, id);
  const laid = restrictionKinds.filter((kind) => before.restricted?.[kind] !== undefined);
  if (isMember(before)) countMembers(work, room, -1, at);
  // Never without a change that tells it: all that is decided of the room would be outdated.
  else if (laid.length > 0) work.putRoom({ ...room, access: room.access + 1 });
  work.deleteMember(id, user);
  const now: MemberRecord = { sources: 0, role: 'member', readSeq: 0, acted: 0 };
  const after = record(work, room);
  for (const kind of laid) changes.push({ type: 'restricted', room: after, user, kind, now: null });
  if (!isMember(before)) return;
  const named = { id: user, name: user };
  changes.push({ type: 'member', room: after, user: named, before, now, by: 'api', cause: 'removed' });
  handOver(work, id, user, before, changes);
}

/** Without what tells whose it was: also what the author's program has called it. */
function asNobodys({ files: _, preview: _page, ...message }: StoredMessage): StoredMessage {
  return { ...message, clientId: `erased-${message.seq}`, user: deletedUser };
}

function deleted(message: StoredMessage, at: number): StoredMessage {
  const { editedAt: _, mentions: _named, reactions: _gone, forwarded: _from, ...kept } = message;
  return { ...kept, text: '', deletedAt: at };
}

/** A reported copy of what the user had written: the files go, as those of the original. */
function withoutOrigin(message: StoredMessage, user: string): StoredMessage {
  const { forwarded, files: _, ...rest } = message;
  if (forwarded?.user.id !== user) return message;
  return { ...rest, forwarded: { ...forwarded, user: deletedUser } };
}

function withoutMention<M extends { mentions?: readonly { user: string }[] }>(message: M, user: string): M {
  const { mentions, ...rest } = message;
  const others = mentions?.filter((mention) => mention.user !== user) ?? [];
  return (others.length === 0 ? rest : { ...rest, mentions: others }) as M;
}
