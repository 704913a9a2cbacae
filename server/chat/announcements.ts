import {
  acted,
  type Change,
  everybody,
  hasBegun,
  type MemberRecord,
  otherOf,
  type RoomRecord,
  type StoredMessage,
} from '../history/history.ts';
import type {
  EventPayload,
  Held,
  Pin,
  RemovalReason,
  Report,
  RoomMember,
  SiteRole,
  User,
} from '../wire/events.ts';
import { decidesIn, rightsIn } from './access.ts';
import type { OnAsideFailure } from './asides.ts';
import { ChangedSummaries } from './changed-summaries.ts';
import type { Directory, DirectoryListener, MemberChange } from './directory.ts';
import type { SeenBy } from './messages/seen.ts';
import type { ThreadChanges } from './messages/thread-changes.ts';
import type { Typing } from './messages/typing.ts';
import { countMentions, leavesOut, noMentions } from './messages/unread-mentions.ts';
import { type Connection, nobody, type Person, type Room } from './model.ts';
import { removalBy } from './moderation/removals.ts';
import { seesReportsOf, withoutWords } from './moderation/shown-reports.ts';
import type { OrderAnswer, OtherServers } from './other-servers.ts';
import { PeopleChanges } from './people-changes.ts';
import type { Publisher } from './publisher.ts';
import { membersOf, nameFor, previewOf, previewsFor, summaryOf } from './summary.ts';

/** Milliseconds for which presence in direct rooms is gathered, for connections that have not joined them. */
const gatherDirectFor = 1000;
/** The shortest interval of `room:activity` per room, in milliseconds. */
const activityEvery = 1000;

/** Turns changes of the directory into the events of the protocol. */
export class Announcements implements DirectoryListener {
  readonly #publisher: Publisher;
  readonly #typing: Typing;
  readonly #directory: () => Directory;
  readonly #kick: (user: string) => Promise<void>;
  readonly #onRestrictions: () => void;
  readonly #onAsideFailure: OnAsideFailure;
  readonly #readReport: (id: string) => Promise<Report | null>;
  #reports: Promise<void> = Promise.resolve();
  readonly #readHeld: (id: string) => Promise<Held | undefined>;
  readonly #readUser: (id: string) => Promise<User>;
  #held: Promise<void> = Promise.resolve();
  readonly #readPin: (room: string, seq: number) => Promise<Pin | undefined>;
  #pins: Promise<void> = Promise.resolve();
  readonly #readMessage: (place: StoredMessage) => Promise<StoredMessage | undefined>;
  readonly #others: OtherServers | undefined;
  readonly #summaries = new ChangedSummaries((room, connection) => this.#changed(room, connection));
  readonly #people: PeopleChanges;
  readonly #threads: ThreadChanges;
  readonly #seenBy: SeenBy;
  readonly #direct = new Map<Room, Map<string, User | null>>();
  /** Rooms whose `room:activity` was sent within the last second; `waiting`: there was more since then. */
  readonly #activity = new Map<Room, { waiting: boolean }>();

  constructor(options: {
    publisher: Publisher;
    typing: Typing;
    threads: ThreadChanges;
    seenBy: SeenBy;
    directory: () => Directory;
    kick: (user: string) => Promise<void>;
    /** Called after a mute or ban in a room has begun or ended. */
    onRestrictions: () => void;
    onAsideFailure: OnAsideFailure;
    /** A report as moderators see it; null if it is gone. */
    readReport: (id: string) => Promise<Report | null>;
    /** A message that waits, or was rejected; undefined if it is gone. */
    readHeld: (id: string) => Promise<Held | undefined>;
    readUser: (id: string) => Promise<User>;
    /** A pin as everybody in the room sees it; undefined if the message is not pinned any more. */
    readPin: (room: string, seq: number) => Promise<Pin | undefined>;
    /** A message as it is now; undefined if it is deleted or gone. */
    readMessage: (message: StoredMessage) => Promise<StoredMessage | undefined>;
    /** Absent for a single server. */
    others?: OtherServers | undefined;
  }) {
    this.#publisher = options.publisher;
    this.#people = new PeopleChanges(options.publisher);
    this.#threads = options.threads;
    this.#seenBy = options.seenBy;
    this.#typing = options.typing;
    this.#directory = options.directory;
    this.#kick = options.kick;
    this.#onRestrictions = options.onRestrictions;
    this.#onAsideFailure = options.onAsideFailure;
    this.#readReport = options.readReport;
    this.#readHeld = options.readHeld;
    this.#readUser = options.readUser;
    this.#readPin = options.readPin;
    this.#readMessage = options.readMessage;
    this.#others = options.others;
  }

