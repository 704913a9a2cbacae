/** A session as a container keeps it. */
export interface Saved {
  /** The values, as PHP's serialize() writes an array. */
  data: Buffer;
  /** Another number after each change; those of one daemon rise. */
  revision: number;
  /** Seconds that it lives on after each use; 0 for ever. */
  lifetime: number;
  /** When it is over, in milliseconds since 1970; `Infinity` for never. */
  expiresAt: number;
}

/**
 * Where sessions are kept. Who calls holds the session's lock for `commit` and `destroy`, so that a container never
 * sees two of them for one ID at a time; anything else may come at any moment, `open` in the middle of a commit too.
 * Each method throws when the container cannot do it, and then nothing has changed.
 */
export interface Container {
  /** How many sessions are kept, those that are over included. */
  readonly count: number;
  /**
   * The session as the last commit left it, or null when there is none; whether it is over is not looked at.
   */
  open(id: string): Promise<Saved | null>;
  /** Keeps the session; when this resolves, it outlives a crash as far as the container can make it. */
  commit(id: string, session: Saved): Promise<void>;
  /**
   * Sets the end of a session anew, and only of that revision: another one was given its own by its commit. One that
   * is not there stays so. Need not outlive a crash.
   */
  touch(id: string, revision: number, expiresAt: number): Promise<void>;
  /** Whether there was one. */
  destroy(id: string): Promise<boolean>;
  /** The IDs of sessions that may be over at that time; who asks looks at each again, under its lock. */
  expire(now: number): AsyncIterable<string>;
  close(): Promise<void>;
}

/** What a container may want to know, beside its path. */
export interface ContainerOptions {
  /** Bytes that all sessions together may take in memory. */
  memory: number;
  /** Seconds that a session lives which does not say itself. */
  lifetime: number;
  /** Hears of what went wrong after a change was made, when it is too late to throw: it may not outlive a crash. */
  failed: (error: unknown) => void;
}

export type OpenContainer = (path: string, options: ContainerOptions) => Container | Promise<Container>;
