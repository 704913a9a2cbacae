import type { History } from '../../history/history.ts';
import { mostCounted } from '../../wire/counted.ts';
import type { Answers, SiteRole, User } from '../../wire/events.ts';
import type { Directory } from '../directory.ts';
import type { Connection, Person } from '../model.ts';
import { isOfTeam, type TeamSettings } from './roles.ts';

/** The history can have several teams. The settings name one. */
export const teamName = 'team';

/** Returns the connections of members of the team to this server. */
export function* teamConnections(directory: Directory): Iterable<Connection> {
  for (const { connections } of directory.everybody())
    for (const connection of connections) if (isOfTeam(connection.identity)) yield connection;
}

/** The members are read again after this time, in ms, because other servers also store them. */
const cachedForMs = 1000;

/** Memberships that end in one write when a user leaves the team. For each of them, the others may become members. */
const roomsAtOnce = 20;
/** Members who are read at once to be dismissed. */
const dismissedAtOnce = 200;
/** How often the time at which a connected member was seen is stored, in ms. */
const seenAgainMs = 24 * 60 * 60_000;
/**
 * Members by a role who did not connect for this time, in ms, are dismissed, because only a connection shows whether they
 * still have the role.
 */
const unseenForMs = 30 * 24 * 60 * 60_000;
/**
 * The limit on a server that started less than a week ago, in ms. After a long downtime, members need time to connect. A
 * server that restarts daily must still dismiss members.
 */
const unseenAfterStartMs = 90 * 24 * 60 * 60_000;
const afterStartMs = 7 * 24 * 60 * 60_000;

/** The members of the team to whom a client offers to hand a question over. */
const mostListed = 100;
/** The members of the team that visitors see. */
const faces = 3;
/** The median needs this number of answers, of the last 30 days. */
const leastAnswers = 5;
const mostAnswers = 500;
const answersForMs = 30 * 24 * 60 * 60_000;
/** The median is computed again after this time, in ms. */
const medianForMs = 60_000;

interface TeamParts {
  history: History;
  directory: Directory;
  /** Returns only the users that exist on the site. */
  withoutDeleted(users: readonly User[]): Promise<readonly User[]>;
}

/** The team: its stored members, and what visitors can expect of them. */
export class Team {
  readonly #parts: TeamParts;
  readonly #settings: TeamSettings | undefined;
  readonly #startedAt = Date.now();
  #read: { at: number; members: Promise<readonly User[]> } | undefined;
  #median: { at: number; ms: Promise<number | undefined> } | undefined;

  constructor(parts: TeamParts, settings: TeamSettings | undefined) {
    this.#parts = parts;
    this.#settings = settings;
  }

  /** Whether the settings have a team. */
  get isOn(): boolean {
    return this.#settings !== undefined;
  }

  /** Returns the roles of a user of the site, with `team` for a member of the team. */
  rolesOf(id: string, roles: readonly SiteRole[]): readonly SiteRole[] {
    const team = this.#settings;
    const isIn = team !== undefined && (team.users.has(id) || roles.some((role) => team.roles.has(role)));
    return isIn && !isOfTeam({ roles }) ? [...roles, 'team'] : roles;
  }

  /**
   * Returns up to `mostListed` members who ever connected, longest known first, without users who are banned from the
   * site or deleted there. Changes come a moment later.
   */
  members(): Promise<readonly User[]> {
    if (!this.isOn) return Promise.resolve([]);
    if (this.#read !== undefined && performance.now() - this.#read.at <= cachedForMs)
      return this.#read.members;
    const members = this.#readMembers();
    this.#read = { at: performance.now(), members };
    members.catch(() => {
      this.#read = undefined;
    });
    return members;
  }

  async #readMembers(): Promise<readonly User[]> {
    return this.#onSite(await this.#parts.history.read.team({ team: teamName, limit: mostListed }));
  }

  /** Whether the user can get a question, as far as the site knows. The history knows who is in the team. */
  async canHave(id: string): Promise<boolean> {
    return (await this.#onSite([{ id, name: id }])).length > 0;
  }

  /** Returns the users without those who are banned from the site or deleted there. */
  #onSite(users: readonly User[]): Promise<readonly User[]> {
    const { directory, withoutDeleted } = this.#parts;
    return withoutDeleted(users.filter(({ id }) => directory.banOf(id) === null));
  }

