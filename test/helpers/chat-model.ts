/**
 * A simple model of rooms, members and messages: the rules of docs/protocol.md for rooms that users made, independent of
 * the server's code. Users have no site roles. Forks share the rooms that they do not change.
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
  mentions: string[];
  /** Followers of the thread when the reply was sent. */
  concerned: string[];
  reactions: Map<string, string[]>;
}

/** `madeAt`, `removedAt` and `since` are numbers of the room's clock. */
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
  /** Users who were members at some time. */
  formerMembers: Set<string>;
  /** Users who have left: other users cannot add them again. */
  left: Set<string>;
  removedAt: Map<string, number>;
  /** Whether the end of the ban makes the user a member again. */
  banned: Map<string, boolean>;
  muted: Set<string>;
  /** Users who have written: slow mode lasts longer than a run. */
  writers: Set<string>;
  messages: ModelMessage[];
  /** By thread and user. */
  following: Map<string, boolean>;
  pins: { seq: number; by: string; after: number }[];
  invites: Map<string, { by: string; uses: number; used: number; madeAt: number; readmits: boolean }>;
  /** By user and clientId. */
  sent: Map<string, { seq: number; said: string }>;
}

export interface ModelRequest {
  user: string;
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: the payloads of thirty events, which the server checks
  payload: Record<string, any>;
  /** Whether the connection has joined the room. Someone who was just added to it has not. */
  isJoined?: boolean;
}

/** `code` is `ok` or an error code. */
export interface ModelResponse {
  code: string;
  [field: string]: unknown;
}

/** What the server has chosen. */
export interface Created {
  id?: string | undefined;
  token?: string | undefined;
}

const rank = { owner: 2, moderator: 1, member: 0 };
const maxPins = 50;
const maxInvites = 20;

class Refusal extends Error {}

function refuse(code: string): never {
  throw new Refusal(code);
}

export class ChatModel {
  rooms = new Map<string, ModelRoom>();
  blocked = new Map<string, Set<string>>();
  /** The room and the id of each invite link, by its token. */
  tokens = new Map<string, { room: string; id: string }>();

  /** A copy that can change these rooms, blocks and the set of rooms. */
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
   * Carries out a request.
   * @param created the ids that the server has chosen
   */
  run(request: ModelRequest, created: Created = {}): ModelResponse {
    try {
      return { code: 'ok', ...this.#run(request, created) };
    } catch (error) {
      if (error instanceof Refusal) return { code: error.message };
      throw error;
    }
  }

  /** The room that a request may change. */
  roomOf({ event, payload }: ModelRequest): string | undefined {
    return event === 'invite:accept' ? this.tokens.get(payload.token)?.room : payload.room;
  }

  /** Carries out reactions to one message that the server stores as one change. */
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
      const others = users.filter((other) => other !== user);
      if (on) message.reactions.set(emoji, [...others, user]);
      else if (others.length > 0) message.reactions.set(emoji, others);
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

  /** Equal for states in which these rooms and all blocks are equal. */
  key(rooms: Iterable<string> = this.rooms.keys()): string {
    const compared = [[...rooms].map((id) => this.rooms.get(id)), this.blocked];
    return JSON.stringify(compared, (_, value: unknown) => {
      // The order in which entries were added does not matter.
      if (value instanceof Set) return [...value].sort();
      return value instanceof Map ? [...value].sort(([a], [b]) => (a < b ? -1 : 1)) : value;
    });
  }

  /** What servers must show of a room. */
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
    const room = this.rooms.get(payload.room) ?? refuse('unknown_room');
    if (!canRead(room, user)) refuse('unknown_room');
    switch (event) {
      case 'room:join':
        add(room, user);
        return {};
      case 'room:invite':
        return this.#invite(room, user, payload);
      case 'room:remove':
        return remove(room, user, payload.user);
      case 'room:role':
        return setRole(room, user, payload.user, payload.role);
      case 'room:mute':
      case 'room:ban':
        return restrict(room, user, payload.user, event === 'room:ban', payload.seconds === undefined);
      case 'room:update': {
        requireModerator(room, user);
        const { room: _, ...change } = payload;
        Object.assign(room, change);
        return {};
      }
      case 'room:delete':
        if (room.members.get(user)?.role !== 'owner') refuse('forbidden');
        this.rooms.delete(room.id);
        return {};
      case 'invite:create':
        return this.#createInvite(room, user, payload, created);
      case 'invite:revoke': {
        if (room.kind === 'public') refuse('forbidden');
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
    if (!isJoined || !room.members.has(user)) refuse('not_joined');
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
      ...{ members: new Map(), formerMembers: new Set(), left: new Set(), removedAt: new Map() },
      ...{ banned: new Map(), muted: new Set(), writers: new Set(), messages: [], following: new Map() },
      ...{ pins: [], invites: new Map(), sent: new Map() },
    };
    add(room, user);
    (room.members.get(user) as { role: Role }).role = 'owner';
    this.rooms.set(id, room);
    return {};
  }

  #block(user: string, { user: other, blocked }: ModelRequest['payload']): object {
    if (user === other) refuse('bad_request');
    if (blocked) this.blocked.set(user, (this.blocked.get(user) ?? new Set()).add(other));
    else this.blocked.get(user)?.delete(other);
    return {};
  }

