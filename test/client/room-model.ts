import type { Unsent } from '../../client/src/store/entries.ts';
import type { Reacted } from '../../client/src/store/reactions.ts';
import { Timeline } from '../../client/src/store/timeline.ts';
import type { Message, User } from '../../server/wire/events.ts';

export const me: User = { id: '1', name: 'Alice' };
export const others: User[] = [
  { id: '2', name: 'Bob' },
  { id: '3', name: '李伟' },
];

/** The server's side of one room, by the rules of docs/protocol.md. */
export class Log {
  readonly messages: Message[] = [];
  head = 0;

  write(user: User, clientId: string): Message {
    const seq = this.messages.length + 1;
    const message = {
      id: `m${seq}`,
      room: 'r',
      seq,
      rev: ++this.head,
      clientId,
      user,
      text: `t${seq}`,
      sentAt: seq,
    };
    this.messages.push(message);
    return message;
  }

  change(at: number, remove: boolean): Message | undefined {
    const old = this.messages[at % Math.max(1, this.messages.length)];
    if (old === undefined || old.deletedAt !== undefined) return undefined;
    const rev = ++this.head;
    const message = remove
      ? { ...old, rev, text: '', deletedAt: rev }
      : { ...old, rev, text: `${old.text}*`, editedAt: rev };
    this.messages[old.seq - 1] = message;
    return message;
  }

  /** One of three users adds or removes one of two reactions. */
  react(at: number): Reacted | undefined {
    const old = this.messages[at % Math.max(1, this.messages.length)];
    if (old === undefined || old.deletedAt !== undefined) return undefined;
    const user = [me.id, ...others.map(({ id }) => id)][at % 3] as string;
    const emoji = ['👍', '❤️'][at % 2] as string;
    const rev = ++this.head;
    const { reactions = [], ...rest } = old;
    const users = reactions.find((reaction) => reaction.emoji === emoji)?.users ?? [];
    const on = !users.includes(user);
    const now = on ? [...users, user] : users.filter((id) => id !== user);
    const reaction = {
      emoji,
      count: now.length,
      users: now,
      ...(now.includes(me.id) ? { mine: true as const } : {}),
    };
    const all =
      users.length === 0
        ? [...reactions, reaction]
        : reactions.map((other) => (other.emoji === emoji ? reaction : other));
    const list = all.filter(({ count }) => count > 0);
    this.messages[old.seq - 1] = { ...rest, rev, ...(list.length > 0 ? { reactions: list } : {}) };
    const change = { emoji, count: now.length, ...(on ? { added: [user] } : { removed: [user] }) };
    return { seq: old.seq, rev, changes: [change] };
  }

  /** `limit` stands for the page size and the 256 KiB at which a response ends. */
  since(since: number, limit: number) {
    const changed = this.messages.filter(({ rev }) => rev > since).sort((a, b) => a.rev - b.rev);
    return { head: this.head, messages: changed.slice(0, limit), complete: changed.length <= limit };
  }

  before(before: number, limit: number) {
    const older = this.messages.filter(({ seq }) => seq < before);
    return { messages: older.slice(-limit), complete: older.length <= limit };
  }

  after(after: number, limit: number) {
    const newer = this.messages.filter(({ seq }) => seq > after);
    return { messages: newer.slice(0, limit), complete: newer.length <= limit };
  }

  join(since: number | undefined, limit: number) {
    const room = { head: this.head, lastSeq: this.messages.length };
    if (since !== undefined && since <= this.head) return { room, ...this.since(since, limit) };
    const newest = this.before(Number.POSITIVE_INFINITY, limit);
    return { room, ...newest, ...(since === undefined ? {} : { reset: true }) };
  }
}

/** Removes `mine`, because an event for all users does not mark the reader's own reactions. */
export function event<E extends Message | Reacted>(change: E): E {
  if ('changes' in change || change.reactions === undefined) return change;
  return { ...change, reactions: change.reactions.map(({ mine: _, ...reaction }) => reaction) };
}

