import { hash } from 'node:crypto';
import { type Followed, StoreError } from './store.ts';

export { type Followed, SessionBusyError, StoreError, UnsettledError } from './store.ts';

/** The parts of a request that identify a login. */
export interface Credentials {
  /** The `Cookie` header. */
  cookies?: string | undefined;
  /** The value of the login's only cookie, sent by the client outside the header. Replaces `cookies`. */
  session?: unknown;
  /** A ticket of the site, for programs that accept tickets. Replaces `cookies` and `session`. */
  ticket?: unknown;
  /** The proof of a visitor without a login, for programs that accept guests. */
  guest?: unknown;
  /** The client's address, as reported by trusted proxies if there are any. */
  address?: string | undefined;
  /** The key for limits per client, such as its address or network. */
  client?: string | undefined;
  /** The `User-Agent` header. */
  userAgent?: string | undefined;
  /** The `X-Forwarded-For` header. */
  forwardedFor?: string | undefined;
  /** Returns whether pages of this host may send requests. Absent if unknown. */
  isPageHost?(name: string): boolean;
  /** The time of the request in Unix ms. Default now. Some cookies are valid for only a few minutes. */
  at?: number;
}

/** The user of a login. `id`: 1 to 64 characters; `name`: at most 64; neither is blank or has control characters. */
export interface SessionUser {
  id: string;
  name: string;
  /** Roles on the whole site. Absent if the user has no role. */
  roles?: ('admin' | 'moderator' | 'team')[];
  /** At most 500 groups, by `userGroups`. An ID is 1 to 64 of A-Z a-z 0-9 _ -, a name at most 80 characters. */
  groups?: { id: string; name: string }[] | 'unreadable';
  /** Why some groups or their names are missing. Contains no session content. */
  groupsProblem?: string;
  /** Why the name or address cannot be decoded. Contains no session content. */
  textProblem?: string;
  /** The user is banned on the site, by `userBanned`. */
  banned?: true;
  /** The unchecked mail address, by `userMail`. Empty if it is not a text or is too long, absent without a value. */
  mail?: string;
}

/** A verified login. */
export interface Login<State = unknown> {
  /** Identifies the login without revealing it. See `toHandle`. */
  readonly handle: string;
  readonly user: SessionUser;
  /** Everything that a check compares. It is secret, so keep it in the memory of this process. */
  readonly state: State;
  /** The end in Unix ms, if it is known in advance. The login then ends without a check. */
  readonly ends?: number;
  /** When the site issued this proof of the login, in Unix ms. The latest proof replaces earlier proofs. */
  readonly issuedAt?: number;
  /** The cookie stays valid after a logout, so the user may no longer be logged in. */
  readonly mayBeOver?: true;
}

export type RefusalCode = 'unauthorized' | 'session_invalid' | 'session_store_unavailable';

/** Why no user is logged in, for the log. Contains no secret and no value of the session. */
export interface Explanation {
  reason: string;
  /** The reason without variable parts, such as for a metric. */
  kind: string;
  /** What to change if the settings are the cause. */
  hint?: string | undefined;
  /** The name of a missing cookie. */
  cookie?: string;
  /** The reason may be sent to the client, because it reveals nothing of the site. */
  forClient?: true;
}

/** The result of a check without a user. `empty` means that the stored session has no content. */
export interface NotLoggedIn extends Explanation {
  state: 'nobody' | 'empty' | 'invalid';
  /** No other cookie of the request can log the user in. */
  isFinal?: true;
}

/**
 * The result of a check: a user, or why no user is logged in. If the store does not answer, the check throws instead.
 * @typeParam User the data about the user, such as the whole login
 */
export type CheckResult<User = { login: Login }> = ({ state: 'user' } & User) | NotLoggedIn;

export const notLoggedIn = (reason: string, hint?: string): NotLoggedIn & { state: 'nobody' } => ({
  state: 'nobody',
  kind: reason,
  reason,
  hint,
});

/** A one-way function. */
export type Digest = (text: string) => string;

/** Digests of a site's configuration, for comparison between servers. */
export interface Fingerprint {
  /** The digest of the options without paths and addresses. If it differs, the configuration may differ too. */
  settings: string;
  /** The digest of the relevant configuration, without the addresses of databases and stores. */
  site: string;
}

