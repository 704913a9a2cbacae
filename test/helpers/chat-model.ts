/**
 * A simple model of the rules of docs/protocol.md for rooms that users create, their members and messages. It shares no
 * code with the server. Users have no site roles. Forks share the rooms that they do not change.
 */
type Role = 'owner' | 'moderator' | 'member';

interface ModelMessage {
  user: string;
  text: string;
  rev: number;
  edited: boolean;
  deletedBy?: 'author' | 'moderator';
  replyTo?: number;
  thread?: number;
  threadOnly?: true;
  mentions: string[];
  /** The followers of the thread when the reply was sent, without its author. */
  notifiedFollowers: string[];
  reactions: Map<string, string[]>;
}

/** `createdAt`, `removedAt` and `since` are ticks of `clock`. */
export interface ModelRoom {
  id: string;
  kind: 'public' | 'private';
  name: string;
  topic: string;
  write: 'all' | 'moderators';
  slow: number;
  clock: number;
  head: number;
  members: Map<string, { role: Role; readSeq: number; since: number }>;
  /** Users who are or were members. */
  everMembers: Set<string>;
  /** Users who left. Other users cannot add them again. */
  leavers: Set<string>;
  removedAt: Map<string, number>;
  /** By banned user, whether the end of the ban makes the user a member again. */
  banned: Map<string, boolean>;
  muted: Set<string>;
  /** Users who wrote. Slow mode blocks them until it is turned off, because it lasts longer than a run. */
  writers: Set<string>;
  messages: ModelMessage[];
  /** Whether a user follows a thread, by thread and user. False after an explicit unfollow. */
  following: Map<string, boolean>;
  pins: { seq: number; by: string; after: number }[];
  invites: Map<string, { by: string; uses: number; used: number; createdAt: number; readmits: boolean }>;
  /** Sent messages by user and `clientId`. `fingerprint` detects a different message with the same ID. */
  sends: Map<string, { seq: number; fingerprint: string }>;
}

export interface ModelRequest {
  user: string;
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: the payloads of thirty events, which the server checks
  payload: Record<string, any>;
  /** Whether the connection has joined the room. The connection of a user who was just added has not. */
  isJoined?: boolean;
}

/** `code`: `ok` or an error code. */
export interface ModelResponse {
  code: string;
  [field: string]: unknown;
}

/** IDs and tokens that the server generated. */
export interface Created {
  id?: string | undefined;
  token?: string | undefined;
}

const rank = { owner: 2, moderator: 1, member: 0 };
const maxPins = 50;
const maxInvites = 20;

class Rejection extends Error {}

function reject(code: string): never {
  throw new Rejection(code);
}

export class ChatModel {
  rooms = new Map<string, ModelRoom>();
  blocked = new Map<string, Set<string>>();
  /** The room and the ID of each invite link, by token. */
  tokens = new Map<string, { room: string; id: string }>();

  /** Returns a copy that can change these rooms, the blocks and the set of rooms without changing this model. */
  fork(rooms: readonly string[]): ChatModel {
    const copy = new ChatModel();
    copy.rooms = new Map(this.rooms);
    for (const id of rooms) {
      const room = this.rooms.get(id);
      if (room !== undefined) copy.rooms.set(id, structuredClone(room));
    }
    copy.blocked = structuredClone(this.blocked);
    copy.tokens = this.tokens;
    return copy;
  }

