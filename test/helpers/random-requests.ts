import { newClientId } from './chat-client.ts';
import type { ChatModel, ModelRequest, ModelRoom } from './chat-model.ts';

/** The relative frequency of each kind of request. */
const weights = {
  create: 2,
  join: 7,
  invite: 4,
  createInvite: 4,
  acceptInvite: 5,
  revokeInvite: 1,
  leave: 1,
  remove: 2,
  role: 4,
  mute: 2,
  unmute: 2,
  ban: 2,
  unban: 3,
  update: 3,
  deleteRoom: 1,
  block: 1,
  send: 16,
  sendAgain: 3,
  edit: 6,
  deleteMessage: 3,
  react: 2,
  pin: 3,
  unpin: 1,
  markRead: 4,
  markUnread: 4,
  follow: 4,
};
type Kind = keyof typeof weights;
const kinds = (Object.keys(weights) as Kind[]).flatMap((kind) => Array<Kind>(weights[kind]).fill(kind));

const moderatorKinds = new Set<Kind>([
  'remove',
  'role',
  'mute',
  'unmute',
  'ban',
  'unban',
  'update',
  'deleteRoom',
  'pin',
  'unpin',
]);

/**
 * Concurrent requests contain at most one of these events, and a reply only without them. Otherwise several orders
 * would explain the responses: what servers show does not reveal why a user is not a member, or whether a user followed
 * a thread before a reply.
 */
const membershipEvents =
  /^(room:(create|join|invite|remove|role|ban|delete)|invite:(create|accept)|thread:follow)$/;
/** Above this number rooms are deleted. Many rooms with many messages make a run slow. */
const maxRooms = 6;
const emojis = ['👍', '🎉', '🙈'];

/** Generates random requests that often succeed in the state of a model. */
export class RandomRequests {
  readonly #roll: (below: number) => number;
  readonly #users: readonly string[];
  /** Earlier `message:send` requests, to repeat them. */
  readonly #sends: ModelRequest[] = [];
  #count = 0;

  constructor(roll: (below: number) => number, users: readonly string[]) {
    this.#roll = roll;
    this.#users = users;
  }

