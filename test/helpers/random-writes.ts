import {
  type ArrivalPlace,
  type History,
  holdings,
  type Reads,
  type Writes,
} from '../../server/history/history.ts';
import { size } from '../guarantees/size.ts';

type Write = { [Op in keyof Writes]: { op: Op; input: Writes[Op]['in'] } }[keyof Writes];

const userIds = ['1', '2', '3', 'Bob', 'bob', 'bob ', 'Bób'];
const roomIds = ['lobby', 'p1', 'p2', 'r1', 'r2', 'r3', 's1', 's2', 'd1', 'd2', 'd3', 'none'];
const names = ['Ann', 'ann', 'Été', 'ÉTÉ', 'Zoë Adams', '李雷', 'bob'];
const emojis = ['👍', '❤️', '🇪🇺', '👩🏽‍💻'];
const texts = [
  'hello',
  'Hello World',
  '你好，世界',
  'ΣΊΣΥΦΟΣ',
  '👋🏽 here',
  '"x" AND *',
  "it's a\\ % _ ?",
  'see www.example.org',
];

/**
 * Writes to a few rooms by a few users, so that they often interact: of all kinds but `closeReport`, which needs an id that
 * is random, and `expire`, which goes on after its answer.
 */
export function randomWrites(roll: (below: number) => number): () => Write {
  let at = 1;
  const one = <T>(list: readonly T[]): T => list[roll(list.length)] as T;
  const user = () => ({ id: one(userIds), name: one(names) });
  const some = <T>(list: readonly T[]) => list.filter(() => roll(3) === 0);
  const maybe = <T extends object>(part: T): T | Record<never, never> => (roll(2) === 0 ? part : {});
  const decision = () => (roll(5) === 0 ? { decidedFor: { access: roll(8), createdAt: roll(at) } } : {});
  const files: string[] = [];
  let links = 0;
  const chosen = () =>
    [...new Set(some(files.slice(-4)))].map((id) => ({ id, ...maybe({ alt: one(texts) }) }));
  const newFile = () => {
    const id = `file-${files.length}`;
    files.push(id);
    const image = { width: 1 + roll(9), height: 1, blur: 'L' };
    return { id, name: one(texts), type: 'image/png', size: roll(99), ...maybe({ image }) };
  };
  const mentions = () =>
    [...userIds, '*'].filter(() => roll(4) === 0).map((user, n) => ({ user, start: n, length: 1 }));
  const kinds = ['public', 'private'] as const;
  const make = <Op extends keyof Writes>(weight: number, op: Op, input: () => Writes[Op]['in']) =>
    Array<() => Write>(weight).fill(() => ({ op, input: input() }) as Write);
  const makers = [
    make(12, 'send', () => ({
      room: one(roomIds),
      clientId: `c${roll(40)}`,
      user: user(),
      text: one(texts),
      sentAt: at++,
      asMember: roll(3) === 0,
      ...maybe({ replyTo: 1 + roll(4) }),
      ...maybe({ files: chosen() }),
      ...maybe({ mentions: mentions(), siteModerator: roll(2) === 0 }),
    })),
    make(3, 'forward', () => ({
      room: one(roomIds),
      from: { room: one(roomIds), seq: 1 + roll(8) },
      clientId: `c${roll(40)}`,
      user: user(),
      sentAt: at++,
      asMember: roll(3) === 0,
      ...maybe({ siteModerator: roll(2) === 0 }),
    })),
    make(4, 'edit', () => ({
      room: one(roomIds),
      seq: 1 + roll(8),
      user: one(userIds),
      text: roll(6) === 0 ? '' : one(texts),
      at: at++,
      ...maybe({ rev: 1 + roll(20) }),
      ...maybe({ files: chosen() }),
      ...maybe({ mentions: mentions() }),
    })),
    make(2, 'delete', () => ({
      room: one(roomIds),
      seq: 1 + roll(8),
      user: one(userIds),
      moderator: roll(2) === 0,
      siteModerator: roll(2) === 0,
      at: at++,
    })),
    make(6, 'react', () => ({
      room: one(roomIds),
      seq: 1 + roll(4),
      reactions: Array.from({ length: 1 + roll(6) }, () => ({
        user: one(userIds),
        emoji: one(emojis),
        on: roll(3) > 0,
      })),
    })),
    make(4, 'pin', () => ({
      room: one(roomIds),
      seq: 1 + roll(6),
      user: one(userIds),
      pinned: roll(3) > 0,
      ...decision(),
      at: at++,
    })),
    make(6, 'addFile', () => ({ room: one(roomIds), user: one(userIds), file: newFile(), at: at++ })),
    make(1, 'dropFiles', () => ({ before: at - roll(80), most: 1 + roll(4) })),
    make(1, 'forgetFiles', () => ({ ids: some(files.slice(-6)) })),
    make(2, 'createRoom', () => ({
      id: one(['r1', 'r2', 'r3']) + at,
      kind: one(kinds),
      name: one(names),
      by: user(),
      clientId: `r${roll(6)}`,
      most: roll(3),
      at: at++,
      ...maybe({ topic: one(texts) }),
    })),
    make(3, 'putRoom', () => ({
      id: one(roomIds.slice(1, 8)),
      kind: one(kinds),
      name: one(names),
      at: at++,
      ...maybe({ topic: 't' }),
    })),
    make(1, 'updateRoom', () => ({
      room: one(roomIds),
      ...maybe({ name: one(names) }),
      ...maybe({ topic: '' }),
      ...maybe({ write: one(['all', 'moderators'] as const) }),
      ...maybe({ slow: roll(3) }),
    })),
    make(1, 'deleteRoom', () => ({ room: one(roomIds), ...decision() })),
    make(1, 'deleteEmptyRooms', () => ({ before: at - roll(60), most: 1 + roll(3) })),
    make(3, 'openDirect', () => ({
      id: one(['d1', 'd2', 'd3']) + at,
      by: user(),
      other: one(userIds),
      at: at++,
    })),
    make(4, 'addMembers', () => ({
      room: one(roomIds),
      users: some(userIds).map((id) => ({ id, ...maybe({ name: one(names) }) })),
      source: one(['session', 'api', 'people'] as const),
      mayReturn: roll(2) === 0,
      ...maybe({ by: user().id }),
      at: at++,
      ...maybe({ most: 1 + roll(5) }),
      ...decision(),
    })),
    make(4, 'join', () => ({ room: one(roomIds), user: user(), at: at++ })),
    make(3, 'removeMembers', () => ({
      room: one(roomIds),
      users: some(userIds),
      sources: 1 + roll(7),
      by: one(['session', 'api', 'people'] as const),
      cause: one(['left', 'removed'] as const),
      at: at++,
    })),
    make(3, 'setRole', () => ({
      room: one(roomIds),
      user: one(userIds),
      role: one(['owner', 'moderator', 'member'] as const),
    })),
    make(3, 'restrict', () => ({
      room: one(roomIds),
      user: one(userIds),
      kind: one(['muted', 'banned'] as const),
      restriction: one([null, { by: '1' }, { by: '2', until: at + roll(20), reason: 'spam' }]),
      at: at++,
      ...decision(),
    })),
    make(4, 'createInvite', () => ({
      invite: {
        ...{ id: `i${++links}`, digest: `digest${links}`, room: one(roomIds), by: one(userIds), at: at++ },
        ...maybe({ readmits: 1 as const }),
        ...maybe({ until: at + roll(40) }),
        ...maybe({ uses: 1 + roll(3) }),
      },
      ...decision(),
    })),
    make(8, 'acceptInvite', () => ({
      room: one(roomIds),
      id: `i${links - roll(6)}`,
      by: one(userIds),
      user: user(),
      most: roll(5),
      at: at++,
    })),
    make(1, 'revokeInvite', () => ({
      room: one(roomIds),
      id: `i${links - roll(6)}`,
      ...maybe({ by: one(userIds) }),
    })),
    make(1, 'forgetInvites', () => ({ before: at - roll(80) })),
    make(2, 'block', () => ({ user: one(userIds), other: one(userIds), blocked: roll(3) > 0, at: at++ })),
    make(1, 'putSiteUsers', () => {
      const id = one(userIds);
      return { users: [{ id, name: `Adams ${id}` }], at: at++ };
    }),
    make(3, 'noteHere', () => ({ user: one(userIds), at: at - roll(9) })),
    make(1, 'hideHere', () => ({ user: one(userIds), hidden: roll(2) === 0 })),
    make(1, 'forgetHere', () => ({ before: at - roll(80) })),
    make(1, 'forgetDays', () => ({ before: one([0, 86_400_000]) })),
    make(4, 'registerDevice', () => ({
      id: `d${roll(30)}`,
      user: one(userIds),
      kind: one(['browser', 'app'] as const),
      sealed: 'sealed',
      at: at++,
      ...maybe({ name: 'Firefox' }),
      ...maybe({ until: at + roll(80) }),
    })),
    make(2, 'removeDevice', () => ({ id: `d${roll(30)}`, user: one(userIds) })),
    make(2, 'noteDevice', () => ({
      id: `d${roll(30)}`,
      user: one(userIds),
      ...maybe({ until: at + roll(80) }),
      ...maybe({ since: at - roll(80) }),
    })),
    make(3, 'noteMailAddress', () => ({
      user: one(userIds),
      ...maybe({ address: `${roll(3)}@site.example` }),
      ...maybe({ refused: `digest ${roll(3)}` }),
    })),
    make(3, 'addMailStop', () => ({ id: `stop ${roll(30)}`, user: one(userIds), at: at - roll(80) })),
    make(1, 'forgetMailStops', () => ({ before: at - roll(80) })),
    make(1, 'forgetDevices', () => ({ before: at - roll(80) })),
    make(1, 'addVapidKey', () => ({ id: `k${roll(3)}`, sealed: 'sealed', at: at++ })),
    make(4, 'report', () => ({
      room: one(roomIds),
      seq: 1 + roll(4),
      by: one(userIds),
      reason: one(['spam', 'other'] as const),
      at: at++,
      ...maybe({ text: one(texts) }),
    })),
    make(3, 'endRestrictions', () => ({ before: at, most: 1 + roll(3) })),
    make(1, 'setNotify', () => ({
      room: one(roomIds),
      user: one(userIds),
      notify: one(['all', 'none'] as const),
    })),
    make(1, 'setPreviews', () => ({
      room: one(roomIds),
      user: one(userIds),
      previews: one(['on', 'off'] as const),
    })),
    make(2, 'follow', () => ({
      room: one(roomIds),
      thread: 1 + roll(4),
      user: one(userIds),
      following: roll(3) > 0,
    })),
    make(2, 'markUnread', () => ({ room: one(roomIds), user: one(userIds), seq: roll(8) })),
    make(1, 'noteOpened', () => ({ room: one(roomIds), user: one(userIds), seq: roll(8) })),
    make(3, 'markRead', () => ({ room: one(roomIds), user: one(userIds), seq: roll(8) })),
    make(4, 'arrive', () => ({
      user: user(),
      at: at++,
      ...maybe({ siteRole: one(['admin', 'moderator'] as const) }),
      ...maybe({ rooms: some(['s1', 's2', 'p1', 'lobby']).map((id) => ({ id, name: one(names) })) }),
    })),
    make(1, 'noteExport', () => ({ user: one(userIds), actor: one(userIds) })),
    make(1, 'setBan', () => ({
      user: one(userIds),
      ban: one([null, {}, { until: 5 }, { reason: 'spam', by: one(userIds) }]),
      ...one([{}, { actor: one(userIds) }]),
    })),
    make(1, 'erase', () => ({
      user: one(userIds),
      messages: one(['anonymise', 'delete']),
      ...maybe({ actor: one(userIds), reason: 'asked' }),
      at: at++,
    })),
    make(1, 'consume', () => ({
      name: 'erasure',
      by: 'one',
      types: ['erasing'],
      lease: roll(2) * 1000,
      most: 0,
    })),
    make(12, 'eraseStep', () => ({ by: 'one', ...maybe({ kicked: one(userIds) }), at })),
    make(1, 'publicRooms', () => ({ rooms: [{ id: one(['lobby', 'p1', 'p2']), name: `n${at}` }], at: at++ })),
    make(1, 'broadcast', () => ({ from: 'one', what: { at } })),
  ].flat();
  return () => one(makers)();
}

