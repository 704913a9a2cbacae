import { deletedUser, type History } from '../../history/history.ts';
import type { User } from '../../wire/events.ts';
import type { Directory } from '../directory.ts';
import type { Connection, Person } from '../model.ts';
import { isOfTeam } from './roles.ts';

/** The history can have several teams. The settings name one. */
export const teamName = 'team';

/** Returns the connections of members of the team to this server. */
export function* teamConnections(directory: Directory): Iterable<Connection> {
  for (const { connections } of directory.everybody())
    for (const connection of connections) if (isOfTeam(connection.identity)) yield connection;
}

/** The known members of the team may be this old, in ms, when a user connects who is not in the team. */
const cachedForMs = 10_000;

/** Memberships that end in one write when a user leaves the team. */
const roomsAtOnce = 200;

/** The stored members of the team. */
export class Team {
  readonly #history: History;
  /** Whether the settings have a team. */
  readonly isOn: boolean;
  /** Users whose membership this server stored. */
  readonly #stored = new Set<string>();
  #read: { at: number; members: Promise<readonly User[]> } | undefined;

  constructor(history: History, isOn: boolean) {
    this.#history = history;
    this.isOn = isOn;
  }

  /** Returns the members who ever connected, longest known first. */
  async members(): Promise<readonly User[]> {
    if (!this.isOn) return [];
    const members = this.#history.read.team({ team: teamName });
    this.#read = { at: performance.now(), members };
    return (await members).filter(({ id }) => id !== deletedUser.id);
  }

  /**
   * Stores whether a connected user is in the team. A user who left it loses the questions of others: the memberships
   * and the questions that this user had.
   */
  async settle({ user: { id }, connections, memberships }: Person): Promise<void> {
    const history = this.#history;
    const at = Date.now();
    if ([...connections].some(({ identity }) => isOfTeam(identity))) {
      if (this.#stored.has(id)) return;
      await history.write.joinTeam({ user: id, team: teamName, at });
      this.#stored.add(id);
      return;
    }
    const hasQuestions = [...memberships.values()].some(
      ({ room, member }) => room.record.question !== undefined && member.role !== 'member',
    );
    const isKnown = this.isOn && (await this.#isKnown(id));
    if (!hasQuestions && !isKnown) return;
    this.#stored.delete(id);
    for (;;) {
      const { left } = await history.write.leaveTeam({ user: id, team: teamName, most: roomsAtOnce, at });
      if (left < roomsAtOnce) break;
    }
    this.#read = undefined;
  }

  async #isKnown(user: string): Promise<boolean> {
    if (this.#stored.has(user)) return true;
    if (this.#read === undefined || performance.now() - this.#read.at > cachedForMs) await this.members();
    const members = (await this.#read?.members) ?? [];
    return members.some(({ id }) => id === user);
  }
}
