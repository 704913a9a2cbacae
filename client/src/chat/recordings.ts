import { flag, number, object, optional, text } from './form.ts';
import type { Store } from './storage.ts';

/** A recording without its sound. */
export interface RecordingNote {
  /** Where it is to be sent: a room, or a thread of it. */
  readonly place: string;
  readonly type: string;
  /** Milliseconds. */
  readonly duration: number;
  /** How loud it is, twenty times a second, as digits: see peaks.ts. */
  readonly levels: string;
  /** The user has sent it, but the server may not have it yet. */
  readonly sent?: boolean | undefined;
}

const noteForm = object<RecordingNote>({
  place: text,
  type: text,
  duration: number,
  levels: text,
  sent: optional(flag),
});

const PARTS = 'parts';
/** The last task of this page with its database. */
let last: Promise<unknown> = Promise.resolve();

/**
 * The recordings of one user that the server does not have yet. Their notes are in the `Store`, so that nobody
 * waits for them; their sound is in a database of the browser, which goes with the `Store`. Without a database
 * they last as long as the page.
 */
export class Recordings {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** By their ids. */
  notes(): Map<string, RecordingNote> {
    const notes = this.#store.keys('voice/').map((key) => {
      return [key.slice('voice/'.length), this.#store.get(key, noteForm)] as const;
    });
    return new Map(notes.filter((entry): entry is [string, RecordingNote] => entry[1] !== undefined));
  }

  sent(id: string): void {
    const note = this.notes().get(id);
    if (note !== undefined) this.#note(id, { ...note, sent: true });
  }

  /** Its sound; undefined if nothing of it is kept. */
  async sound(id: string): Promise<Blob | undefined> {
    const type = this.notes().get(id)?.type;
    if (type === undefined) return undefined;
    const parts = await this.#inParts('readonly', (store) => store.getAll(all(id))).catch(() => []);
    return parts.length === 0 ? undefined : new Blob(parts as Blob[], { type });
  }

  /**
   * Where it cannot be kept, it lasts as long as the page.
   *
   * @param n - its place among the parts of that recording
   * @param note - of the recording with this part
   */
  async add(id: string, n: number, part: Blob, note: RecordingNote): Promise<void> {
    // No part can be heard without the first.
    if (n === 1 || this.notes().has(id)) this.#note(id, note);
    // Without a note nothing would find the sound again, or delete it for the next user.
    if (!this.notes().has(id)) return;
    await this.#inParts('readwrite', (store) => store.put(part, [id, n])).catch(() => {});
  }

  /** The note goes last: a page that is left before that finds it at its next start, and deletes the sound then. */
  async delete(id: string): Promise<void> {
    this.sent(id);
    await this.#inParts('readwrite', (store) => store.delete(all(id))).catch(() => {});
    this.#store.delete(`voice/${id}`);
  }

  #note(id: string, note: RecordingNote): void {
    this.#store.set(`voice/${id}`, note);
  }

  /** Tasks run one after the other: a part that is being added must not outlive the recording. */
  #inParts<T>(mode: IDBTransactionMode, task: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const result = last.then(() => this.#open(mode, task));
    last = result.catch(() => {});
    return result;
  }

  async #open<T>(mode: IDBTransactionMode, task: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const opening = indexedDB.open(this.#store.database);
    opening.onupgradeneeded = () => opening.result.createObjectStore(PARTS);
    const database = await done(opening, 'success');
    try {
      const work = database.transaction(PARTS, mode);
      const request = task(work.objectStore(PARTS));
      await done(work, 'complete');
      return request.result;
    } finally {
      // Nothing may keep another tab from deleting it.
      database.close();
    }
  }
}

const all = (id: string) => IDBKeyRange.bound([id], [id, []]);

function done<T>(request: IDBRequest<T>, event: 'success'): Promise<T>;
function done(work: IDBTransaction, event: 'complete'): Promise<void>;
function done(from: IDBRequest | IDBTransaction, event: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    from.addEventListener(event, () => resolve('result' in from ? from.result : undefined));
    for (const failure of ['error', 'abort', 'blocked'])
      from.addEventListener(failure, () => reject(from.error ?? new Error(failure)));
  });
}