type Answering = () => void;

/** A client of the room. The server responds at once, but responses arrive when the run says so. */
export class Client {
  readonly timeline: Timeline;
  unsent: Unsent[] = [];
  #answers: Answering[] = [];
  #events: (Message | Reacted)[] = [];
  #syncing = false;
  #connected = false;
  #count = 0;

  readonly log: Log;

  constructor(log: Log, timeline = new Timeline()) {
    this.log = log;
    this.timeline = timeline;
  }

  get idle(): boolean {
    return this.#connected && this.#answers.length === 0 && this.#events.length === 0;
  }

  connect(limit: number): void {
    this.disconnect();
    this.#connected = true;
    const since = this.timeline.join();
    const answer = this.log.join(since, limit);
    this.#answers.push(() => this.timeline.joined(answer, since));
  }

  disconnect(): void {
    this.#connected = false;
    this.#syncing = false;
    this.#answers = [];
    this.#events = [];
  }

  hear(change: Message | Reacted | undefined): void {
    if (change !== undefined && this.#connected) this.#events.push(event(change));
  }

  send(): void {
    const clientId = `c${this.#count++}`;
    this.unsent.push({ clientId, room: 'r', text: 'x', sentAt: 0 });
    if (this.#connected && this.timeline.head !== undefined) this.#deliver(clientId);
  }

  resend(): void {
    for (const { clientId } of this.unsent) this.#deliver(clientId);
  }

  #deliver(clientId: string): void {
    const known = this.log.messages.find((m) => m.clientId === clientId && m.user.id === me.id);
    const message = known ?? this.log.write(me, clientId);
    if (known === undefined) this.hear(message);
    this.#answers.push(() => {
      this.timeline.stored(message);
      this.unsent = this.unsent.filter((item) => item.clientId !== clientId);
    });
  }

  page(limit: number): void {
    const { first, epoch } = this.timeline;
    if (!this.#connected || !Number.isFinite(first)) return;
    const answer = this.log.before(first, limit);
    this.#answers.push(() => this.timeline.older(answer, first, epoch));
  }

  /** Requests a part of the history that starts after this message. */
  window(at: number, limit: number): void {
    if (!this.#connected || this.timeline.head === undefined) return;
    const { epoch } = this.timeline;
    const answer = this.log.after(at % Math.max(1, this.log.messages.length), limit);
    this.#answers.push(() => this.timeline.window(answer, epoch));
  }

  newer(limit: number): void {
    const { last, epoch, attached } = this.timeline;
    if (!this.#connected || attached) return;
    const answer = this.log.after(last, limit);
    this.#answers.push(() => this.timeline.newer(answer, epoch));
  }

  quote(at: number): void {
    if (!this.#connected || this.timeline.head === undefined) return;
    const { epoch } = this.timeline;
    const [message] = this.log.before((at % Math.max(1, this.log.messages.length)) + 2, 1).messages;
    if (message !== undefined) this.#answers.push(() => this.timeline.quoted(message, epoch));
  }

  sync(limit: number): void {
    const since = this.timeline.syncFrom;
    if (!this.#connected || this.#syncing || since === undefined) return;
    const answer = this.log.since(since, limit);
    this.#syncing = true;
    this.#answers.push(() => {
      this.timeline.synced(answer, since);
      this.#syncing = false;
    });
  }

  /** A response or event arrives, possibly out of order. */
  arrive(pick: number, event: boolean, how: 'deliver' | 'drop' | 'double'): void {
    const queue: unknown[] = event ? this.#events : this.#answers;
    if (queue.length === 0) return;
    const at = pick % queue.length;
    if (event) {
      const [message] = this.#events.splice(at, 1);
      if (message === undefined || how === 'drop') return;
      this.timeline.live(message, me.id);
      if (how === 'double') this.#events.push(message);
    } else {
      this.#answers.splice(at, 1)[0]?.();
    }
  }
}
