/** A saved session. */
export interface Saved {
  /** The values, as PHP's serialize() writes an array. */
  data: Buffer;
  /** Increases with each change. */
  revision: number;
  /** After each use. 0: the session does not expire. */
  lifetimeSeconds: number;
  /** `Infinity` if the session does not expire. */
  expiresAt: number;
}

/**
 * Stores sessions. The caller of `commit` and `destroy` holds the session's lock. Other methods may be called at any time,
 * even during a commit. A method that throws has changed nothing.
 */
export interface Container {
  /** The number of sessions, including expired ones. */
  readonly count: number;
  /** Returns the session of the last commit, even if it has expired; null if there is none. */
  open(id: string): Promise<Saved | null>;
  /** Saves the session. Once this resolves, it survives a crash, except in `memory:`. */
  commit(id: string, session: Saved): Promise<void>;
  /**
   * Sets `expiresAt` if the session still has this revision, because a later commit has set its own. Need not survive a
   * crash.
   */
  touch(id: string, revision: number, expiresAt: number): Promise<void>;
  /** @returns whether the session existed */
  destroy(id: string): Promise<boolean>;
  /** Returns the IDs of sessions that may have expired. The caller checks each of them under its lock. */
  expire(now: number): AsyncIterable<string>;
  close(): Promise<void>;
}

export interface ContainerOptions {
  /** For `memory:`. */
  maxMemoryBytes: number;
  /** For files of HTTP_SessionServer, which have no lifetime. */
  lifetimeSeconds: number;
  /** Logs an error of a change that was made, but may not survive a crash. */
  logError: (error: unknown) => void;
}

export type OpenContainer = (path: string, options: ContainerOptions) => Container | Promise<Container>;