  /** Returns concurrent requests of different users in one room. */
  next(model: ChatModel, maxCount = [1, 1, 1, 1, 1, 2, 2, 2, 3, 3][this.#roll(10)]): ModelRequest[] {
    const roll = this.#roll;
    // Sometimes the room does not exist.
    const room = (roll(40) > 0 && this.#pick([...model.rooms.keys()])) || 'u-none';
    const requests: ModelRequest[] = [];
    for (const user of this.#shuffle(this.#users).slice(0, maxCount)) {
      const [first] = requests;
      // Often reacts to the same message, because the server stores simultaneous reactions as one change.
      if (first?.event === 'message:react' && roll(3) > 0) {
        const payload = { ...first.payload, emoji: this.#pick(emojis), on: roll(3) > 0 };
        requests.push({ user, event: 'message:react', payload });
        continue;
      }
      const request = this.#request(model, user, room);
      const effects = requests.map(findEffect);
      const effect = findEffect(request);
      if (effect === 'members' && effects.some((other) => other !== undefined)) continue;
      if (effect === 'thread' && effects.includes('members')) continue;
      requests.push(request);
      if (request.event === 'room:create') return [request];
    }
    return requests;
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#roll(from.length)];
  }

  #shuffle<T>(from: readonly T[]): T[] {
    return from
      .map((value) => [this.#roll(1000), value] as const)
      .sort(([a], [b]) => a - b)
      .map(([, value]) => value);
  }

  #request(model: ChatModel, user: string, room: string): ModelRequest {
    const roll = this.#roll;
    const state = model.rooms.get(room);
    const count = state?.messages.length ?? 0;
    const other = this.#pick(
      this.#users.filter((candidate) => candidate !== user || roll(8) === 0),
    ) as string;
    const text = `text ${this.#count++}`;
    const ask = (event: string, payload: object): ModelRequest => ({ user, event, payload });
    let kind = this.#pick(kinds) as Kind;
    for (let n = 0; n < 3 && !isLikely(kind, state, user); n++) kind = this.#pick(kinds) as Kind;
    if (model.rooms.size === 0) kind = 'create';
    else if (kind === 'create' && model.rooms.size >= maxRooms) kind = 'deleteRoom';
    // Sometimes one more than the last message.
    const anySeq = 1 + roll(Math.max(1, count + (roll(10) === 0 ? 1 : 0)));
    const own = (state?.messages ?? []).flatMap((message, n) => (message.user === user ? [n + 1] : []));
    const isOwn = (kind === 'edit' || kind === 'deleteMessage') && roll(4) > 0;
    const seq = (isOwn && this.#pick(own)) || anySeq;
    switch (kind) {
      case 'create': {
        const isPublic = roll(2) === 0;
        const name = `Room ${this.#count}`;
        return ask('room:create', {
          ...{ name, kind: isPublic ? 'public' : 'private', clientId: newClientId() },
        });
      }
      case 'join':
        return ask('room:join', { room });
      case 'invite':
        return ask('room:invite', { room, users: [other] });
      case 'createInvite':
        return ask('invite:create', { room, uses: roll(3) });
      case 'acceptInvite':
        return ask('invite:accept', { token: this.#token(model, room) });
      case 'revokeInvite':
        return ask('invite:revoke', { room, id: this.#pick([...(state?.invites.keys() ?? [])]) ?? 'none' });
      case 'leave':
        return ask('room:remove', { room, user });
      case 'remove':
        return ask('room:remove', { room, user: other });
      case 'role':
        return ask('room:role', { room, user: other, role: this.#pick(['owner', 'moderator', 'member']) });
      case 'mute':
      case 'ban':
        return ask(`room:${kind}`, { room, user: other });
      case 'unmute':
        return ask('room:mute', { room, user: this.#pick([...(state?.muted ?? [])]) ?? other, seconds: 0 });
      case 'unban':
        return ask('room:ban', {
          ...{ room, user: this.#pick([...(state?.banned.keys() ?? [])]) ?? other, seconds: 0 },
        });
      case 'update':
        return ask('room:update', { room, ...this.#change(text) });
      case 'deleteRoom':
        return ask('room:delete', { room });
      case 'block':
        return ask('user:block', { user: other, blocked: roll(3) === 0 });
      case 'send':
        return this.#remember(ask('message:send', { room, text, ...this.#details(state, count) }));
      case 'sendAgain':
        return this.#sendAgain(ask('message:send', { room, text, ...this.#details(state, count) }));
      case 'edit':
        return ask('message:edit', {
          ...{ room, seq },
          ...(roll(4) === 0
            ? { text: state?.messages[seq - 1]?.text || text }
            : { text, mentions: this.#mentions() }),
        });
      case 'deleteMessage':
        return ask('message:delete', { room, seq });
      case 'react':
        return ask('message:react', { room, seq, emoji: this.#pick(emojis), on: roll(3) > 0 });
      case 'pin':
        return ask('message:pin', { room, seq });
      case 'unpin':
        return ask('message:unpin', { room, seq: this.#pick(state?.pins ?? [])?.seq ?? seq });
      case 'markRead':
        return ask('read:mark', { room, seq });
      case 'markUnread':
        return ask('read:mark', { room, seq, unread: true });
      case 'follow':
        return ask('thread:follow', { room, thread: seq, following: roll(2) === 0 });
    }
  }

  /** Returns the token of an invite link, usually a valid link to this room. */
  #token(model: ChatModel, room: string): string {
    const tokens = [...model.tokens].slice(-40);
    const valid = tokens.filter(([, { id }]) => model.rooms.get(room)?.invites.has(id));
    const [token] = this.#pick(valid.length > 0 && this.#roll(10) > 0 ? valid : tokens) ?? ['none'];
    return token;
  }

  #change(text: string): object {
    const changes = [
      { topic: text },
      { topic: '' },
      { name: `Name ${text}` },
      { write: 'moderators' },
      ...[{ write: 'all' }, { write: 'all' }, { write: 'all' }],
      { slow: 3600 },
      ...[{ slow: 0 }, { slow: 0 }, { slow: 0 }],
    ];
    return this.#pick(changes) as object;
  }

  #mentions(): { user: string; start: number; length: number }[] {
    const users = this.#shuffle([...this.#users, '*']).slice(0, [0, 0, 1, 2][this.#roll(4)]);
    return users.map((user, start) => ({ user, start, length: 1 }));
  }

  /** Returns the mentions of a new message, and `replyTo`: a thread or one of the latest messages. */
  #details(state: ModelRoom | undefined, count: number): object {
    const mentions = this.#mentions();
    const threads = (state?.messages ?? []).flatMap(({ thread }) => thread ?? []);
    const latest = count - this.#roll(3);
    const replyTo = [this.#pick(threads), latest > 0 ? latest : undefined, undefined, undefined][
      this.#roll(4)
    ];
    return {
      ...{ clientId: newClientId() },
      ...(mentions.length === 0 ? {} : { mentions }),
      ...(replyTo === undefined ? {} : { replyTo, ...(this.#roll(2) === 0 && { threadOnly: true }) }),
    };
  }

  #remember(request: ModelRequest): ModelRequest {
    this.#sends.push(request);
    if (this.#sends.length > 100) this.#sends.shift();
    return request;
  }

  /** Repeats an earlier message, or sends a different message with its `clientId`. */
  #sendAgain({ user, event, payload }: ModelRequest): ModelRequest {
    const earlier = this.#pick(this.#sends.filter((sent) => sent.user === user));
    if (earlier === undefined) return this.#remember({ user, event, payload });
    if (this.#roll(4) > 0) return earlier;
    return { ...earlier, payload: { ...earlier.payload, text: payload.text } };
  }
}

/** Returns the state that a request changes, if it restricts concurrent requests. */
function findEffect({ event, payload }: ModelRequest): 'members' | 'thread' | undefined {
  if (membershipEvents.test(event)) return 'members';
  return payload.replyTo === undefined ? undefined : 'thread';
}

/** Whether the request of the user has a chance to succeed. */
function isLikely(kind: Kind, state: ModelRoom | undefined, user: string): boolean {
  const member = state?.members.get(user);
  if (kind === 'join') return member === undefined && state?.kind === 'public';
  if (kind === 'acceptInvite') return member === undefined && state !== undefined && state.invites.size > 0;
  if (/invite/i.test(kind)) return member !== undefined && state?.kind === 'private';
  if (moderatorKinds.has(kind)) return member !== undefined && member.role !== 'member';
  return member !== undefined || kind === 'create' || kind === 'block';
}
