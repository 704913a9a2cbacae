import type { History } from '../../history/history.ts';
import type { User } from '../../wire/events.ts';
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

/** Memberships that end in one write when a user leaves the team. */
const roomsAtOnce = 200;

/** The stored members of the team. */
export class Team {
  /** Whether the settings have a team. */
  readonly isOn: boolean;
  readonly #history: History;
  /** Users whom this server stored as members since they connected. */
  readonly #joined = new WeakSet<Person>();
  #read: { at: number; members: Promise<readonly User[]> } | undefined;

  constructor(history: History, isOn: boolean) {
    this.#history = history;
    this.isOn = isOn;
  }

  /** Returns the members who ever connected, longest known first. New ones come a moment later. */
  members(): Promise<readonly User[]> {
    if (!this.isOn) return Promise.resolve([]);
    if (this.#read !== undefined && performance.now() - this.#read.at <= cachedForMs)
      return this.#read.members;
    const members = this.#history.read.team({ team: teamName });
    this.#read = { at: performance.now(), members };
    members.catch(() => {
      this.#read = undefined;
    });
    return members;
  }

  /**
   * Stores whether a connected user is in the team. A user who left it loses the questions of others: the memberships
   * and the questions that this user had.
   */
  async settle(person: Person): Promise<void> {
    const { id } = person.user;
    const at = Date.now();
    if ([...person.connections].some(({ identity }) => isOfTeam(identity))) {
      if (this.#joined.has(person)) return;
      await this.#history.write.joinTeam({ user: id, team: teamName, at });
      this.#joined.add(person);
      return;
    }
    const hasQuestions = [...person.memberships.values()].some(
      ({ room, member }) => room.record.question !== undefined && member.role !== 'member',
    );
    const isMember = hasQuestions || this.#joined.has(person);
    if (!isMember && (await this.members()).every((member) => member.id !== id)) return;
    this.#joined.delete(person);
    await this.#dismiss(id, at);
  }

  /** Dismisses members whom the settings no longer name. If they name roles, only a user's next connection shows who has them. */
  async dismissOthers(settings: TeamSettings | undefined): Promise<void> {
    if (settings?.hasRoles) return;
    const users = [...(settings?.users ?? [])];
    const others = await this.#history.write.othersInTeam({ team: teamName, users });
    for (const user of others.users) await this.#dismiss(user, Date.now());
  }

  async #dismiss(user: string, at: number): Promise<void> {
    for (;;) {
      const leaving = { user, team: teamName, most: roomsAtOnce, at };
      if ((await this.#history.write.leaveTeam(leaving)).left < roomsAtOnce) break;
    }
    this.#read = undefined;
  }
}
