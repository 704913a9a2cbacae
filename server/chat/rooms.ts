import { RequestError } from '../errors.ts';
import type { Answers, Message, RequestPayload, RoomSummary, User } from '../events.ts';
import { type History, maxPageBytes, type Page, type RoomRecord } from '../history/history.ts';
import type { Member } from './member.ts';
import type { Presence } from './presence.ts';

/** How many messages a join without `since` brings, and how many changes one with it. */
const joinPage = 50;
const joinChanges = 200;

/** Hands an event to everybody who has joined the room. */
export type Publish = (room: string, event: 'message:new', payload: Message) => void;

/** The rooms, who may read them, and how a connection joins one without missing or doubling anything. */
export class Rooms {
  readonly #history: History;
  readonly #presence: Presence;
  readonly #records = new Map<string, RoomRecord>();
  /** What is published in a room while somebody's join is being read from the history. */
  readonly #joining = new Map<string, Set<Message[]>>();

  private constructor(history: History, presence: Presence) {
    this.#history = history;
    this.#presence = presence;
  }

  /** @param publicRooms exist from the start */
  static async open(
    history: History,
    presence: Presence,
    publish: Publish,
    publicRooms: readonly string[],
  ): Promise<Rooms> {
    const rooms = new Rooms(history, presence);
    await history.createRooms(publicRooms);
    for (const record of await history.rooms()) rooms.#records.set(record.id, record);
    history.onCommit((message) => {
      rooms.#committed(message);
      publish(message.room, 'message:new', message);
    });
    return rooms;
  }

  /** The message is on disk, and nobody has been told yet. */
  #committed(message: Message): void {
    const record = this.#records.get(message.room);
    if (record === undefined) return;
    record.head = message.rev;
    record.lastSeq = message.seq;
    for (const missed of this.#joining.get(message.room) ?? []) missed.push(message);
  }

  /**
   * The room as it has been published so far: never further than what every joined connection was sent.
   * @throws RequestError `unknown_room`, also for a room that exists but may not be read
   */
  readable(room: string): Readonly<RoomRecord> {
    const record = this.#records.get(room);
    if (record === undefined || record.kind !== 'public') throw new RequestError('unknown_room');
    return record;
  }

  /** All public rooms, and those this user is a member of. */
  async list(member: Member): Promise<Answers['room:list']> {
    const read = new Map<string, number>();
    for (const { room, readSeq } of await this.#history.memberships(member.user.id)) read.set(room, readSeq);
    const rooms = [...this.#records.values()].filter(
      (record) => record.kind === 'public' || read.has(record.id),
    );
    return { rooms: rooms.map((record) => summarize(record, read.get(record.id) ?? null)) };
  }

  /** Reading and joining are one step: `join` is called in the same turn in which the answer is made. */
  async join(
    member: Member,
    { room, since }: RequestPayload<'room:join'>,
    join: () => void,
  ): Promise<Answers['room:join']> {
    const record = this.readable(room);
    const readSeq =
      (await this.#history.readSeq(room, member.user.id)) ??
      (await this.#history.addMember(room, member.user.id));
    const resume = since !== undefined && since <= record.head ? since : undefined;
    const missed: Message[] = [];
    const watching = this.#joining.get(room) ?? new Set();
    this.#joining.set(room, watching.add(missed));
    let page: Page;
    try {
      page =
        resume === undefined
          ? await this.#history.newest(room, record.lastSeq, joinPage)
          : await this.#history.changes(room, resume, record.head, joinChanges);
    } finally {
      watching.delete(missed);
      if (watching.size === 0) this.#joining.delete(room);
    }
    // The connection went away while its answer was read: nobody is left to be present or to be told.
    if (member.gone) throw new RequestError('not_joined');
    const answer = resume === undefined ? newestOf(page, missed) : changesOf(page, missed);
    join();
    member.joined.add(room);
    this.#presence.join(room, member);
    return {
      room: summarize(record, readSeq),
      ...answer,
      ...(since !== undefined && resume === undefined ? { reset: true } : {}),
      ...this.#presence.of(room, member),
    };
  }

  async sync({ room, since, limit }: RequestPayload<'room:sync'>): Promise<Answers['room:sync']> {
    const record = this.readable(room);
    const { head, lastSeq } = record;
    // The history was restored from a backup: the client forgets the room and starts anew.
    if (since > head) return { head, ...(await this.#history.newest(room, lastSeq, joinPage)), reset: true };
    return { head, ...(await this.#history.changes(room, since, head, limit)) };
  }

  leave(member: Member, { room }: RequestPayload<'room:leave'>, leave: () => void): Answers['room:leave'] {
    this.readable(room);
    leave();
    if (member.joined.delete(room)) this.#presence.leave(room, member);
    return {};
  }

  /** The user has another name from now on. */
  rename(member: Member, user: User): void {
    for (const room of member.joined) this.#presence.renames(room);
    member.user = user;
  }

  /** The connection is gone. */
  disconnect(member: Member): void {
    member.gone = true;
    for (const room of member.joined) this.#presence.leave(room, member);
    member.joined.clear();
  }
}

/** What was published meanwhile belongs to the newest, and older ones give way to it. */
function newestOf(page: Page, missed: readonly Message[]): Page {
  const messages = [...page.messages, ...missed];
  let { complete } = page;
  while (messages.length > joinPage || (missed.length > 0 && isTooLarge(messages))) {
    messages.shift();
    complete = false;
  }
  return { messages, complete };
}

/** What was published meanwhile comes after all changes, or with the rest of them by room:sync. */
function changesOf(page: Page, missed: readonly Message[]): Page {
  if (!page.complete || missed.length === 0) return page;
  const messages = [...page.messages, ...missed];
  if (messages.length > joinChanges || isTooLarge(messages))
    return { messages: page.messages, complete: false };
  return { messages, complete: true };
}

function isTooLarge(messages: readonly Message[]): boolean {
  return Buffer.byteLength(JSON.stringify(messages)) > maxPageBytes;
}

/** @param readSeq null for who is not a member */
function summarize(record: RoomRecord, readSeq: number | null): RoomSummary {
  const read = Math.min(readSeq ?? 0, record.lastSeq);
  return {
    ...record,
    member: readSeq !== null,
    readSeq: read,
    unread: readSeq === null ? 0 : record.lastSeq - read,
  };
}
