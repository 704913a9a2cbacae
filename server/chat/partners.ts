import { type History, otherOf } from '../history/history.ts';
import type { ChangedSummaries } from './changed-summaries.ts';
import type { Directory } from './directory.ts';
import type { Room } from './model.ts';

/**
 * Hides the name and presence of the peer in a direct room from users who no longer share another room with the peer.
 */
export class Partners {
  readonly #history: History;
  readonly #directory: Directory;
  readonly #summaries: ChangedSummaries;
  /** Users who may no longer share another room with a peer. */
  readonly #unchecked = new Set<string>();
  #isChecking = false;

  constructor(history: History, directory: Directory, summaries: ChangedSummaries) {
    this.#history = history;
    this.#directory = directory;
    this.#summaries = summaries;
  }

  /** Call after a user loses a private room. */
  lostRoom(user: string): void {
    this.#unchecked.add(user);
    for (const { record, partners } of this.#directory.directRoomsOf(user)) {
      const peer = otherOf(record.pair, user);
      if (peer !== undefined && partners.get(user)?.shares) this.#unchecked.add(peer);
    }
    if (!this.#isChecking) void this.#checkAll();
  }

  async #checkAll(): Promise<void> {
    this.#isChecking = true;
    for (const user of this.#unchecked) {
      // If the user loses another room during the check, `lostRoom` adds the user again.
      this.#unchecked.delete(user);
      await this.#check(user);
    }
    this.#isChecking = false;
  }

  async #check(user: string): Promise<void> {
    const directory = this.#directory;
    const person = directory.person(user);
    if (person === undefined) return;
    const roomByPeer = new Map<string, Room>();
    for (const room of directory.directRoomsOf(user)) {
      const peer = otherOf(room.record.pair, user);
      if (peer !== undefined && room.partners.get(peer)?.shares) roomByPeer.set(peer, room);
    }
    if (roomByPeer.size === 0) return;
    // If the history fails, the peers are hidden until the user connects again.
    const sharing = await this.#history.read
      .sharesRoom({ user, of: [...roomByPeer.keys()] })
      .catch((): string[] => []);
    for (const [peer, room] of roomByPeer) {
      const partner = room.partners.get(peer);
      if (partner === undefined || sharing.includes(peer)) continue;
      partner.shares = false;
      if (!directory.isVisible(partner.user, partner)) this.#summaries.send(room, person.connections);
    }
  }
}