  #invite(room: ModelRoom, user: string, { users: [other] }: ModelRequest['payload']): object {
    if (room.kind === 'public') refuse('forbidden');
    const isRefused =
      room.left.has(other) ||
      room.banned.has(other) ||
      this.blocked.get(other)?.has(user) ||
      (room.formerMembers.has(other) && rankIn(room, user) === 0);
    if (!room.members.has(other) && isRefused) return { failed: 'forbidden' };
    add(room, other);
    return {};
  }

  #createInvite(
    room: ModelRoom,
    by: string,
    { uses }: ModelRequest['payload'],
    { id = '', token = '' }: Created,
  ): object {
    if (room.kind === 'public') refuse('forbidden');
    if ([...room.invites.values()].filter((invite) => invite.by === by).length >= maxInvites)
      refuse('limit_reached');
    const readmits = rankIn(room, by) > 0;
    room.invites.set(id, { by, uses, used: 0, madeAt: room.clock++, readmits });
    if (token !== '') this.tokens.set(token, { room: room.id, id });
    return {};
  }

  #accept(user: string, { token }: ModelRequest['payload']): object {
    const place = this.tokens.get(token);
    const room = this.rooms.get(place?.room ?? '');
    const invite = room?.invites.get(place?.id ?? '');
    if (room === undefined || invite === undefined) refuse('unknown_invite');
    if (room.members.has(user)) return {};
    const removedAt = room.removedAt.get(user);
    const isReadmitted = removedAt === undefined || (invite.readmits && invite.madeAt > removedAt);
    const isUsedUp = invite.uses > 0 && invite.used >= invite.uses;
    if (isUsedUp || room.banned.has(user) || !isReadmitted) refuse('unknown_invite');
    invite.used++;
    add(room, user);
    return {};
  }

  #summarize(room: ModelRoom, user: string): object | undefined {
    const member = room.members.get(user);
    if (member === undefined) return undefined;
    const { name, topic, kind, head, write, slow } = room;
    const lastSeq = room.messages.length;
    const blocked = this.blocked.get(user);
    const isMention = ({ user: author, deletedBy, mentions, concerned }: ModelMessage) =>
      deletedBy === undefined &&
      !blocked?.has(author) &&
      (mentions.includes(user) || mentions.includes('*') || concerned.includes(user));
    return {
      ...{ name, topic, kind, head, write, slow, lastSeq },
      ...{ role: member.role, members: room.members.size, readSeq: member.readSeq },
      unread: lastSeq - member.readSeq,
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
      messages: room.messages.map(({ concerned: _, mentions, reactions, ...message }) => ({
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
  if (rankIn(room, user) === 0) refuse('forbidden');
}

function rightsIn(room: ModelRoom, user: string): string[] {
  const role = rankIn(room, user);
  return [
    ...(room.write === 'all' || role > 0 ? ['send'] : []),
    ...(room.kind === 'private' ? ['invite'] : []),
    ...(role > 0 ? ['update', 'remove', 'moderate', 'pin'] : []),
    ...(role > 1 ? ['roles', 'delete'] : []),
    'leave',
  ];
}

function add(room: ModelRoom, user: string): void {
  if (room.members.has(user)) return;
  room.members.set(user, { role: 'member', readSeq: room.messages.length, since: room.clock++ });
  room.formerMembers.add(user);
  room.left.delete(user);
  room.removedAt.delete(user);
}

/** Ends a membership. The room of an owner goes to the longest-standing moderator, otherwise member. */
function endMembership(room: ModelRoom, user: string): void {
  const wasOwner = room.members.get(user)?.role === 'owner';
  room.members.delete(user);
  deleteInvites(room, user);
  for (const [key, isFollowing] of room.following)
    if (isFollowing && key.endsWith(` ${user}`)) room.following.delete(key);
  const [next] = [...room.members.values()].sort((a, b) => rank[b.role] - rank[a.role] || a.since - b.since);
  if (wasOwner && next !== undefined) next.role = 'owner';
}

function deleteInvites(room: ModelRoom, by: string): void {
  for (const [id, invite] of room.invites) if (invite.by === by) room.invites.delete(id);
}

function remove(room: ModelRoom, user: string, other: string): object {
  if (user === other) {
    if (!room.members.has(user)) return {};
    endMembership(room, user);
    room.left.add(user);
    return {};
  }
  requireModerator(room, user);
  if (!room.members.has(other)) return {};
  if (rankIn(room, user) <= rankIn(room, other)) refuse('forbidden');
  endMembership(room, other);
  room.removedAt.set(other, room.clock++);
  return {};
}

function setRole(room: ModelRoom, user: string, other: string, role: Role): object {
  const target = room.members.get(other);
  if (target?.role === role) return {};
  const self = room.members.get(user);
  if (self?.role !== 'owner') refuse('forbidden');
  if (target === undefined) refuse('unknown_user');
  if (user === other) refuse('forbidden');
  if (role === 'owner') self.role = 'moderator';
  if (role === 'member') deleteInvites(room, other);
  target.role = role;
  return {};
}

function restrict(room: ModelRoom, user: string, other: string, isBan: boolean, isLaid: boolean): object {
  requireModerator(room, user);
  if (rankIn(room, user) <= rankIn(room, other)) refuse('forbidden');
  if (!isBan) {
    if (isLaid) room.muted.add(other);
    else room.muted.delete(other);
    return {};
  }
  const returns = room.banned.get(other);
  if (!isLaid) {
    room.banned.delete(other);
    if (returns) add(room, other);
    return {};
  }
  room.banned.set(other, returns ?? room.members.has(other));
  if (room.members.has(other)) endMembership(room, other);
  room.removedAt.set(other, room.clock++);
  return {};
}

/** Mutes and `write` concern messages and edits. */
function requireWriter(room: ModelRoom, user: string): void {
  if (room.write === 'moderators') requireModerator(room, user);
  if (room.muted.has(user)) refuse('muted');
}

const describe = (message: ModelMessage, seq: number) => ({ seq, rev: message.rev, text: message.text });

function send(room: ModelRoom, user: string, payload: ModelRequest['payload'], isJoined: boolean): object {
  const { text, clientId, replyTo, mentions = [] } = payload;
  const said = JSON.stringify([text, replyTo, mentions]);
  const repeated = room.sent.get(`${user} ${clientId}`);
  if (repeated !== undefined) {
    if (repeated.said !== said) refuse('conflict');
    return describe(room.messages[repeated.seq - 1] as ModelMessage, repeated.seq);
  }
  if (!isJoined || !room.members.has(user)) refuse('not_joined');
  requireWriter(room, user);
  if (replyTo > room.messages.length) refuse('unknown_message');
  if (room.slow > 0 && room.writers.has(user) && rankIn(room, user) === 0) refuse('rate_limited');
  const thread = replyTo && (room.messages[replyTo - 1]?.thread ?? replyTo);
  const message: ModelMessage = {
    ...{ user, text, rev: ++room.head, edited: false, mentions: mentionedIn(room, user, mentions) },
    ...(replyTo === undefined ? {} : { replyTo, thread }),
    ...{ concerned: thread === undefined ? [] : followReply(room, user, thread), reactions: new Map() },
  };
  const seq = room.messages.push(message);
  room.sent.set(`${user} ${clientId}`, { seq, said });
  room.writers.add(user);
  (room.members.get(user) as { readSeq: number }).readSeq = seq;
  return describe(message, seq);
}

/** Mentions of users who may not read the room are left out, and so are those of all users by plain members. */
function mentionedIn(room: ModelRoom, by: string, mentions: readonly { user: string }[]): string[] {
  const isModerator = rankIn(room, by) > 0;
  const users = mentions.map(({ user }) => user);
  return users.filter((user) => {
    if (user === '*') return isModerator;
    if (room.kind === 'private') return room.members.has(user);
    return !(isModerator && room.banned.has(user));
  });
}

/** A reply makes its author and the thread's author follow. @returns the other followers */
function followReply(room: ModelRoom, by: string, thread: number): string[] {
  for (const user of [room.messages[thread - 1]?.user as string, by]) {
    const key = `${thread} ${user}`;
    if (room.members.has(user) && !room.following.has(key)) room.following.set(key, true);
  }
  return [...room.members.keys()].filter((user) => user !== by && room.following.get(`${thread} ${user}`));
}

function follow(room: ModelRoom, user: string, seq: number, isFollowing: boolean): object {
  if (!room.members.has(user)) refuse('forbidden');
  const message = room.messages[seq - 1] ?? refuse('unknown_message');
  const key = `${message.thread ?? seq} ${user}`;
  if ((room.following.get(key) ?? false) !== isFollowing) room.following.set(key, isFollowing);
  return {};
}

function edit(room: ModelRoom, user: string, { seq, text, mentions }: ModelRequest['payload']): object {
  requireWriter(room, user);
  const message = room.messages[seq - 1];
  if (message === undefined || message.deletedBy !== undefined) refuse('unknown_message');
  if (message.user !== user) refuse('forbidden');
  if (message.text !== text) {
    const named = mentionedIn(room, user, mentions ?? []);
    Object.assign(message, { text, edited: true, rev: ++room.head, mentions: named });
  }
  return describe(message, seq);
}

function deleteMessage(room: ModelRoom, user: string, seq: number): object {
  const message = room.messages[seq - 1] ?? refuse('unknown_message');
  const isOwn = message.user === user;
  if (!isOwn) requireModerator(room, user);
  if (!isOwn && rankIn(room, user) <= rankIn(room, message.user)) refuse('forbidden');
  if (message.deletedBy === undefined) {
    const deletedBy = isOwn ? 'author' : 'moderator';
    const emptied = { text: '', edited: false, mentions: [], concerned: [], reactions: new Map() };
    Object.assign(message, { ...emptied, deletedBy, rev: ++room.head });
  }
  return describe(message, seq);
}

function pin(room: ModelRoom, user: string, seq: number, isPinned: boolean): object {
  requireModerator(room, user);
  const message = room.messages[seq - 1] ?? refuse('unknown_message');
  if (room.pins.some((one) => one.seq === seq) === isPinned) return {};
  if (isPinned && message.deletedBy !== undefined) refuse('unknown_message');
  if (isPinned && room.pins.length >= maxPins) refuse('limit_reached');
  if (isPinned) room.pins.push({ seq, by: user, after: room.messages.length });
  else room.pins = room.pins.filter((one) => one.seq !== seq);
  return {};
}

function markRead(room: ModelRoom, user: string, seq: number, isUnread: boolean): object {
  if (seq > room.messages.length) refuse('bad_request');
  const member = room.members.get(user);
  if (member === undefined) return { readSeq: 0 };
  member.readSeq = isUnread ? seq : Math.max(member.readSeq, seq);
  return { readSeq: member.readSeq };
}
