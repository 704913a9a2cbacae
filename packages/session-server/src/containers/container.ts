/** A session as a container holds it. */
export interface Saved {
  /** The values, as PHP's serialize() writes an array. */
  data: Buffer;
  /** Rises with each change. */
  revision: number;
  /** The lifetime after each use in seconds; 0 for ever. */
  lifetime: number;
  /** When it expires, in milliseconds since 1970; `Infinity` for never. */
  expiresAt: number;
}

/**
 * Where sessions are kept. The caller of `commit` and `destroy` holds the session's lock, so that only one of them runs
 * for an ID at a time. Any other method may be called at any time, even during a commit. A method that fails throws, and
 * has changed nothing.
 */
export interface Container {
  /** The number of sessions, including expired ones. */
  readonly count: number;
  /** The session as the last commit left it, even if it has expired; null if there is none. */
  open(id: string): Promise<Saved | null>;
  /** Saves the session. When this resolves, it survives a crash, as far as the container can do that. */
  commit(id: string, session: Saved): Promise<void>;
  /**
   * Sets a new time at which the session expires, if it still has this revision: a later commit has set its own time.
   * Does nothing if there is no session. Need not survive a crash.
   */
  touch(id: string, revision: number, expiresAt: number): Promise<void>;
  /** @returns whether there was a session */
  destroy(id: string): Promise<boolean>;
  /** The IDs of sessions that may have expired by then. The caller checks each again under its lock. */
  expire(now: number): AsyncIterable<string>;
  close(): Promise<void>;
}

/** The options of a container; each uses those that concern it. */
export interface ContainerOptions {
  /** Bytes of memory for all sessions together. */
  memory: number;
  /** The lifetime in seconds of a session that has none of its own. */
  lifetime: number;
  /** Logs an error after a change was made, when it is too late to throw: the change may not survive a crash. */
  failed: (error: unknown) => void;
}

export type OpenContainer = (path: string, options: ContainerOptions) => Container | Promise<Container>;
