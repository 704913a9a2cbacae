import type { History, Page } from '../../history/history.ts';
import type { Room } from '../model.ts';

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
  /** By room, as it is now. `named`: whose names are in it; unknown until it has been read. */
  readonly #pages = new Map<string, { page: Promise<Page>; named: ReadonlySet<string> | undefined }>();

  constructor(history: History) {
    this.#history = history;
    // At once: a deleted text is kept nowhere.
    history.onChange((change) => {
      if (change.type === 'message') this.#pages.delete(change.message.room);
      else if (change.type === 'room' || change.type === 'reset') this.#pages.delete(change.room.id);
      // Mentions are shown with the name of now, which others may see from now on.
      else if (change.type === 'user' || change.type === 'member') this.#renamed(change.user.id);
      else if (change.type === 'erased') this.#renamed(change.user);
    });
  }

  /** As the room was published by now, or newer. */
  of({ record: { id, lastSeq } }: Room): Promise<Page> {
    const known = this.#pages.get(id) ?? this.#read(id, lastSeq);
    // At the end: the room that was joined longest ago is the first to go.
    this.#pages.delete(id);
    this.#pages.set(id, known);
    const [oldest] = this.#pages.keys();
    if (this.#pages.size > mostRooms && oldest !== undefined) this.#pages.delete(oldest);
    return known.page;
  }

  #read(id: string, lastSeq: number) {
    const page = this.#history.read('newest', { room: id, upTo: lastSeq, limit: joinPage });
    const reading: { page: Promise<Page>; named: ReadonlySet<string> | undefined } = {
      page,
      named: undefined,
    };
    page.then(
      ({ messages }) => {
        reading.named = new Set(messages.flatMap(({ mentions = [] }) => mentions.map(({ user }) => user)));
      },
      () => {
        if (this.#pages.get(id) === reading) this.#pages.delete(id);
      },
    );
    return reading;
  }

  #renamed(user: string): void {
    for (const [id, { named }] of this.#pages) if (named?.has(user) !== false) this.#pages.delete(id);
  }
}