  message(room: Room, { is, message, reacted }: Change & { type: 'message' }): void {
    if (is === 'new') this.#typing.stop(room, message.user.id);
    const { id } = room.record;
    if (reacted !== undefined) {
      const { seq, rev } = message;
      this.#publisher.toRoom(id, 'message:reacted', { room: id, seq, rev, changes: reacted });
    } else {
      const shown = this.#directory().messageOf(message);
      this.#publisher.toRoom(id, is === 'new' ? 'message:new' : 'message:changed', shown);
    }
    if (is === 'new' || message.deletedAt !== undefined) this.#threads.changed(room, message);
    this.#active(room);
    if (is === 'new' && room.record.kind === 'direct' && message.seq === 1)
      this.#begun(room, message.user.id);
  }

  mentioned(room: Room, { message, added, removed }: Change & { type: 'mentions' }): void {
    const directory = this.#directory();
    const namedNow = new Set((message.mentions ?? []).map(({ user }) => user));
    const people = new Set(namedNow.has(everybody) && added.includes(everybody) ? room.here : []);
    // A server that gets this late may find that the message has changed since.
    const named = added
      .filter((user) => namedNow.has(user))
      .flatMap((user) => directory.person(user) ?? [])
      .filter((person) => !people.has(person));
    this.#concern(room, named, message);
    // A mention of everybody is one frame for all, and other servers are not asked about each member.
    const absent = [...people].filter((person) => this.#isToHear(room, person, message));
    this.#publisher.toConnections(idsOf(absent), 'mention', { message: directory.messageOf(message) });
    // Their number of mentions has fallen. A removed mention of everybody is not announced, as that would be an event
    // for each member.
    this.#recounted(
      room,
      message,
      removed.filter((user) => user !== everybody),
    );
  }

  concerned(room: Room, { message, users, is }: Change & { type: 'concerned' }): void {
    if (is !== 'new') return this.#recounted(room, message, users);
    const directory = this.#directory();
    const named = new Set((message.mentions ?? []).map(({ user }) => user));
    // They have learned of it by the mention.
    if (named.has(everybody) || message.deletedAt !== undefined) return;
    const following = users
      .filter((user) => !named.has(user))
      .flatMap((user) => directory.person(user) ?? []);
    this.#concern(room, following, message, { followed: true });
  }

  followed({ room, thread, user, following }: Change & { type: 'followed' }): void {
    const person = this.#directory().person(user);
    if (!person?.memberships.has(room)) return;
    this.#publisher.toConnections(idsOf([person]), 'thread:followed', { room, thread, following });
  }

