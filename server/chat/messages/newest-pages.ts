import type { Change, History, Page, StoredThread } from '../../history/history.ts';
import type { Room } from '../model.ts';
import { threadsIn } from './shown-threads.ts';

/** A page with the threads of its messages. */
type NewestPage = Page & { threads: StoredThread[] };

/** Limits the messages that a join without `since` returns. */
export const joinPageSize = 50;
/** Limits the cached pages. A page takes up to 256 KB, usually 10 KB. */
const maxRooms = 100;

/**
 * Caches the newest messages of recently joined rooms. If a thousand clients reconnect at once, their room is read
 * once, and again only after it changes.
 */
export class NewestPages {
  readonly #history: History;
  /**
   * The current page, by room. `named`: the users in its mentions, and the authors of its threads; undefined until the
   * page is read.
   */
  readonly #pages = new Map<string, { page: Promise<NewestPage>; named: ReadonlySet<string> | undefined }>();

  constructor(history: History) {
    this.#history = history;
  }

  /** Drops the pages that the change affects. A deleted text must not stay in memory. */
  dropOutdated(change: Change): void {
    if (change.type === 'message') this.#pages.delete(change.message.room);
    else if (change.type === 'room' || change.type === 'reset') this.#pages.delete(change.room.id);
    // Pages show the current names of mentioned users, and the change may reveal or hide a name.
    else if (change.type === 'user' || change.type === 'member') this.#dropNaming(change.user.id);
    else if (change.type === 'erased') this.#dropNaming(change.user);
  }

  /** Returns the newest page of the room. It may be newer than the published state. */
  of({ record: { id, lastSeq } }: Room): Promise<NewestPage> {
    const entry = this.#pages.get(id) ?? this.#read(id, lastSeq);
    // Moves the room to the end, because the first room is dropped.
    this.#pages.delete(id);
    this.#pages.set(id, entry);
    const [oldest] = this.#pages.keys();
    if (this.#pages.size > maxRooms && oldest !== undefined) this.#pages.delete(oldest);
    return entry.page;
  }

  #read(id: string, lastSeq: number) {
    const page = this.#readWithThreads(id, lastSeq);
    const entry: { page: Promise<NewestPage>; named: ReadonlySet<string> | undefined } = {
      page,
      named: undefined,
    };
    page.then(
      ({ messages, threads }) => {
        entry.named = new Set([
          ...messages.flatMap(({ mentions = [] }) => mentions.map(({ user }) => user)),
          ...threads.flatMap(({ authors }) => authors.map(({ user }) => user.id)),
        ]);
      },
      () => {
        if (this.#pages.get(id) === entry) this.#pages.delete(id);
      },
    );
    return entry;
  }

  async #readWithThreads(room: string, upTo: number): Promise<NewestPage> {
    const page = await this.#history.read.newest({ room, upTo, limit: joinPageSize });
    const threads = threadsIn(page.messages);
    return { ...page, threads: await this.#history.read.threads({ room, threads }) };
  }

  #dropNaming(user: string): void {
    for (const [id, { named }] of this.#pages) if (named?.has(user) !== false) this.#pages.delete(id);
  }
}