  /**
   * Runs a request.
   * @param created the IDs that the server generated for it
   */
  run(request: ModelRequest, created: Created = {}): ModelResponse {
    try {
      return { code: 'ok', ...this.#run(request, created) };
    } catch (error) {
      if (error instanceof Rejection) return { code: error.message };
      throw error;
    }
  }

  /** Returns the room that a request may change. */
  roomOf({ event, payload }: ModelRequest): string | undefined {
    return event === 'invite:accept' ? this.tokens.get(payload.token)?.room : payload.room;
  }

  /** Runs reactions to one message that the server stores as one change. */
  react(requests: readonly ModelRequest[]): ModelResponse[] {
    const [
      {
        payload: { room: id, seq },
      },
    ] = requests as [ModelRequest];
    let isChanged = false;
    const codes = requests.map(({ user, isJoined, payload: { emoji, on } }) => {
      const isReadable = this.rooms.has(id) && canRead(this.rooms.get(id) as ModelRoom, user);
      if (!isReadable) return 'unknown_room';
      if (!isJoined || !this.isMember(user, id)) return 'not_joined';
      const message = this.rooms.get(id)?.messages[seq - 1];
      if (message === undefined || message.deletedBy !== undefined) return 'unknown_message';
      const users = message.reactions.get(emoji) ?? [];
      if (users.includes(user) === on) return 'ok';
      isChanged = true;
      const remaining = users.filter((other) => other !== user);
      if (on) message.reactions.set(emoji, [...remaining, user]);
      else if (remaining.length > 0) message.reactions.set(emoji, remaining);
      else message.reactions.delete(emoji);
      return 'ok';
    });
    const room = this.rooms.get(id);
    const message = room?.messages[seq - 1];
    if (isChanged && room && message) message.rev = ++room.head;
    return codes.map((code) => (code === 'ok' && message ? { code, seq, rev: message.rev } : { code }));
  }

  isMember(user: string, id: string): boolean {
    return this.rooms.get(id)?.members.has(user) === true;
  }

  /** Returns a key that is equal for states with equal blocks and equal `rooms`. */
  key(rooms: Iterable<string> = this.rooms.keys()): string {
    const compared = [[...rooms].map((id) => this.rooms.get(id)), this.blocked];
    return JSON.stringify(compared, (_, value: unknown) => {
      // Sorted, because the order of insertion does not matter.
      if (value instanceof Set) return [...value].sort();
      return value instanceof Map ? [...value].sort(([a], [b]) => (a < b ? -1 : 1)) : value;
    });
  }

  /** Returns what servers must show of a room to its users, to one reader and to one moderator. */
  view(
    id: string,
    users: readonly string[],
    {
      reader,
      moderator,
      threads,
    }: { reader: string | undefined; moderator: string | undefined; threads: readonly number[] },
  ): object {
    const room = this.rooms.get(id);
    return {
      summaries: Object.fromEntries(users.map((user) => [user, room && this.#summarize(room, user)])),
      blocked: Object.fromEntries(users.map((user) => [user, [...(this.blocked.get(user) ?? [])].sort()])),
      ...(room === undefined || reader === undefined ? {} : this.#viewMessages(room, reader)),
      ...(room === undefined || moderator === undefined ? {} : this.#viewModeration(room)),
      followers: threads.map((thread) => users.filter((user) => room?.following.get(`${thread} ${user}`))),
    };
  }

  #run({ user, event, payload, isJoined = false }: ModelRequest, created: Created): object {
    if (event === 'room:create') return this.#create(user, payload, String(created.id));
    if (event === 'user:block') return this.#block(user, payload);
    if (event === 'invite:accept') return this.#accept(user, payload);
    const room = this.rooms.get(payload.room) ?? reject('unknown_room');
    if (!canRead(room, user)) reject('unknown_room');
    switch (event) {
      case 'room:join':
        addMember(room, user);
        return {};
      case 'room:invite':
        return this.#invite(room, user, payload);
      case 'room:remove':
        return removeMember(room, user, payload.user);
      case 'room:role':
        return setRole(room, user, payload.user, payload.role);
      case 'room:mute':
      case 'room:ban':
        return restrict(room, user, payload.user, event === 'room:ban', payload.seconds === undefined);
      case 'room:update': {
        requireModerator(room, user);
        const { room: _, ...change } = payload;
        if (('name' in change || 'topic' in change) && room.muted.has(user)) reject('muted');
        Object.assign(room, change);
        return {};
      }
      case 'room:delete':
        if (room.members.get(user)?.role !== 'owner') reject('forbidden');
        this.rooms.delete(room.id);
        return {};
      case 'invite:create':
        return this.#createInvite(room, user, payload, created);
      case 'invite:revoke': {
        if (room.kind === 'public') reject('forbidden');
        const invite = room.invites.get(payload.id);
        if (invite?.by === user || rankIn(room, user) > 0) room.invites.delete(payload.id);
        return {};
      }
      case 'read:mark':
        return markRead(room, user, payload.seq, payload.unread === true);
      case 'thread:follow':
        return follow(room, user, payload.thread, payload.following);
      case 'message:send':
        return send(room, user, payload, isJoined);
    }
    if (!isJoined || !room.members.has(user)) reject('not_joined');
    switch (event) {
      case 'message:edit':
        return edit(room, user, payload);
      case 'message:delete':
        return deleteMessage(room, user, payload.seq);
      case 'message:pin':
      case 'message:unpin':
        return pin(room, user, payload.seq, event === 'message:pin');
    }
    throw new Error(`the model does not know ${event}`);
  }

  #create(user: string, { name, kind }: ModelRequest['payload'], id: string): object {
    const room: ModelRoom = {
      ...{ id, kind, name, topic: '', write: 'all', slow: 0, clock: 0, head: 0 },
      ...{ members: new Map(), everMembers: new Set(), leavers: new Set(), removedAt: new Map() },
      ...{ banned: new Map(), muted: new Set(), writers: new Set(), messages: [], following: new Map() },
      ...{ pins: [], invites: new Map(), sends: new Map() },
    };
    addMember(room, user);
    (room.members.get(user) as { role: Role }).role = 'owner';
    this.rooms.set(id, room);
    return {};
  }

  #block(user: string, { user: other, blocked }: ModelRequest['payload']): object {
    if (user === other) reject('bad_request');
    if (blocked) this.blocked.set(user, (this.blocked.get(user) ?? new Set()).add(other));
    else this.blocked.get(user)?.delete(other);
    return {};
  }

  #invite(room: ModelRoom, user: string, { users: [other] }: ModelRequest['payload']): object {
    if (room.kind === 'public') reject('forbidden');
    const isRejected =
      room.leavers.has(other) ||
      room.banned.has(other) ||
      this.blocked.get(other)?.has(user) ||
      (room.everMembers.has(other) && rankIn(room, user) === 0);
    if (!room.members.has(other) && isRejected) return { failed: 'forbidden' };
    addMember(room, other);
    return {};
  }

  #createInvite(
    room: ModelRoom,
    by: string,
    { uses }: ModelRequest['payload'],
    { id = '', token = '' }: Created,
  ): object {
    if (room.kind === 'public') reject('forbidden');
    if ([...room.invites.values()].filter((invite) => invite.by === by).length >= maxInvites)
      reject('limit_reached');
    const readmits = rankIn(room, by) > 0;
    room.invites.set(id, { by, uses, used: 0, createdAt: room.clock++, readmits });
    if (token !== '') this.tokens.set(token, { room: room.id, id });
    return {};
  }

  #accept(user: string, { token }: ModelRequest['payload']): object {
    const ref = this.tokens.get(token);
    const room = this.rooms.get(ref?.room ?? '');
    const invite = room?.invites.get(ref?.id ?? '');
    if (room === undefined || invite === undefined) reject('unknown_invite');
    if (room.members.has(user)) return {};
    const removedAt = room.removedAt.get(user);
    const mayReturn = removedAt === undefined || (invite.readmits && invite.createdAt > removedAt);
    const isUsedUp = invite.uses > 0 && invite.used >= invite.uses;
    if (isUsedUp || room.banned.has(user) || !mayReturn) reject('unknown_invite');
    invite.used++;
    addMember(room, user);
    return {};
  }