/** The result for a request without a login, or while the store is unavailable. */
export interface Refusal extends Explanation {
  code: RefusalCode;
}

/** The accounts of the site that can log in. */
export interface SiteAccounts {
  /** The names of these accounts, without unknown IDs. @throws StoreError */
  names(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Accounts with this ID, or with a word in the name that begins with the text, ignoring case. @throws StoreError */
  search(text: string, limit: number): Promise<{ id: string; name: string }[]>;
}

/** The logins of one site. Each application implements it. */
export interface Logins<State = unknown> {
  /** Finds the login of a request. If the store is unavailable, returns a refusal. */
  identify(credentials: Credentials): Promise<Login<State> | Refusal>;
  /**
   * Checks everything that `identify` compared. A result is null if nothing changed. It rejects with StoreError if the
   * store does not answer, so the login may still be valid.
   */
  check(logins: readonly Login<State>[]): Promise<CheckResult<{ login: Login<State> }> | null>[];
  /**
   * Returns a secret that ties the later requests of a connection to its first request, without reading a store. A
   * request with another value has another login. Null if the request cannot have a login.
   */
  binding(credentials: Pick<Credentials, 'cookies' | 'ticket'>): string | null;
  /** @param onNotifications receives null when notifications are active, and the reason when they stop */
  watch(onNotifications: (lost: StoreError | null) => void): Watch<State>;
  /**
   * Returns the remaining milliseconds: `Infinity` without expiry, 0 if expired, null if the login or its end is unknown.
   * For a login in an application's table, uses the result of the last check.
   * @throws StoreError
   */
  ttl(login: Login<State>): Promise<number | null>;
  /** A page view extends a login to this TTL in milliseconds. Undefined if unknown. */
  readonly lifetime: number | undefined;
  /**
   * Renews a login as a page view does. No-op for an ended login, and if page views do not renew logins.
   * @throws StoreError
   */
  renew(login: Login<State>, ttlSeconds: number): Promise<void>;
  /**
   * Returns the mail address of a user, or null. Absent if the site has no known table of addresses.
   * @throws StoreError
   */
  findMail?(user: string): Promise<string | null>;
  /** Absent if the site has no known table of users. */
  readonly accounts?: SiteAccounts;
  /** Reads a changed configuration now instead of within a minute. Absent without a configuration. */
  reload?(): Promise<void>;
  /** Returns the fingerprint of the current configuration. Null while unknown, absent without a configuration. */
  fingerprint?(digest: Digest): Promise<Fingerprint | null>;
  /** Whether the store answers. */
  answers(): Promise<boolean>;
  /** Returns the failure of the store or of one of its servers. Null if all can be read. */
  fault(): Promise<StoreError | null>;
  close(): void;
}

/** Receives notifications of one login. Notifications may be missing, late or wrong, so they only start checks. */
export interface Watcher {
  /** The login changed or ended. */
  notified(): void;
  /** The site started to use the login, so it may change soon. */
  opened(): void;
}

export interface Watch<State = unknown> {
  /** Notifies of this login until `end()` of the result. */
  add(login: Login<State>, watcher: Watcher): Followed;
  end(): void;
}

/**
 * Identifies a login in logs and between servers without revealing it. All requests of a login have the same handle, and
 * different users or secrets have different handles.
 * @param secrets everything secret that was verified, and other parts of the request that a check compares, in fixed order
 */
export function toHandle(kind: string, user: string, secrets: readonly string[]): string {
  return hash('sha256', JSON.stringify(['php-session-chat', kind, user, ...secrets]), 'base64url');
}

export function toRefusal({ state, isFinal, ...why }: NotLoggedIn): Refusal {
  return { code: state === 'invalid' ? 'session_invalid' : 'unauthorized', ...why };
}

/** Converts an error of the store to a refusal. @throws the error if it is not a StoreError */
export function toUnavailable(error: unknown): Refusal {
  if (!(error instanceof StoreError)) throw error;
  return {
    code: 'session_store_unavailable',
    reason: error.message,
    kind: error.message,
    hint: error.hint,
  };
}
