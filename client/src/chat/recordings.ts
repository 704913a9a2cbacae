import { flag, number, object, optional, text } from './form.ts';
import type { Store } from './storage.ts';

/** The metadata of a recording. */
export interface RecordingNote {
  /** The room or thread that the recording belongs to. */
  readonly place: string;
  readonly type: string;
  /** In milliseconds. */
  readonly duration: number;
  /** The loudness as 20 digits per second: see peaks.ts. */
  readonly levels: string;
  /** The user sent the recording, but the server may not have it yet. */
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
/** The last database task of this page. */
let last: Promise<unknown> = Promise.resolve();

/**
 * One user's recordings that the server does not have yet. Their metadata is in the `Store`, so that it can be read
 * without waiting. Their sound is in an IndexedDB database, which is deleted with the `Store`. Without a database,
 * recordings last only as long as the page.
 */
export class Recordings {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Returns the metadata by ID. */
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

  /** Returns the sound, or undefined if no part of it is stored. */
  async sound(id: string): Promise<Blob | undefined> {
    const type = this.notes().get(id)?.type;
    if (type === undefined) return undefined;
    const parts = await this.#inParts('readonly', (store) => store.getAll(all(id))).catch(() => []);
    return parts.length === 0 ? undefined : new Blob(parts as Blob[], { type });
  }

  /**
   * Stores a part of the sound. If this fails, the recording lasts only as long as the page.
   *
   * @param n - the number of the part
   * @param note - the metadata including this part
   */
  async add(id: string, n: number, part: Blob, note: RecordingNote): Promise<void> {
    // Only the first part creates the metadata, because later parts cannot be played without it.
    const isPlayable = n === 1 || this.notes().has(id);
    // Without stored metadata, nothing would find the sound again.
    if (!isPlayable || !this.#note(id, note)) return;
    await this.#inParts('readwrite', (store) => store.put(part, [id, n])).catch(() => {});
  }

  /** Deletes the metadata last. If the page is closed before that, the next start finds it and deletes the sound. */
  async delete(id: string): Promise<void> {
    this.sent(id);
    await this.#inParts('readwrite', (store) => store.delete(all(id))).catch(() => {});
    this.#store.delete(`voice/${id}`);
  }

  #note(id: string, note: RecordingNote): boolean {
    return this.#store.set(`voice/${id}`, note);
  }

  /** Runs tasks one after the other, so that a part that is being added does not outlive a deleted recording. */
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
      // An open database would prevent another tab from deleting it.
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