  #summarize(room: ModelRoom, user: string): object | undefined {
    const member = room.members.get(user);
    if (member === undefined) return undefined;
    const { name, topic, kind, head, write, slow } = room;
    const lastSeq = room.messages.length;
    const blocked = this.blocked.get(user);
    const isMention = ({ user: author, deletedBy, mentions, notifiedFollowers }: ModelMessage) =>
      deletedBy === undefined &&
      !blocked?.has(author) &&
      (mentions.includes(user) || mentions.includes('*') || notifiedFollowers.includes(user));
    return {
      ...{ name, topic, kind, head, write, slow, lastSeq },
      ...{ role: member.role, members: room.members.size, readSeq: member.readSeq },
      unread: room.messages
        .slice(member.readSeq)
        .filter(({ threadOnly, deletedBy }) => !threadOnly && !deletedBy).length,
      threadOnly: room.messages.filter(({ threadOnly }) => threadOnly).length,
      last: room.messages.findLastIndex(({ threadOnly }) => !threadOnly) + 1,
      mentions: room.messages.slice(member.readSeq).filter(isMention).length,
      pins: room.pins.length,
      muted: room.muted.has(user),
      may: rightsIn(room, user),
    };
  }

  #viewMessages(room: ModelRoom, reader: string): object {
    const blocked = this.blocked.get(reader);
    const threads = new Map<number, ModelMessage[]>();
    for (const message of room.messages) {
      if (message.thread === undefined) continue;
      const replies = threads.get(message.thread) ?? [];
      threads.set(message.thread, replies);
      if (message.deletedBy === undefined && !blocked?.has(message.user)) replies.push(message);
    }
    return {
      messages: room.messages.map(({ notifiedFollowers: _, mentions, reactions, ...message }) => ({
        ...message,
        mentions,
        hidden: blocked?.has(message.user) === true,
        reactions: [...reactions].map(([emoji, users]) => [emoji, ...users].join(' ')).sort(),
      })),
      threads: Object.fromEntries(
        [...threads].map(([thread, replies]) => {
          const authors = [...new Set(replies.map(({ user }) => user).reverse())].slice(0, 3);
          return [thread, { replies: replies.length, authors }];
        }),
      ),
      pins: room.pins.toReversed(),
      roles: Object.fromEntries([...room.members].map(([user, { role }]) => [user, role])),
    };
  }

  #viewModeration(room: ModelRoom): object {
    const restricted = [
      ...[...room.banned.keys()].map((user) => `${user} banned`),
      ...[...room.muted].map((user) => `${user} muted`),
    ];
    const invites = [...room.invites].map(([id, { by, uses, used }]) => ({ id, by, uses, used }));
    return { restricted: restricted.sort(), invites: invites.sort((a, b) => (a.id < b.id ? -1 : 1)) };
  }
}

