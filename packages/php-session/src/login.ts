import { hash } from 'node:crypto';
import { type Followed, StoreError } from './store.ts';

export { type Followed, SessionBusyError, StoreError, UnsettledError } from './store.ts';

/** The parts of a request that identify a login. */
export interface Credentials {
  /** The `Cookie` header. */
  cookies?: string | undefined;
  /** The value of the login's only cookie, sent by the client itself. It replaces the cookies. */
  session?: unknown;
  /** The client's address. Behind trusted proxies it is the address that they report. */
  address?: string | undefined;
  /** The key for limits per client, such as its address or network. */
  client?: string | undefined;
  /** The `User-Agent` header. */
  userAgent?: string | undefined;
  /** The `X-Forwarded-For` header. */
  forwardedFor?: string | undefined;
  /** Whether pages of this host may send requests. Absent if unknown. */
  isPageHost?(name: string): boolean;
  /** The time of the request in Unix ms, if it is not now. Some cookies are valid for minutes only. */
  at?: number;
}

/** The user of a login. `id`: 1 to 64 characters; `name`: at most 64; neither is blank or has control characters. */
export interface SessionUser {
  id: string;
  name: string;
  /** Roles on the whole site, by `userRoles`. Absent without any. */
  roles?: ('admin' | 'moderator')[];
  /** At most 500 groups, by `userGroups`. An ID is 1 to 64 of A-Z a-z 0-9 _ -, a name at most 80 characters. */
  groups?: { id: string; name: string }[] | 'unreadable';
  /** Why some groups are missing or without a name. Holds nothing of the session. */
  groupsProblem?: string;
  /** Says that the name or address is not in the character set of the session. Holds nothing of the text. */
  textProblem?: string;
  /** The site has banned this user, by `userBanned`. */
  banned?: true;
  /** The mail address, by `userMail`, unchecked. Empty if the value is not a text, absent if there is no value. */
  mail?: string;
}

/** A login that a request has proved. */
export interface Login<State = unknown> {
  /** Identifies the login without revealing it. See `toHandle`. */
  readonly handle: string;
  readonly user: SessionUser;
  /** Everything that a check compares. Secret: keep it in the memory of this process. */
  readonly state: State;
  /** The end in Unix ms, if it is known in advance. The login then ends without a check. */
  readonly ends?: number;
  /** The proof outlives a logout, so the user may have logged out since. */
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

/** The result of a check that has found no user. `empty`: the record exists, but the site has stored nothing in it. */
export interface NotLoggedIn extends Explanation {
  state: 'nobody' | 'empty' | 'invalid';
  /** No other cookie of the request can log the user in. */
  isFinal?: true;
}

/**
 * The result of a check: a user, or why there is none. A store that does not answer is neither, so the check throws.
 * @typeParam User what the check has found out about the user, such as the whole login
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
  /** Of the options besides the folder. If they differ, the configuration may differ too. */
  settings: string;
  /** Of the relevant configuration, except the places of databases and stores. */
  site: string;
}

/** The answer to a request without a login. Unlike a check it also says so if the store is unavailable. */
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

/** The logins of one site, whatever its application and stores are. */
export interface Logins<State = unknown> {
  /** Finds the login of a request. Never rejects. */
  identify(credentials: Credentials): Promise<Login<State> | Refusal>;
  /**
   * Checks everything that `identify` has compared. A result is null if nothing changed. It rejects with StoreError if the
   * store does not answer, which never means that the login has ended.
   */
  check(logins: readonly Login<State>[]): Promise<CheckResult<{ login: Login<State> }> | null>[];
  /**
   * A secret that ties later requests of a connection to the first one, without reading a store. A request with another
   * value has another login. Null if the request has no possible login.
   */
  binding(credentials: Pick<Credentials, 'cookies'>): string | null;
  /** @param onNotifications called with null when notifications are active, with the reason when they stop */
  watch(onNotifications: (lost: StoreError | null) => void): Watch<State>;
  /**
   * The remaining milliseconds: `Infinity` without expiry, 0 if expired, null if the login or its end is unknown.
   * @throws StoreError
   */
  ttl(login: Login<State>): Promise<number | null>;
  /** The milliseconds that a page view gives a login. Undefined if unknown. */
  readonly lifetime: number | undefined;
  /**
   * Renews a login as a page view does. No-op if the login has ended or page views do not renew it.
   * @throws StoreError
   */
  renew(login: Login<State>, ttlSeconds: number): Promise<void>;
  /**
   * The mail address of a user, or null. Absent if the site has no known table of addresses.
   * @throws StoreError
   */
  findMail?(user: string): Promise<string | null>;
  /** Absent if the site has no known table of users. */
  readonly accounts?: SiteAccounts;
  /** Reads a changed configuration now instead of within a minute. Absent without a configuration. */
  reload?(): Promise<void>;
  /** The fingerprint of the current configuration. Null while it is unknown, absent without a configuration. */
  fingerprint?(digest: Digest): Promise<Fingerprint | null>;
  /** Whether the store answers. */
  answers(): Promise<boolean>;
  /** The failure of the store or of one of its servers. Null if it can be read. */
  fault(): Promise<StoreError | null>;
  close(): void;
}

/** Receives notifications of one login. They may be missing, late or wrong, so each one only starts a check. */
export interface Watcher {
  /** The login has changed or ended. */
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
 * Identifies a login in logs and between servers without revealing it. All requests of a login have the same handle.
 * Another user or secret has another one.
 * @param secrets everything secret that was verified, and other parts of the request that a check compares, in fixed order
 */
export function toHandle(kind: string, user: string, secrets: readonly string[]): string {
  return hash('sha256', JSON.stringify(['php-session-chat', kind, user, ...secrets]), 'base64url');
}

export function toRefusal({ state, isFinal, ...why }: NotLoggedIn): Refusal {
  return { code: state === 'invalid' ? 'session_invalid' : 'unauthorized', ...why };
}

/** @throws the error if it is not a StoreError */
export function toUnavailable(error: unknown): Refusal {
  if (!(error instanceof StoreError)) throw error;
  return {
    code: 'session_store_unavailable',
    reason: error.message,
    kind: error.message,
    hint: error.hint,
  };
}
