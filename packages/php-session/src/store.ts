import { FormatError } from './formats/value.ts';

/** The limit for a session as stored and as unpacked: memcached's default item size. */
export const maxSessionBytes = 1024 * 1024;

/** The ID of the readiness check. `checkedId` in cookie.ts rejects it, so no visitor can log in or be read under it. */
export const probeId = 'readiness_probe';

/** The most that `keys` lists. */
export const mostKeys = 1000;

/**
 * Where PHP keeps its sessions. A store reads them and, at most, renews their TTL. It writes nothing else, and it
 * neither takes PHP's locks nor waits for them. Each method but `close` throws StoreError if the store gives no
 * answer, or one that does not fit the question. Such a failure says nothing about the session.
 */
export interface SessionStore {
  /**
   * The bytes of one session as PHP wrote them; null if the session does not exist or is expired.
   * @throws FormatError if the stored value cannot be unpacked
   */
  get(id: string): Promise<Buffer | null>;
  /** The same with the version of just these bytes, where the store has one. Absent if it does not tell both at once. */
  getVersioned?(id: string): Promise<Versioned | null>;
  /**
   * A value that differs after each change of the session and costs less to ask for than the session. It is null if
   * the session does not exist or the store has no version of it. A version that was asked for before `get` belongs
   * to the bytes of that `get`, or to older ones.
   */
  version?(id: string): Promise<string | null>;
  /**
   * Which of these sessions have exactly these bytes. False says nothing more: `get` finds out. Absent where versions are
   * asked for.
   */
  unchanged?(sessions: readonly { id: string; bytes: Buffer }[]): Promise<boolean[]>;
  /**
   * The remaining TTL of a session in milliseconds: `Infinity` if it does not expire, 0 if it is expired, null if it
   * does not exist or the store does not know.
   */
  ttl(id: string): Promise<number | null>;
  /**
   * Renews the TTL of a session, as a page view does. It does nothing if the session does not exist.
   * @param seconds the new TTL
   */
  touch(id: string, seconds: number): Promise<void>;
  /** Absent if the store sends no notifications. */
  subscribe?(listener: StoreListener): Subscription;
  /** Asks each server of the store whether it answers. Absent if `get` asks all there is. */
  check?(): Promise<void>;
  /**
   * For the doctor: whether logout notifications are active. Absent unless they depend on the configuration of the
   * store. `advice`: how to make them so.
   */
  checkNotifications?(): Promise<{ text: string; advice?: string }>;
  /**
   * For the doctor: whether `touch` may renew this session, or null for any; undefined if that does not show. Absent if
   * `touch` of a session that does not exist fails where it may not.
   */
  checkRenewal?(id: string | null): Promise<true | undefined>;
  /** For the doctor: some keys of the store that end so, prefixes included. Absent if it cannot list them. */
  keys?(end: string): Promise<string[]>;
  close(): void;
}

/** A session with its version: see `SessionStore.version`. */
export interface Versioned {
  bytes: Buffer;
  version: string | null;
}

/** Notifications of a store. A notification may be missing, late or wrong: it is a reason to check, and no verdict. */
export interface StoreListener {
  /** The session has changed or ended. */
  changed(session: SessionName): void;
  /** PHP has opened the session, so it may change soon. */
  opened(session: SessionName): void;
  /** The notifications are lost, and the store connects again by itself; null: they are active (again). */
  lost(reason: StoreError | null): void;
}

/** A session by its id, or by the marker that PHP leaves at a logout: see `logoutMarker`. */
export type SessionName = { id: string } | { marker: string };

/** A call ends the subscription. */
export interface Subscription {
  (): void;
  /** Only for stores that notify of no session but those they were asked to follow. Takes any id, possible or not. */
  follow?(id: string): Followed;
}

/** A session that a store was asked to follow. */
export interface Followed {
  /**
   * The time on the monotonic clock from which on each change of the session leads to a notification; undefined while
   * that is not certain. A session that was checked after that time needs no further check until a notification.
   */
  readonly since: number | undefined;
  end(): void;
}

/** The store gave no usable answer. This never means that a session does not exist. */
export class StoreError extends Error {
  /** Says what to do, where it is not to start the store or to correct the settings. */
  readonly hint: string | undefined;

  constructor(message: string, { hint, ...options }: ErrorOptions & { hint?: string } = {}) {
    super(message, options);
    this.name = 'StoreError';
    this.hint = hint;
  }

  /** For an error of a socket: what the system, or TLS, says of the connection. @param name of the server */
  static unreachable(name: string, error: NodeJS.ErrnoException): StoreError {
    const { code = 'no code' } = error;
    const advice = /SELF_SIGNED|UNABLE_TO/.test(code)
      ? ': its certificate is not trusted; ca= names the file with that of its authority'
      : code === 'ERR_TLS_CERT_ALTNAME_INVALID'
        ? ': its certificate is for another host'
        : '';
    return new StoreError(`${name} cannot be reached (${code})${advice}`, { cause: error });
  }
}

/** This session cannot be read, at present or at all; the store itself answers. */
export class SessionBusyError extends StoreError {}

const tooLarge = `the session is larger than ${maxSessionBytes} bytes, the limit of the chat`;

/** The session has more than `maxSessionBytes`, as stored or unpacked. */
export class SessionTooLargeError extends FormatError {
  readonly why = {
    reason: tooLarge,
    kind: tooLarge,
    hint: 'the chat has no setting for this limit: the site must keep less in the session',
    forClient: true,
  } as const;

  constructor() {
    super(tooLarge);
    this.name = 'SessionTooLargeError';
  }
}

/** A session is written so often that no reading of it is known to be whole. */
export class UnsettledError extends SessionBusyError {
  /** The readings that were not empty, in their order. Each may be half of a session. */
  readonly readings: readonly Buffer[];

  constructor(message: string, readings: readonly Buffer[]) {
    super(message);
    this.readings = readings;
  }
}