const canRead = (room: ModelRoom, user: string): boolean =>
  room.members.has(user) || (room.kind === 'public' && !room.banned.has(user));

const rankIn = (room: ModelRoom, user: string): number => rank[room.members.get(user)?.role ?? 'member'];

function requireModerator(room: ModelRoom, user: string): void {
  if (rankIn(room, user) === 0) reject('forbidden');
}

function rightsIn(room: ModelRoom, user: string): string[] {
  const userRank = rankIn(room, user);
  return [
    ...(room.write === 'all' || userRank > 0 ? ['send'] : []),
    ...(room.kind === 'private' ? ['invite'] : []),
    ...(userRank > 0 ? ['update', 'remove', 'moderate', 'pin'] : []),
    ...(userRank > 1 ? ['roles', 'delete'] : []),
    'leave',
  ];
}

function addMember(room: ModelRoom, user: string): void {
  if (room.members.has(user)) return;
  room.members.set(user, { role: 'member', readSeq: room.messages.length, since: room.clock++ });
  room.everMembers.add(user);
  room.leavers.delete(user);
  room.removedAt.delete(user);
}

/**
 * Ends a membership. After an owner the longest-standing moderator becomes the owner, or else the longest-standing
 * member.
 */
function endMembership(room: ModelRoom, user: string): void {
  const wasOwner = room.members.get(user)?.role === 'owner';
  room.members.delete(user);
  deleteInvites(room, user);
  for (const [key, isFollowing] of room.following)
    if (isFollowing && key.endsWith(` ${user}`)) room.following.delete(key);
  const [successor] = [...room.members.values()].sort(
    (a, b) => rank[b.role] - rank[a.role] || a.since - b.since,
  );
  if (wasOwner && successor !== undefined) successor.role = 'owner';
}

