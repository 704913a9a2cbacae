/** Above memcached's default item size; no session is that large, but a store may be made to hold one. */
export const maxSessionBytes = 1024 * 1024;

/**
 * Where PHP keeps its sessions. They are read, and at most their lives are renewed: nothing is written, and no lock of
 * PHP's is waited for or taken. Each method but `close` throws StoreError when the store gives no answer, or one that
 * does not belong to the question: that says nothing about the session.
 */
export interface SessionStore {
  /**
   * The bytes of one session as PHP wrote them, or null when the store says that there is none, or that its time
   * is over.
   * @throws FormatError when what is stored there cannot be unpacked
   */
  get(id: string): Promise<Buffer | null>;
  /**
   * What changes whenever the session does, and is cheaper to ask for than the session; null when it is not there, or
   * cannot be told so. What was asked for before `get` belongs to what that brings, or to something older.
   */
  version?(id: string): Promise<string | null>;
  /**
   * How many milliseconds the session has to live: `Infinity` without an end, 0 when it is over, null when it is not
   * there or the store does not tell.
   */
  remaining(id: string): Promise<number | null>;
  /**
   * Renews the life of a session, as a page view would. One that is gone stays gone, and nothing is told of that.
   * @param seconds that it has to live from now on
   */
  touch(id: string, seconds: number): Promise<void>;
  /** Absent where the store tells nothing by itself. */
  watch?(watcher: Watcher): Watch;
  /** For the doctor, where a watch may be quiet because of how the store is set up: whether it tells of logouts. */
  tells?(): Promise<{ text: string; advice?: string }>;
  close(): void;
}

/** Ends the watch when it is called. */
export interface Watch {
  (): void;
  /** Where a store tells of those sessions only that it was told to follow. IDs that none can have are taken too. */
  follow?(id: string): Followed;
}

/** A session that a store was told to follow. */
export interface Followed {
  /**
   * From when on each change of it is told, by the monotonic clock; undefined as long as that is not certain. Who has
   * looked at the session since then need not look again before he is told to.
   */
  readonly since: number | undefined;
  end(): void;
}

/** What a store tells by itself. What it says may be missing, late or wrong: a reason to look, and nothing else. */
export interface Watcher {
  /** This session has changed, or ended. */
  changed(session: SessionName): void;
  /** PHP begins to use it: soon after that it may have changed. */
  opened(session: SessionName): void;
  /** The store tells nothing any more (the watch connects again by itself), or does so now (null). */
  lost(reason: StoreError | null): void;
}

/** By its id, or by the mark that PHP leaves at a logout: see `markOf`. */
export type SessionName = { id: string } | { mark: string };

/** The store gave no usable answer. Never to be taken for a session that does not exist. */
export class StoreError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
  }
}

/** This one session cannot be read, just now or as it is; the store answers. */
export class SessionBusyError extends StoreError {}

/** A session is written so often that no reading of it is known to be whole. */
export class UnsettledError extends SessionBusyError {
  /** The readings that were not empty, in their order. Each may be half of a session. */
  readonly readings: readonly Buffer[];

  constructor(message: string, readings: readonly Buffer[]) {
    super(message);
    this.readings = readings;
  }
}