  /**
   * Stores whether a connected user is in the team. A user who left it loses the questions of others: the memberships
   * and the questions that this user had.
   */
  async settle(person: Person): Promise<void> {
    const { history, directory } = this.#parts;
    const { id } = person.user;
    const stored = async () => (this.isOn ? history.read.inTeam({ user: id, team: teamName }) : null);
    if ([...person.connections].some(({ identity }) => isOfTeam(identity))) {
      // Another server may have dismissed the user, such as one that started with other settings.
      const known = await stored();
      if (known !== null && known.seenAt > Date.now() - seenAgainMs) return;
      await history.write.joinTeam({ user: id, team: teamName, at: Date.now() });
      this.#read = undefined;
      // The ban may have dismissed the user before this.
      if (directory.banOf(id) !== null) await this.dismiss(id);
      return;
    }
    const hasQuestions = [...person.memberships.values()].some(
      ({ room, member }) => room.record.question !== undefined && member.role !== 'member',
    );
    if (hasQuestions || (await stored()) !== null) await this.dismiss(id);
  }

  /**
   * Stores that the connected members were seen, and dismisses those who left without a connection: whom the settings no
   * longer name, whom the site deleted, or who did not connect for long.
   */
  async review(): Promise<void> {
    if (!this.isOn) return;
    for (const person of [...this.#parts.directory.everybody()])
      if ([...person.connections].some(({ identity }) => isOfTeam(identity))) await this.settle(person);
    await this.dismissOthers();
    await this.#dismissDeleted();
  }

  /**
   * Dismisses members whom the settings no longer name. If the settings name roles, it dismisses those without an ID in
   * the settings who did not connect for long.
   */
  async dismissOthers(): Promise<void> {
    const users = [...(this.#settings?.users ?? [])];
    const isNew = Date.now() - this.#startedAt < afterStartMs;
    const before = this.#settings?.hasRoles
      ? Date.now() - (isNew ? unseenAfterStartMs : unseenForMs)
      : undefined;
    for (;;) {
      const asking = { team: teamName, users, before, most: dismissedAtOnce };
      const others = await this.#parts.history.write.othersInTeam(asking);
      for (const user of others.users) await this.dismiss(user, before);
      if (others.users.length < dismissedAtOnce) return;
    }
  }

  async #dismissDeleted(): Promise<void> {
    for (let after: string | undefined = ''; after !== undefined; ) {
      const page: string[] = await this.#parts.history.read.teamAfter({
        team: teamName,
        after,
        limit: dismissedAtOnce,
      });
      const users = page.map((id) => ({ id, name: id }));
      const existing = new Set((await this.#parts.withoutDeleted(users)).map(({ id }) => id));
      for (const id of page) if (!existing.has(id)) await this.dismiss(id);
      after = page.length < dismissedAtOnce ? undefined : page.at(-1);
    }
  }

  /**
   * Removes a user from the team, who loses the questions of others. The next connection with the role adds the user.
   * @param before keeps a member who was seen since this time
   */
  async dismiss(user: string, before?: number): Promise<void> {
    for (;;) {
      const leaving = { user, team: teamName, before, most: roomsAtOnce, at: Date.now() };
      if ((await this.#parts.history.write.leaveTeam(leaving)).left < roomsAtOnce) break;
    }
    this.#read = undefined;
  }

  /** Returns what a visitor can expect. */
  async expectations(): Promise<Answers['question:about']> {
    const members = await this.members();
    return {
      // Their order does not depend on who is online, which visitors must not learn.
      team: members.slice(0, faces),
      answeredInMs: await this.answeredInMs(),
      text: this.#settings?.text,
    };
  }

  /** Returns the numbers of the last 30 days. Undefined without a team. */
  async statistics(): Promise<Answers['moderate:overview']['questions']> {
    if (!this.isOn) return undefined;
    const since = Date.now() - answersForMs;
    const counts = await this.#parts.history.read.questionsSince({
      team: teamName,
      since,
      most: mostCounted,
    });
    return { ...counts, answeredInMs: await this.answeredInMs() };
  }

  /** Returns the median time to the first answer, in ms. Undefined without a team or with few answers. */
  async answeredInMs(): Promise<number | undefined> {
    if (!this.isOn) return undefined;
    if (this.#median === undefined || performance.now() - this.#median.at > medianForMs) {
      const ms = this.#readMedian();
      this.#median = { at: performance.now(), ms };
      ms.catch(() => {
        this.#median = undefined;
      });
    }
    return this.#median.ms;
  }

  async #readMedian(): Promise<number | undefined> {
    const since = Date.now() - answersForMs;
    const times = await this.#parts.history.read.answerTimes({ team: teamName, since, limit: mostAnswers });
    if (times.length < leastAnswers) return undefined;
    return times.toSorted((a, b) => a - b)[Math.floor((times.length - 1) / 2)];
  }
}
