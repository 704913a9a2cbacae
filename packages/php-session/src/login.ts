import { hash } from 'node:crypto';
import { type Followed, StoreError } from './store.ts';

export { type Followed, SessionBusyError, StoreError, UnsettledError } from './store.ts';

/** The parts of a request by which a login is recognised. */
export interface Credentials {
  /** The `Cookie` header. */
  cookies?: string | undefined;
  /** The value of the login's only cookie, from a client that sends it itself. The cookies then do not count. */
  session?: unknown;
  /** The client's address: behind trusted proxies, the address that they report. */
  address?: string | undefined;
  /** Whom limits count the request for: the client's address, or its network. */
  client?: string | undefined;
  /** The `User-Agent` header. */
  userAgent?: string | undefined;
  /** The `X-Forwarded-For` header. */
  forwardedFor?: string | undefined;
  /** Whether pages of this host may use the chat. Absent if that is not known. */
  isPageHost?(name: string): boolean;
  /** When the request came, in milliseconds since 1970, if that is not now: a cookie may count for some minutes only. */
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

/** A user who is logged in, as one request has shown. */
export interface Login<State = unknown> {
  /** See `handleOf`. It may be logged and sent to other servers. */
  readonly handle: string;
  readonly user: SessionUser;
  /** Everything that a check compares. It holds secrets and never leaves the memory of this process. */
  readonly state: State;
  /** The end in milliseconds since 1970, if it is known in advance. Then no store is needed to end the login. */
  readonly ends?: number;
  /** It is known by something that outlives a logout, and nothing says whether there was one. */
  readonly mayBeOver?: true;
}

export type RefusalCode = 'unauthorized' | 'session_invalid' | 'session_store_unavailable';

/** Why nobody is logged in, for the log: it contains no secret and no value of the session. */
export interface Explanation {
  /** Says what was missing or wrong. */
  reason: string;
  /** The reason without what differs from case to case; one of a small set. */
  kind: string;
  /** Says what to change, if the settings are the cause. */
  hint?: string | undefined;
  /** The name of the cookie that is missing. */
  cookie?: string;
  /** The client gets the reason, too: it is about the request or the session alone, and not about the site. */
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

/** Nobody can find out the text from what it returns. */
export type Digest = (text: string) => string;

/** Digests of what was read of a site, by which servers compare it. */
export interface Fingerprint {
  /** Of the operator's settings beside the folder. With others the configuration may rightly be read otherwise. */
  settings: string;
  /** Of everything that counts in the configuration, but for the places of databases and of stores. */
  site: string;
}

/** The answer to a request without a login. Unlike a check it also says so if the store is unavailable. */
export interface Refusal extends Explanation {
  code: RefusalCode;
}

/** The accounts on the site that can log in, whether their users have been in the chat or not. */
export interface SiteAccounts {
  /** The names of these accounts. An ID that the site does not have is left out. @throws StoreError */
  names(ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Accounts with a word of the name that begins so, in any case, or with that ID. @throws StoreError */
  search(text: string, limit: number): Promise<{ id: string; name: string }[]>;
}

/** One way in which a site knows its users. All other code knows logins only by this interface. */
export interface Logins<State = unknown> {
  /** Never rejects. */
  identify(credentials: Credentials): Promise<Login<State> | Refusal>;
  /**
   * Checks logins again: everything that `identify` has compared. Each result is null if nothing has changed, and
   * rejects with StoreError if there is none; this never means that a login has ended.
   */
  check(logins: readonly Login<State>[]): Promise<CheckResult<{ login: Login<State> }> | null>[];
  /**
   * Ties the later requests of a connection to its first one, without any store: a request that has another value
   * comes with another login. A secret; null if the request carries no login that could be one.
   */
  binding(credentials: Pick<Credentials, 'cookies'>): string | null;
  /** @param onNotifications called with null when notifications are active, and with the reason when they are lost */
  watch(onNotifications: (lost: StoreError | null) => void): Watch<State>;
  /**
   * The remaining time in milliseconds: `Infinity` if the login does not expire, 0 if it has expired, null if it does
   * not exist or this is not known.
   * @throws StoreError
   */
  ttl(login: Login<State>): Promise<number | null>;
  /** The time that a page view of the site gives a login, in milliseconds; undefined if that is not known. */
  readonly lifetime: number | undefined;
  /**
   * Renews a login as a page view would, if that renews it; a login that has ended stays so.
   * @param seconds the new TTL
   * @throws StoreError
   */
  renew(login: Login<State>, seconds: number): Promise<void>;
  /**
   * The address of a user for mails, from the site's own tables; null if there is none. Absent if the site has no table of
   * addresses.
   * @throws StoreError
   */
  mailOf?(user: string): Promise<string | null>;
  /** Absent if the site has no table of users that is known. */
  readonly accounts?: SiteAccounts;
  /** Reads a changed configuration of the site now, and not within a minute; absent if there is none. */
  reload?(): Promise<void>;
  /**
   * Of the configuration as it was read last, and read again if that is due; null as long as it is unknown. Absent if
   * there is none.
   */
  fingerprint?(digest: Digest): Promise<Fingerprint | null>;
  /** Whether the store answers at all. */
  answers(): Promise<boolean>;
  /** Why the store, or one server of it, cannot be read; null if it can. */
  fault(): Promise<StoreError | null>;
  close(): void;
}

/** Takes notifications of one login. They may be missing, late or wrong: each is a reason to check, and no verdict. */
export interface Watcher {
  /** The login has changed or ended. */
  notified(): void;
  /** The site has begun to use the login, so it may change soon. */
  opened(): void;
}

export interface Watch<State = unknown> {
  /** Notifies of this login until the end of what is returned. */
  add(login: Login<State>, watcher: Watcher): Followed;
  end(): void;
}

/**
 * Identifies a login without revealing it: the same for all requests of a login, another one if the user or any secret
 * is another. No cookie can be made from it. Connections with the same handle are checked as one.
 * @param kind of login
 * @param secrets all that were verified, and what else of the request a check compares, in a fixed order
 */
export function handleOf(kind: string, user: string, secrets: readonly string[]): string {
  return hash('sha256', JSON.stringify(['php-session-chat', kind, user, ...secrets]), 'base64url');
}

export function refusalOf({ state, isFinal, ...why }: NotLoggedIn): Refusal {
  return { code: state === 'invalid' ? 'session_invalid' : 'unauthorized', ...why };
}

/** The refusal of a visitor when the store gives no answer. @throws the error if it is another one */
export function unavailable(error: unknown): Refusal {
  if (!(error instanceof StoreError)) throw error;
  return {
    code: 'session_store_unavailable',
    reason: error.message,
    kind: error.message,
    hint: error.hint,
  };
}