/** All pages of a user's messages or reactions, sorted: the order of the rooms is not promised. */
async function pages<What extends string, Item extends { room: string; seq: number }>(
  what: What,
  read: (from: string) => Promise<{ [what in What]: Item[] } & { next?: string }>,
): Promise<Item[]> {
  const all: Item[] = [];
  for (let from: string | undefined = ''; from !== undefined; ) {
    const page: { [what in What]: Item[] } & { next?: string } = await read(from);
    all.push(...page[what]);
    from = page.next;
  }
  const key = (item: Item) => JSON.stringify([item.room, item.seq, 'emoji' in item && item.emoji]);
  return all.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Users whose reads are compared: in an ordinary run those whose ids only some databases tell apart. */
const readers = size(userIds, ['1', 'Bob', 'bob ', 'Bób']);

/** Reads everything about the rooms and users of `randomWrites`, sorted where no order is promised. */
export async function readAll(history: History): Promise<unknown> {
  const page = { upTo: 1000, limit: 500 };
  const sorted = <T>(list: readonly T[], key: (item: T) => string) =>
    list.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
  const publicRooms = sorted(await history.read.publicRooms(null), ({ id }) => id);
  const users: unknown[] = [];
  const visible = [
    { rooms: [], except: [] },
    { rooms: ['p1', 'd1', 'none'], except: ['lobby'] },
  ];
  const rooms = new Set([...roomIds, ...publicRooms.map(({ id }) => id)]);
  for (const user of readers) {
    const { user: known, memberships, blocked } = await history.read.user({ user });
    for (const { room } of memberships) rooms.add(room.id);
    users.push(
      blocked,
      known,
      sorted(memberships, ({ room }) => room.id),
    );
    for (const known of visible) {
      users.push(await history.read.activity({ user, most: 9, mostRooms: 2, ...known }));
      users.push(await history.read.decisionsBy({ user, since: 0, most: 9, ...known }));
      users.push(await history.read.filesAndReactions({ user, most: 9, ...known }));
      users.push(await history.read.reportsAbout({ user, limit: 3, ...known }));
    }
    users.push(await history.read.arrival({ user }));
    const outside = await history.read.namedOutside({ user, since: 0 });
    users.push(
      sorted(outside, ({ room }) => room.id).map(({ mentions, ...one }) => ({
        ...one,
        mentions: sorted([...mentions], ([author]) => author),
      })),
    );
    users.push(sorted(await history.read.openedBy({ user }), ({ room }) => room));
    users.push(await history.read.sharesRoom({ user, of: userIds }));
    users.push(await Promise.all(userIds.map((other) => history.read.hasBlocked({ user, other }))));
    users.push((await history.read.reportsBy({ user, limit: 500 })).reports);
    users.push(await history.read.invitesBy({ user }));
    users.push(await history.read.invite({ digest: 'digest3', user }));
    users.push(
      await pages('messages', (from) => history.read.written({ user, from, limit: 7 })),
      await pages('pins', (from) => history.read.pinsBy({ user, from, limit: 2 })),
      await pages('reactions', (from) => history.read.reactionsBy({ user, from, limit: 7 })),
    );
    users.push(
      (await history.read.followedBy({ user, from: '', limit: 500 })).threads
        .map(({ thread }) => thread)
        .sort(),
    );
    for (const other of userIds) {
      users.push(await history.read.partner({ user, other, room: 'd1' }));
      users.push(await history.read.lastHere({ user, asker: other }));
    }
    for (const query of ['b', 'a', 'é', 'adams', '李']) {
      for (const onlyShared of [true, false]) {
        const found = await history.read.findUsers({ user, query, onlyShared, limit: 10 });
        users.push(sorted(found, ({ id }) => id));
      }
    }
  }
  const content: unknown[] = [];
  for (let n = 0; n < size(60, 12); n++)
    content.push(await history.read.file({ id: `file-${n}`, user: 'Bob' }));
  for (const room of [...rooms].sort()) {
    content.push(
      await history.read.room({ room }),
      await history.read.invites({ room }),
      await history.read.changes({ room, since: 0, ...page }),
      await history.read.newest({ room, ...page }),
      await history.read.after({ room, after: 2, ...page }),
      await history.read.pins({ room }),
      await history.read.reportsOf({ room, seq: 1, limit: 3 }),
      ...(await Promise.all(
        holdings.map((what) => history.read.holding({ room, what, before: 9, limit: 3 })),
      )),
      await history.read.members({ room, limit: 100 }),
      await history.read.members({ room, limit: 100, query: 'b' }),
    );
    const short = { upTo: 6, limit: 3 };
    for (const { seq, user } of (await history.read.newest({ room, ...short })).messages) {
      content.push(await history.read.seenBy({ room, seq, asker: user.id, limit: 9 }));
    }
    content.push(
      await history.read.newest({ room, ...short }),
      await history.read.after({ room, after: 1, ...short }),
      await Promise.all(userIds.map((user) => history.read.isNamed({ room, user }))),
      await history.read.unread({ room, after: 1, upTo: 20, without: ['bob', '1'], limit: 3 }),
      await history.read.unread({ room, after: 0, upTo: 20, seqs: [2, 5, 9, 12], without: ['0'], limit: 2 }),
      await history.read.changes({ room, since: 2, ...short }),
      await history.read.changes({ room, since: 0, upTo: 9, limit: 1 }),
    );
    const threads = Array.from({ length: 12 }, (_, n) => n + 1);
    content.push(
      await history.read.threads({ room, threads }),
      await history.read.threads({
        ...{ room, threads },
        apart: ['Bob', '2'],
        unread: { after: 2, user: '1' },
      }),
    );
    for (const thread of [1, 2]) {
      content.push(
        await history.read.thread({ room, thread, user: '1' }),
        await history.read.replies({ room, thread, after: 0, before: 1000, from: 'end', limit: 3 }),
      );
    }
    content.push(...(await history.read.membersOf({ room, users: userIds })));
    for (const emoji of emojis) {
      content.push(await history.read.reactors({ room, seq: 1, emoji, after: 0, limit: 2 }));
      content.push(
        sorted(
          await history.read.reactionsOf({ user: 'Bob', of: [1, 2, 3].map((seq) => ({ room, seq, emoji })) }),
          ({ seq }) => String(seq),
        ),
      );
    }
  }
  const searches: unknown[] = [];
  for (const query of ['hello', 'o w', '世界', 'σ', '👋', '%', '\\']) {
    const of = { query, rooms: [...rooms], everyPublic: true, limit: 200 };
    searches.push((await history.read.search(of satisfies Reads['search']['in'])).messages);
  }
  const known = sorted(await history.read.users({ ids: userIds }), ({ id }) => id);
  const bans = sorted(await history.read.bans(null), ({ user }) => user);
  const { reports } = await history.read.reports({ rooms: null, limit: 500 });
  const own = await history.read.reports({ rooms: ['lobby', 'p1', 'none'], limit: 3 });
  const restrictions = sorted(await history.read.restrictions(null), ({ room, user }) => `${room} ${user}`);
  const moderators: unknown[] = [
    await history.read.arrived({ most: 9 }),
    await history.read.recentlyHere({ since: 3, users: userIds }),
    sorted(await history.read.filesIn({ rooms: [...rooms], most: 99 }), ({ room }) => room),
    await history.read.filesInAll({ rooms: ['p1'], except: ['lobby'], most: 99 }),
    await Promise.all(userIds.map((user) => history.read.hasWritten({ user, room: 'p1' }))),
  ];
  for (const query of [undefined, 'b', 'é', 'a']) {
    for (let after: ArrivalPlace | undefined, more = true; more; ) {
      const of = { ...(query === undefined ? {} : { query }), ...(after === undefined ? {} : { after }) };
      const found = await history.read.arrivals({ ...of, limit: 2 });
      moderators.push(found);
      after = found.next;
      more = after !== undefined;
    }
  }
  for (const known of visible) {
    const about = await history.read.openReportsAbout({ users: userIds, ...known });
    moderators.push(
      sorted(about, ({ user }) => user),
      await history.read.messagesByDay({ from: 0, ...known }),
      await history.read.messagesIn({ from: 0, rooms: [...known.rooms, 'lobby'] }),
    );
  }
  return {
    ...{ publicRooms, users, content, searches, known, bans, moderators },
    ...{ restrictions, reports, own: own.reports },
  };
}

/** The ids of messages and reports are random. */
export function withoutIds(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value ?? null, (_, part: unknown) =>
      // Of a file that was copied.
      typeof part === 'string' && /^[0-9a-f]{32}$/.test(part)
        ? ''
        : typeof part === 'object' &&
            part !== null &&
            (('seq' in part && ('clientId' in part || 'reason' in part)) ||
              ('type' in part && part.type === 'report'))
          ? { ...part, id: '' }
          : part,
    ),
  );
}