function deleteInvites(room: ModelRoom, by: string): void {
  for (const [id, invite] of room.invites) if (invite.by === by) room.invites.delete(id);
}

function removeMember(room: ModelRoom, user: string, other: string): object {
  if (user === other) {
    if (!room.members.has(user)) return {};
    endMembership(room, user);
    room.leavers.add(user);
    return {};
  }
  requireModerator(room, user);
  if (!room.members.has(other)) return {};
  if (rankIn(room, user) <= rankIn(room, other)) reject('forbidden');
  endMembership(room, other);
  room.removedAt.set(other, room.clock++);
  return {};
}

function setRole(room: ModelRoom, user: string, other: string, role: Role): object {
  const target = room.members.get(other);
  if (target?.role === role) return {};
  const self = room.members.get(user);
  if (self?.role !== 'owner') reject('forbidden');
  if (target === undefined) reject('unknown_user');
  if (user === other) reject('forbidden');
  if (role === 'owner') self.role = 'moderator';
  if (role === 'member') deleteInvites(room, other);
  target.role = role;
  return {};
}

function restrict(room: ModelRoom, user: string, other: string, isBan: boolean, isImposed: boolean): object {
  requireModerator(room, user);
  if (rankIn(room, user) <= rankIn(room, other)) reject('forbidden');
  if (!isBan) {
    if (isImposed) room.muted.add(other);
    else room.muted.delete(other);
    return {};
  }
  const becomesMember = room.banned.get(other);
  if (!isImposed) {
    room.banned.delete(other);
    if (becomesMember) addMember(room, other);
    return {};
  }
  room.banned.set(other, becomesMember ?? room.members.has(other));
  if (room.members.has(other)) endMembership(room, other);
  room.removedAt.set(other, room.clock++);
  return {};
}

/** Mutes and `write` apply to messages and edits, mutes also to the name and topic of the room. */
function requireWriter(room: ModelRoom, user: string): void {
  if (room.write === 'moderators') requireModerator(room, user);
  if (room.muted.has(user)) reject('muted');
}

const describe = (message: ModelMessage, seq: number) => ({ seq, rev: message.rev, text: message.text });

function send(room: ModelRoom, user: string, payload: ModelRequest['payload'], isJoined: boolean): object {
  const { text, clientId, replyTo, threadOnly, mentions = [] } = payload;
  const fingerprint = JSON.stringify([text, replyTo, threadOnly, mentions]);
  const earlier = room.sends.get(`${user} ${clientId}`);
  if (earlier !== undefined) {
    if (earlier.fingerprint !== fingerprint) reject('conflict');
    return describe(room.messages[earlier.seq - 1] as ModelMessage, earlier.seq);
  }
  if (!isJoined || !room.members.has(user)) reject('not_joined');
  requireWriter(room, user);
  if (replyTo > room.messages.length) reject('unknown_message');
  if (room.slow > 0 && room.writers.has(user) && rankIn(room, user) === 0) reject('rate_limited');
  const thread = replyTo && (room.messages[replyTo - 1]?.thread ?? replyTo);
  const message: ModelMessage = {
    ...{ user, text, rev: ++room.head, edited: false, mentions: allowedMentions(room, user, mentions) },
    ...(replyTo === undefined ? {} : { replyTo, thread }),
    ...(threadOnly && { threadOnly }),
    ...{ notifiedFollowers: thread === undefined ? [] : followByReply(room, user, thread) },
    reactions: new Map(),
  };
  const seq = room.messages.push(message);
  room.sends.set(`${user} ${clientId}`, { seq, fingerprint });
  room.writers.add(user);
  (room.members.get(user) as { readSeq: number }).readSeq = seq;
  return describe(message, seq);
}