  /** The number of mentions has changed for these users, by a change of that message. */
  #recounted(room: Room, { user: author }: StoredMessage, users: readonly string[]): void {
    const directory = this.#directory();
    for (const user of users) {
      const person = directory.person(user);
      if (person?.blocked.has(author.id)) continue;
      for (const connection of person?.connections ?? []) {
        if (!connection.person.memberships.has(room.record.id)) continue;
        this.#changed(room, connection);
      }
    }
  }

  /**
   * Sends a message to users whom it concerns, unless they have read it, or one of their connections has joined the room.
   * @param how.followed they follow its thread; otherwise it mentions them
   */
  #concern(
    room: Room,
    people: readonly Person[],
    message: StoredMessage,
    how: Pick<EventPayload<'mention'>, 'followed'> = {},
  ): void {
    const { id } = room.record;
    const tell = (to: readonly Person[], shown: StoredMessage) => {
      const payload = { message: this.#directory().messageOf(shown), ...how };
      this.#publisher.toConnections(idsOf(to.filter(isToHear)), 'mention', payload);
    };
    const isToHear = (person: Person) =>
      this.#directory().find(person, id) === room && this.#isToHear(room, person, message);
    const { asked = [], known = [] } = Object.groupBy(people.filter(isToHear), ({ user }) =>
      this.#others?.isConnected(user.id) ? 'asked' : 'known',
    );
    tell(known, message);
    if (this.#others === undefined || asked.length === 0) return;
    // All of them in a single order: it is stored, and so is the answer of each server.
    const users = asked.map(({ user }) => user.id);
    this.#others
      .orderOthers('', { is: 'joined', room: id, users })
      // A repeated mention is better than a lost one.
      .catch(() => ({ joined: [] }))
      .then(async ({ joined = [] }: Pick<OrderAnswer, 'joined'>) => {
        // While the other servers were asked, it may have been deleted or edited, and some may have lost the room.
        const now = await this.#readMessage(message);
        if (now === undefined) return;
        const named = new Set(now.mentions?.map(({ user }) => user));
        const isConcerned = (user: string) =>
          how.followed ? !named.has(user) && !named.has(everybody) : named.has(user);
        const to = asked.filter(({ user }) => !joined.includes(user.id) && isConcerned(user.id));
        tell(to, now);
      })
      // The message counts among the mentions of the room all the same.
      .catch((error) => this.#onAsideFailure('mention_told', error));
  }

  roomAdded(room: Room, asker: string | undefined): void {
    // The new room looks the same to all users with the same site roles, so they share one frame.
    const byRoles = new Map<string, Connection[]>();
    for (const { connections, memberships } of this.#directory().everybody()) {
      // Its maker, who may have come here before that was heard.
      if (memberships.has(room.record.id)) continue;
      for (const connection of connections) {
        if (connection.id === asker) continue;
        const roles = connection.identity.roles.join();
        byRoles.set(roles, [...(byRoles.get(roles) ?? []), connection]);
      }
    }
    for (const alike of byRoles.values()) {
      const summary = summaryOf(this.#directory(), room, alike[0] as Connection);
      this.#publisher.toConnections(
        alike.map(({ id }) => id),
        'room:added',
        summary,
      );
    }
  }

  roomChanged(room: Room): void {
    this.#active(room, 'joined too');
  }

  settingsChanged(room: Room, before: RoomRecord): void {
    const { record } = room;
    // In a direct room nobody is shown what the other one alone wishes, also not by an event.
    const isOneWish = record.pair !== undefined && before.pair !== undefined;
    const sees = ({ user: { id } }: Person) =>
      !isOneWish || previewsFor(before, id) !== previewsFor(record, id);
    this.#summaries.tell(
      room,
      [...room.here].filter(sees).flatMap(({ connections }) => [...connections]),
    );
  }

  partnerHidden(room: Room, { connections }: Person): void {
    this.#summaries.tell(room, connections);
  }

  roomDeleted(
    room: Room,
    people: readonly Person[],
    left: readonly Connection[],
    asker: string | undefined,
  ): void {
    const { id } = room.record;
    this.#publisher.toConnections(idsOf(people, asker), 'room:removed', {
      room: id,
      readable: false,
      reason: 'deleted',
    });
    for (const connection of left) this.#publisher.leave(connection.id, id);
    this.#typing.forget(room);
  }

  memberAdded(
    room: Room,
    user: MemberChange['user'],
    member: MemberRecord,
    person: Person | undefined,
    asker: string | undefined,
  ) {
    this.#people.member(room, user.id, this.#roomMember(room, user, member));
    for (const connection of person?.connections ?? []) {
      if (connection.id === asker) continue;
      this.#publisher.toConnections(
        [connection.id],
        'room:added',
        summaryOf(this.#directory(), room, connection),
      );
    }
  }

  memberChanged(
    room: Room,
    user: MemberChange['user'],
    before: MemberRecord,
    now: MemberRecord,
    person: Person | undefined,
  ) {
    const becomesKnown = this.#shown(user, before).name !== this.#shown(user, now).name;
    // In a public room people hear of each first visit. In other rooms an event that changes nothing they see would give the
    // first visit away.
    const joins = room.record.kind === 'public' && before.acted !== now.acted;
    if (before.role !== now.role || becomesKnown || joins) {
      this.#people.member(room, user.id, this.#roomMember(room, user, now));
    }
    if (before.role === now.role && before.notify === now.notify && before.sources === now.sources) return;
    for (const connection of person?.connections ?? []) this.#changed(room, connection);
  }

  memberRemoved(
    room: Room,
    { user, now, by, cause, asker }: MemberChange,
    person: Person | undefined,
    left: readonly Connection[],
  ): void {
    const { id, kind } = room.record;
    for (const connection of left) this.#publisher.leave(connection.id, id);
    this.#typing.stop(room, user.id);
    const ban = cause === 'banned' ? now.restricted?.banned : undefined;
    const byPeople: RemovalReason = cause === 'left' ? 'left' : 'removed';
    const ids = idsOf(person === undefined ? [] : [person], asker);
    this.#publisher.toConnections(
      ids,
      'room:removed',
      ban === undefined
        ? { room: id, readable: kind === 'public', reason: by === 'people' ? byPeople : 'site' }
        : removalBy(id, ban),
    );
    this.#people.member(room, user.id, { user: this.#shown(user, now), gone: true });
  }

  pinned(room: Room, seq: number): void {
    // In turn, so that the last event is the newest.
    this.#pins = this.#pins
      .then(async () => {
        if (room.joined.size === 0) return;
        const pin = await this.#readPin(room.record.id, seq);
        if (this.#isReplaced(room.record)) return;
        const count = room.record.pins ?? 0;
        const change = { room: room.record.id, seq, ...(pin === undefined ? {} : { pin }), count };
        this.#publisher.toRoom(room.record.id, 'pin:changed', change);
      })
      // Clients still get it with the list.
      .catch((error) => this.#onAsideFailure('pin_changed', error));
  }

  reported(room: RoomRecord, id: string): void {
    const sees = (connection: Connection) => seesReportsOf(this.#directory(), room, connection);
    const seeing = () =>
      [...this.#directory().everybody()].flatMap(({ connections }) => [...connections].filter(sees));
    if (seeing().length === 0) return;
    const open = room.reports ?? 0;
    // Reports are read one after the other, so that the last event is the newest.
    this.#reports = this.#reports
      .then(() => this.#readReport(id))
      .then((report) => {
        if (this.#isReplaced(room)) return;
        // The report is gone with its user: moderators who list the room get the new count.
        if (report === null) {
          const known = this.#directory().room(room.id);
          const listing = seeing().filter(({ person }) => person.memberships.has(room.id));
          return known && this.#summaries.tell(known, listing);
        }
        const reads = ({ person }: Connection) => this.#directory().find(person, room.id) !== undefined;
        const { readers = [], others = [] } = Object.groupBy(seeing(), (one) =>
          report.closed === undefined || reads(one) ? 'readers' : 'others',
        );
        const tell = (to: readonly Connection[], shown: Report) => {
          const ids = to.map(({ id }) => id);
          if (ids.length > 0) this.#publisher.toConnections(ids, 'report:changed', { report: shown, open });
        };
        tell(readers, report);
        tell(others, withoutWords(report));
      })
      // Moderators still get it when they ask for the list.
      .catch((error) => this.#onAsideFailure('report_changed', error));
  }

  held({ room, id, user, is, by }: Change & { type: 'held' }): void {
    const record = this.#directory().room(room)?.record;
    const deciding = () =>
      [...this.#directory().everybody()]
        .filter(({ user: { id } }) => id !== user)
        .flatMap(({ connections }) => [...connections])
        .filter(({ identity: { roles }, person }) => {
          const member = person.memberships.get(room)?.member;
          const banned = this.#directory().restrictions.isBanned(room, person.user.id);
          return record !== undefined && decidesIn(record, { roles, member }, banned);
        });
    // An author who has lost the room gets no more events of it.
    const author = () => {
      const person = this.#directory().person(user);
      const reads = person !== undefined && this.#directory().find(person, room) !== undefined;
      return reads ? [...person.connections] : [];
    };
    if (deciding().length + author().length === 0) return;
    // In turn, so that the last event is the newest.
    this.#held = this.#held
      .then(async () => {
        const held = is === 'held' || is === 'rejected' ? await this.#readHeld(id) : undefined;
        const decidedBy = by === undefined ? undefined : await this.#readUser(by);
        if (record === undefined || this.#isReplaced(record)) return;
        const change = { id, room, is };
        const toAuthor = { ...change, ...(held === undefined ? {} : { held }) };
        this.#publisher.toConnections(
          author().map(({ id }) => id),
          'held:changed',
          toAuthor,
        );
        const toDeciding = {
          ...(is === 'held' ? toAuthor : change),
          ...(decidedBy === undefined ? {} : { by: decidedBy }),
        };
        this.#publisher.toConnections(
          deciding().map(({ id }) => id),
          'held:changed',
          toDeciding,
        );
      })
      // They still get it with the list.
      .catch((error) => this.#onAsideFailure('held_changed', error));
  }

  blocked({ user, other, blocked, asker }: Change & { type: 'blocked' }, recounted: readonly Room[]): void {
    const person = this.#directory().person(user);
    if (blocked) this.#typing.blocked(user, other);
    const tell = () => {
      for (const room of recounted) this.#summaries.tell(room, person?.connections ?? []);
    };
    tell();
    const isFull = ({ record }: Room) =>
      leavesOut(person?.memberships.get(record.id)?.mentions ?? noMentions);
    if (blocked && person !== undefined && recounted.some(isFull)) {
      this.#directory()
        .readMentions(person)
        .then(tell)
        // They are counted when the user connects again.
        .catch((error) => this.#onAsideFailure('mentions_counted', error));
    }
    const ids = idsOf(person === undefined ? [] : [person], asker);
    this.#publisher.toConnections(ids, 'blocked:changed', { user: other, blocked });
  }

  muteChanged(room: Room, person: Person): void {
    this.#typing.stop(room, person.user.id);
    for (const connection of person.connections) this.#changed(room, connection);
  }

  restrictionsChanged(): void {
    this.#onRestrictions();
  }

  rolesChanged(connection: Connection, before: readonly SiteRole[]): void {
    const { identity, person } = connection;
    for (const { room, member } of person.memberships.values()) {
      const [was, is] = [before, identity.roles].map((roles) =>
        rightsIn(room.record, { roles, member }).join(),
      );
      if (was !== is) this.#changed(room, connection);
    }
  }

  present(room: Room, user: string, before: User | null, now: User | null): void {
    if (!hasBegun(room.record)) return;
    this.#people.present(room, user, before);
    if (bothWrote(room)) this.#tellPartner(room, user, now);
  }

  read(room: Room | undefined, { user, readSeq, again, unread, asker }: Change & { type: 'read' }): void {
    if (room === undefined) return;
    if (again !== true) this.#seenBy.read(room, user, readSeq);
    const person = this.#directory().person(user);
    const others = idsOf(person === undefined ? [] : [person], asker);
    const partner = otherOf(room.record.pair, user);
    const otherSide = partner === undefined ? undefined : this.#directory().person(partner);
    const { id, firstSeq } = room.record;
    const isNews = this.#directory().showsSeen && again !== true && otherSide?.memberships.has(id) === true;
    const ids = isNews ? [...others, ...idsOf([otherSide])] : others;
    if (ids.length === 0) return;
    const { mentions = noMentions } = person?.memberships.get(id) ?? {};
    const fallen =
      unread === undefined ? {} : { mentions: countMentions(mentions, person?.blocked ?? nobody, firstSeq) };
    this.#publisher.toConnections(ids, 'read:changed', { room: id, user, seq: readSeq, ...fallen });
  }

  banned(user: string): void {
    void this.#kick(user);
  }

  reset(room: Room): void {
    const { id } = room.record;
    this.#publisher.toRoom(id, 'room:reset', { room: id });
    this.#active(room);
  }

  #changed(room: Room, connection: Connection): void {
    const summary = summaryOf(this.#directory(), room, connection);
    this.#publisher.toConnections([connection.id], 'room:changed', summary);
  }

  /** Whether another room has its id: what was read of this one is not for the people of that one. */
  #isReplaced({ id, createdAt }: RoomRecord): boolean {
    const now = this.#directory().room(id);
    return now !== undefined && now.record.createdAt !== createdAt;
  }

  /** A message that was read before an edit is not among the unread mentions, so nobody hears that their number has risen. */
  #isToHear(room: Room, person: Person, { user: author, seq }: StoredMessage): boolean {
    const { readSeq = 0 } = person.memberships.get(room.record.id)?.member ?? {};
    return seq > readSeq && !person.blocked.has(author.id) && !this.#hasJoined(room, person);
  }

  #hasJoined(room: Room, { connections }: Person): boolean {
    return [...connections].some(({ joined }) => joined.has(room));
  }

  #roomMember(room: Room, user: MemberChange['user'], member: MemberRecord): RoomMember {
    const { id } = user;
    return { user: this.#shown(user, member), role: member.role, present: room.present.has(id) };
  }

  /** The user as everybody in the room may know them. */
  #shown(user: MemberChange['user'], member: MemberRecord): User {
    const { id, name } = user;
    return { id, name: this.#directory().isVisible(user, member) ? name : id };
  }

  /** With the first message the other one of a direct room becomes present, whether that one has opened it before or not. */
  #begun(room: Room, author: string): void {
    for (const id of room.present.keys()) if (id !== author) this.#people.present(room, id, null);
  }

  /**
   * In a direct room in which both have written, presence also goes to connections of the other user that have not
   * joined.
   */
  #tellPartner(room: Room, userId: string, user: User | null): void {
    const known = this.#direct.get(room);
    if (known !== undefined) return void known.set(userId, user);
    this.#direct.set(room, new Map([[userId, user]]));
    setTimeout(() => {
      const changes = this.#direct.get(room) ?? new Map<string, User | null>();
      this.#direct.delete(room);
      for (const [id, now] of changes) {
        const partner = otherOf(room.record.pair, id);
        // Skipped if the partner has lost the room since.
        const person = [...room.here].find(({ user }) => user.id === partner);
        const ids = [...(person?.connections ?? [])]
          .filter((one) => !one.joined.has(room))
          .map((one) => one.id);
        if (ids.length === 0) continue;
        this.#publisher.toConnections(ids, 'presence:changed', {
          room: room.record.id,
          joined: now === null ? [] : [now],
          left: now === null ? [id] : [],
          count: room.present.size,
        });
      }
    }, gatherDirectFor);
  }

  /** Sends one frame to all connections of members that have not joined the room, at most once a second. */
  #active(room: Room, to: 'not joined' | 'joined too' = 'not joined'): void {
    const known = this.#activity.get(room);
    if (known !== undefined && to === 'not joined') {
      known.waiting = true;
      return;
    }
    this.#tellActivity(room, to);
    if (known !== undefined) return;
    const state = { waiting: false };
    this.#activity.set(room, state);
    const next = () => {
      if (!state.waiting) return void this.#activity.delete(room);
      state.waiting = false;
      this.#tellActivity(room, 'not joined');
      setTimeout(next, activityEvery);
    };
    setTimeout(next, activityEvery);
  }

  #tellActivity(room: Room, to: 'not joined' | 'joined too'): void {
    const { record } = room;
    // A direct room has a different name for each side.
    const groups: Iterable<Iterable<Person>> =
      record.kind === 'direct' ? [...room.here].map((person) => [person]) : [room.here];
    for (const people of groups) this.#tellActivityTo(room, people, to);
  }

  #tellActivityTo(room: Room, people: Iterable<Person>, to: 'not joined' | 'joined too'): void {
    const { record } = room;
    const told: Connection[] = [];
    for (const { connections } of people) {
      for (const connection of connections) {
        if (to === 'joined too' || !connection.joined.has(room)) told.push(connection);
      }
    }
    const [first] = told;
    if (first === undefined) return;
    const ids = told.map(({ id }) => id);
    this.#publisher.toConnections(ids, 'room:activity', {
      room: record.id,
      head: record.head,
      lastSeq: record.lastSeq,
      ...(record.firstSeq === 1 ? {} : { firstSeq: record.firstSeq }),
      members: membersOf(room),
      name: nameFor(this.#directory(), room, first.person),
      ...(record.topic === undefined ? {} : { topic: record.topic }),
      ...(record.last === undefined ? {} : { last: previewOf(record.last) }),
    });
  }
}

function bothWrote({ record, partners }: Room): boolean {
  return record.pair?.every((id) => partners.get(id)?.acted === acted.written) ?? false;
}

function idsOf(people: readonly Person[], except?: string): string[] {
  return people
    .flatMap(({ connections }) => [...connections].map(({ id }) => id))
    .filter((id) => id !== except);
}
