export interface Saved {
  /** The values, as an array in PHP's serialize() format. */
  data: Buffer;
  /** Increases with each change. */
  revision: number;
  /** The lifetime after each use. 0 if the session does not expire. */
  lifetimeSeconds: number;
  /** Unix ms. `Infinity` if the session does not expire. */
  expiresAt: number;
}

/**
 * Stores sessions. The caller of `commit` and `destroy` holds the session's lock. Other methods may be called at any time,
 * even during a commit. A method that throws leaves the session unchanged.
 */
export interface Container {
  /** The number of sessions, including expired ones. */
  readonly count: number;
  /** Returns the session of the last commit, even if it is expired. Null if it does not exist. */
  open(id: string): Promise<Saved | null>;
  /** Saves the session. Once this resolves, it survives a crash, except in `memory:`. */
  commit(id: string, session: Saved): Promise<void>;
  /**
   * Sets `expiresAt` if the session still has this revision, because a later commit sets its own time. The change need not
   * survive a crash.
   */
  touch(id: string, revision: number, expiresAt: number): Promise<void>;
  /** Deletes the session. @returns whether it existed */
  destroy(id: string): Promise<boolean>;
  /** Returns the IDs of sessions that may have expired. The caller checks each of them under its lock. */
  expire(now: number): AsyncIterable<string>;
  close(): Promise<void>;
}

export interface ContainerOptions {
  /** The limit of `memory:`. */
  maxMemoryBytes: number;
  /** The lifetime of sessions in files of HTTP_SessionServer, which do not contain it. */
  lifetimeSeconds: number;
  /** Logs an error after a successful change that may not survive a crash. */
  logError: (error: unknown) => void;
}

export type OpenContainer = (path: string, options: ContainerOptions) => Container | Promise<Container>;