/** Omits mentions of users who may not read the room, and of all users (`*`) by plain members. */
function allowedMentions(room: ModelRoom, by: string, mentions: readonly { user: string }[]): string[] {
  const isModerator = rankIn(room, by) > 0;
  const users = mentions.map(({ user }) => user);
  return users.filter((user) => {
    if (user === '*') return isModerator;
    if (room.kind === 'private') return room.members.has(user);
    return !(isModerator && room.banned.has(user));
  });
}

/** Makes the author of a reply and the author of its thread follow the thread. @returns the followers except `by` */
function followByReply(room: ModelRoom, by: string, thread: number): string[] {
  for (const user of [room.messages[thread - 1]?.user as string, by]) {
    const key = `${thread} ${user}`;
    if (room.members.has(user) && !room.following.has(key)) room.following.set(key, true);
  }
  return [...room.members.keys()].filter((user) => user !== by && room.following.get(`${thread} ${user}`));
}

function follow(room: ModelRoom, user: string, seq: number, isFollowing: boolean): object {
  if (!room.members.has(user)) reject('forbidden');
  const message = room.messages[seq - 1] ?? reject('unknown_message');
  const key = `${message.thread ?? seq} ${user}`;
  if ((room.following.get(key) ?? false) !== isFollowing) room.following.set(key, isFollowing);
  return {};
}

function edit(room: ModelRoom, user: string, { seq, text, mentions }: ModelRequest['payload']): object {
  requireWriter(room, user);
  const message = room.messages[seq - 1];
  if (message === undefined || message.deletedBy !== undefined) reject('unknown_message');
  if (message.user !== user) reject('forbidden');
  if (message.text !== text) {
    const allowed = allowedMentions(room, user, mentions ?? []);
    Object.assign(message, { text, edited: true, rev: ++room.head, mentions: allowed });
  }
  return describe(message, seq);
}

function deleteMessage(room: ModelRoom, user: string, seq: number): object {
  const message = room.messages[seq - 1] ?? reject('unknown_message');
  const isOwn = message.user === user;
  if (!isOwn) requireModerator(room, user);
  if (!isOwn && rankIn(room, user) <= rankIn(room, message.user)) reject('forbidden');
  if (message.deletedBy === undefined) {
    const deletedBy = isOwn ? 'author' : 'moderator';
    const empty = { text: '', edited: false, mentions: [], notifiedFollowers: [], reactions: new Map() };
    Object.assign(message, { ...empty, deletedBy, rev: ++room.head });
  }
  return describe(message, seq);
}

function pin(room: ModelRoom, user: string, seq: number, isPinned: boolean): object {
  requireModerator(room, user);
  const message = room.messages[seq - 1] ?? reject('unknown_message');
  if (room.pins.some((existing) => existing.seq === seq) === isPinned) return {};
  if (isPinned && message.deletedBy !== undefined) reject('unknown_message');
  if (isPinned && room.pins.length >= maxPins) reject('limit_reached');
  if (isPinned) room.pins.push({ seq, by: user, after: room.messages.length });
  else room.pins = room.pins.filter((existing) => existing.seq !== seq);
  return {};
}

function markRead(room: ModelRoom, user: string, seq: number, isUnread: boolean): object {
  if (seq > room.messages.length) reject('bad_request');
  const member = room.members.get(user);
  if (member === undefined) return { readSeq: 0 };
  member.readSeq = isUnread ? seq : Math.max(member.readSeq, seq);
  return { readSeq: member.readSeq };
}
