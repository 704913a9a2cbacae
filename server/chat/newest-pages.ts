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
  /** By room, as it is now. */
  readonly #pages = new Map<string, Promise<Page>>();

  constructor(history: History) {
    this.#history = history;
    // At once: a deleted text is kept nowhere.
    history.onChange((change) => {
      if (change.type === 'message') this.#pages.delete(change.message.room);
      else if (change.type === 'room') this.#pages.delete(change.room.id);
    });
  }

  /** As the room was published by now, or newer. */
  of({ record: { id, lastSeq } }: Room): Promise<Page> {
    const page =
      this.#pages.get(id) ?? this.#history.read('newest', { room: id, upTo: lastSeq, limit: joinPage });
    // At the end: the room that was joined longest ago is the first to go.
    this.#pages.delete(id);
    this.#pages.set(id, page);
    page.catch(() => {
      if (this.#pages.get(id) === page) this.#pages.delete(id);
    });
    const [oldest] = this.#pages.keys();
    if (this.#pages.size > mostRooms && oldest !== undefined) this.#pages.delete(oldest);
    return page;
  }
}
