import type { History, Page } from '../history/history.ts';
import type { Room } from './model.ts';

/** How many messages a join without `since` returns. */
export const joinPage = 50;
/** Pages are kept of so many rooms, those that were joined last. One has 256 KB at most, and usually 10. */
const mostRooms = 100;

/**
 * The newest messages of the rooms that are joined most: when a thousand clients come back at once, their room is read
 * once for all of them, and not again before something changes in it.
 */
export class NewestPages {
  readonly #history: History;
  readonly #pages = new Map<Room, { head: number; page: Promise<Page> }>();

  constructor(history: History) {
    this.#history = history;
  }

  /** As the room was published by now, or newer. */
  of(room: Room): Promise<Page> {
    const { id, head, lastSeq } = room.record;
    const known = this.#pages.get(room);
    this.#pages.delete(room);
    const kept =
      known?.head === head
        ? known
        : { head, page: this.#history.read('newest', { room: id, upTo: lastSeq, limit: joinPage }) };
    this.#pages.set(room, kept);
    if (kept !== known) {
      kept.page.catch(() => {
        if (this.#pages.get(room) === kept) this.#pages.delete(room);
      });
    }
    const [oldest] = this.#pages.keys();
    if (this.#pages.size > mostRooms && oldest !== undefined) this.#pages.delete(oldest);
    return kept.page;
  }
}
