import type { Change } from '../records/changes.ts';

/** Creates the methods of `History.write`, `probe` or `read`. Each calls `pass` with its name and its arguments. */
export function methods<Methods extends object>(
  pass: (name: keyof Methods & string, input: never, asker?: string) => Promise<unknown>,
): Methods {
  return new Proxy({} as Record<string, unknown>, {
    get(made, name: string) {
      made[name] ??= (input: never, asker?: string) => pass(name as keyof Methods & string, input, asker);
      return made[name];
    },
  }) as Methods;
}

/** Operations by name, with the input and the output of each. */
export type Operations<Of> = { readonly [Op in keyof Of]: { in: unknown; out: unknown } };

/** A history with these writes and reads: see `Writes` and `Reads`. */
export interface HistoryOf<Writes extends Operations<Writes>, Reads extends Operations<Reads>> {
  /** `asker`: the ID of the requesting connection. The changes include it, so that this connection is not notified. */
  readonly write: {
    readonly [Op in keyof Writes]: (input: Writes[Op]['in'], asker?: string) => Promise<Writes[Op]['out']>;
  };
  /**
   * Returns the result of a write that would change nothing, such as a duplicate; null if it would change something.
   * Rejects as the write would, and has no effect.
   */
  readonly probe: {
    readonly [Op in keyof Writes]: (input: Writes[Op]['in']) => Promise<Writes[Op]['out'] | null>;
  };
  /**
   * Within `runFor`, accounts take turns with their reads: see `FairQueue`. A read that may wait only for some time
   * rejects after it with `WaitedTooLong`.
   *
   * A read resolves after the changes that its result may include, of any server, are dispatched. A listener's copy is
   * then at least as new as the result, so that it can decide which parts of the result a user may get.
   */
  readonly read: {
    readonly [Query in keyof Reads]: (input: Reads[Query]['in']) => Promise<Reads[Query]['out']>;
  };
  /**
   * Resolves when all changes stored before the call, by any server, are dispatched. Only for decisions that need no
   * read. Rejects if the database fails.
   */
  current(): Promise<void>;
  /** See `Change`. */
  onChange(listener: (change: Change) => void): void;
  /**
   * With several servers and a bus: sends a small node message to the others, which may be lost. Never waits or fails.
   */
  say?(what: object): void;
  /** With several servers: returns the digest of a text, with a key that only servers of this history have. */
  digest?(text: string): string;
  /** Finishes the queued operations, then closes. */
  close(): Promise<void>;
}
