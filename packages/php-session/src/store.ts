import { FormatError } from './formats/value.ts';

/** The limit for a session, both as stored and as unpacked. It equals memcached's default item size. */
export const maxSessionBytes = 1024 * 1024;

/** The ID of the readiness check. cookie.ts rejects it as the ID of a visitor. */
export const probeId = 'readiness_probe';

/** The limit of `SessionStore.keys`. */
export const maxKeys = 1000;

/**
 * A store of PHP sessions. It only reads sessions and renews their TTL, and ignores PHP's locks. Every asynchronous
 * method throws StoreError if the store gives no usable answer. The session may then still exist.
 */
export interface SessionStore {
  /**
   * Returns the session as PHP wrote it. Null if the session does not exist or is expired.
   * @throws FormatError if the stored value cannot be unpacked
   */
  get(id: string): Promise<Buffer | null>;
  /** Reads a session together with its version. Absent if the store cannot return both in one reply. */
  getVersioned?(id: string): Promise<Versioned | null>;
  /**
   * Returns a value that changes with the session and is cheaper to read. Null if the session does not exist or has no
   * version. A version that was requested before `get` belongs to the bytes of that `get`, or to older bytes.
   */
  version?(id: string): Promise<string | null>;
  /** Returns whether each session has exactly these bytes. False if unknown. Absent if the store has versions. */
  unchanged?(sessions: readonly { id: string; bytes: Buffer }[]): Promise<boolean[]>;
  /** Returns the remaining milliseconds: `Infinity` without expiry, 0 if expired, null if the session or TTL is unknown. */
  ttl(id: string): Promise<number | null>;
  /** Renews the TTL of a session, as a page view does. No-op if the session does not exist. */
  touch(id: string, ttlSeconds: number): Promise<void>;
  /** Absent if the store does not support notifications. */
  subscribe?(listener: StoreListener): Subscription;
  /** Requires an answer from each server. Absent if `get` always reaches the only server. */
  check?(): Promise<void>;
  /** For the doctor. Describes whether logout notifications are active. Absent unless that depends on the store's settings. */
  checkNotifications?(): Promise<{ text: string; advice?: string }>;
  /**
   * For the doctor. Checks that `touch` may renew this session, or any session if null. Undefined if unknown. Absent if
   * `touch` reports a missing permission even for an unknown ID.
   */
  checkRenewal?(id: string | null): Promise<true | undefined>;
  /** For the doctor. Finds at most `maxKeys` keys with this end, including prefixes. Absent if the store cannot list keys. */
  keys?(end: string): Promise<string[]>;
  close(): void;
}

export interface Versioned {
  bytes: Buffer;
  version: string | null;
}

/** Notifications may be missing, late or wrong, so they only start checks. */
export interface StoreListener {
  /** The session changed or ended. */
  changed(session: SessionName): void;
  /** PHP opened the session, so it may change soon. */
  opened(session: SessionName): void;
  /** Notifications stopped, and the store reconnects. If null, notifications are active again. */
  lost(reason: StoreError | null): void;
}

/** A session by its ID, or by `logoutMarker`. */
export type SessionName = { id: string } | { marker: string };

/** A call unsubscribes. */
export interface Subscription {
  (): void;
  /** Present if the store notifies only of followed sessions. Accepts even invalid IDs. */
  follow?(id: string): Followed;
}

export interface Followed {
  /**
   * Every change after this monotonic time leads to a notification. Undefined while that is uncertain. A session that was
   * checked later needs no further check until a notification.
   */
  readonly since: number | undefined;
  end(): void;
}

/** The store gave no usable answer. It never means that a session does not exist. */
export class StoreError extends Error {
  /** What to do, unless it is starting the store or correcting the settings. */
  readonly hint: string | undefined;

  constructor(message: string, { hint, ...options }: ErrorOptions & { hint?: string } = {}) {
    super(message, options);
    this.name = 'StoreError';
    this.hint = hint;
  }

  /** Describes an error of a socket. @param name of the server */
  static unreachable(name: string, error: NodeJS.ErrnoException): StoreError {
    const { code = 'no code' } = error;
    const advice = /SELF_SIGNED|UNABLE_TO/.test(code)
      ? ': its certificate is not trusted; ca= names the file with the certificate of its authority'
      : code === 'ERR_TLS_CERT_ALTNAME_INVALID'
        ? ': its certificate is for another host'
        : '';
    return new StoreError(`${name} cannot be reached (${code})${advice}`, { cause: error });
  }
}

/** This session cannot be read, but the store answers. */
export class SessionBusyError extends StoreError {}

const tooLarge = `the session is larger than ${maxSessionBytes} bytes, the limit of sessions`;

/** The session has more than `maxSessionBytes`, as stored or unpacked. */
export class SessionTooLargeError extends FormatError {
  readonly why = {
    reason: tooLarge,
    kind: tooLarge,
    hint: 'the limit cannot be changed: the site must keep less in the session',
    forClient: true,
  } as const;

  constructor() {
    super(tooLarge);
    this.name = 'SessionTooLargeError';
  }
}

/** The session is written so often that every reading may be incomplete. */
export class UnsettledError extends SessionBusyError {
  /** The non-empty readings, oldest first. Each may be only the start of a session. */
  readonly readings: readonly Buffer[];

  constructor(message: string, readings: readonly Buffer[]) {
    super(message);
    this.readings = readings;
  }
}
