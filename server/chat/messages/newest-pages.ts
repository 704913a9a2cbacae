import type { Change, History, Page, StoredThread } from '../../history/history.ts';
import type { Room } from '../model.ts';
import { threadsIn } from './shown-threads.ts';

/** A page with the threads of its messages. */
type NewestPage = Page & { threads: StoredThread[] };

/** Messages that a join without `since` returns. */
export const joinPage = 50;
/** Rooms whose page is kept, by last join. A page has 256 KB at most, and usually 10. */
const mostRooms = 100;

/**
 * The newest messages of recently joined rooms: when a thousand clients come back at once, their room is read once for
 * all of them, and again only after it has changed.
 */
export class NewestPages {
  readonly #history: History;
  /** The current page, by room. `named`: users mentioned in it; undefined until it has been read. */
  readonly #pages = new Map<string, { page: Promise<NewestPage>; named: ReadonlySet<string> | undefined }>();

  constructor(history: History) {
    this.#history = history;
  }

  /** Drops the pages that differ after the change, at once, because a deleted text must not be kept. */
  dropOutdated(change: Change): void {
    if (change.type === 'message') this.#pages.delete(change.message.room);
    else if (change.type === 'room' || change.type === 'reset') this.#pages.delete(change.room.id);
    // Mentions show current names, and others may see the name after the change.
    else if (change.type === 'user' || change.type === 'member') this.#dropNaming(change.user.id);
    else if (change.type === 'erased') this.#dropNaming(change.user);
  }

  /** The room's page as published now, or newer. */
  of({ record: { id, lastSeq } }: Room): Promise<NewestPage> {
    const known = this.#pages.get(id) ?? this.#read(id, lastSeq);
    // Moved to the end, so that the room joined longest ago is dropped first.
    this.#pages.delete(id);
    this.#pages.set(id, known);
    const [oldest] = this.#pages.keys();
    if (this.#pages.size > mostRooms && oldest !== undefined) this.#pages.delete(oldest);
    return known.page;
  }

  #read(id: string, lastSeq: number) {
    const page = this.#readWithThreads(id, lastSeq);
    const reading: { page: Promise<NewestPage>; named: ReadonlySet<string> | undefined } = {
      page,
      named: undefined,
    };
    page.then(
      ({ messages, threads }) => {
        reading.named = new Set([
          ...messages.flatMap(({ mentions = [] }) => mentions.map(({ user }) => user)),
          ...threads.flatMap(({ authors }) => authors.map(({ user }) => user.id)),
        ]);
      },
      () => {
        if (this.#pages.get(id) === reading) this.#pages.delete(id);
      },
    );
    return reading;
  }

  async #readWithThreads(room: string, upTo: number): Promise<NewestPage> {
    const page = await this.#history.read.newest({ room, upTo, limit: joinPage });
    const threads = threadsIn(page.messages);
    return { ...page, threads: await this.#history.read.threads({ room, threads }) };
  }

  #dropNaming(user: string): void {
    for (const [id, { named }] of this.#pages) if (named?.has(user) !== false) this.#pages.delete(id);
  }
}
