/// <reference types="node" preserve="true" />
// The public interface of php-sessions. Most programs need only `openSessions`.
import type { IncomingHttpHeaders } from 'node:http';
import {
  type CheckResult,
  type Credentials,
  type Login,
  type Logins,
  type Refusal,
  StoreError,
  toUnavailable,
} from './login.ts';
import { LoginEnds } from './login-ends.ts';
import { ConfigurationError, openLogins } from './logins/applications.ts';
import type { PhpSession } from './logins/php-sessions.ts';
import { readOptions } from './options.ts';

export { type FormatName, formats } from './formats/formats.ts';
export {
  FormatError,
  PhpBytes,
  PhpFloat,
  PhpObject,
  type PhpRecord,
  type PhpValue,
  propertyName,
} from './formats/value.ts';
/** For programs with their own kind of logins. */
export { findUser, type UserPaths } from './identity.ts';
export {
  type CheckResult,
  type Credentials,
  type Followed,
  type Login,
  type Logins,
  type NotLoggedIn,
  notLoggedIn,
  type Refusal,
  type RefusalCode,
  SessionBusyError,
  type SessionUser,
  type SiteAccounts,
  StoreError,
  toHandle,
  UnsettledError,
  type Watch,
  type Watcher,
} from './login.ts';
/** For programs that check logins by themselves. */
export { doubtMs } from './login-ends.ts';
export {
  ConfigurationError,
  type FolderSettings,
  type LoginEvents,
  type LoginSettings,
  openLogins,
  type StoreSettings,
} from './logins/applications.ts';
export type { PhpSession } from './logins/php-sessions.ts';
/** For programs with their own setting names. */
export { type Names, type OptionName, useNames } from './names.ts';
export { optionTexts, readOptions } from './options.ts';

/** The store of the sessions, or the folder of the site. All values are texts. Empty counts as not given. */
export type SessionOptions = StoreOptions | FolderOptions;

/** PHP sessions in a store. */
export interface StoreOptions extends PathOptions {
  /** A store URL, such as `file:///var/lib/php/sessions` or `redis://127.0.0.1:6379`. */
  store: string;
  /** The kind of a known application, such as `roundcube:`, which sets defaults of the other options. */
  site?: string | undefined;
}

/** The logins of the site in a folder. The application there is detected, and its configuration read. */
export interface FolderOptions extends PathOptions {
  /** The folder, such as `/var/www/html`, or the kind of the application and the folder, such as `joomla:/srv/site`. */
  site: string;
  /** Replaces the store that the configuration of a site with PHP sessions names. */
  store?: string | undefined;
  /** Replaces the site's access to its database: `mysql://USER:PASSWORD@HOST/DATABASE`. */
  siteDatabase?: string | undefined;
  /** A file with the environment variables of the site's PHP. */
  siteEnv?: string | undefined;
  /** The number of the blog in a WordPress network whose roles count. */
  siteBlog?: string | undefined;
  /** Replaces the roles or groups of the application that become `admin`. Separated by commas. */
  siteAdmins?: string | undefined;
  /** Replaces the roles or groups of the application that become `moderator`. */
  siteModerators?: string | undefined;
  /** `off` disables the application's own checks of address and browser. Default `on`. */
  siteChecks?: string | undefined;
}

/** The cookie with the session ID, and the paths to the user in a session. */
interface PathOptions {
  /** PHP's `session.name`. Default `PHPSESSID`, or the name that the site uses. */
  cookieName?: string | undefined;
  /** `plain` (default) if the cookie contains the session ID, otherwise `signed:KEYFILE` or `laravel:KEYFILE`. */
  cookie?: string | undefined;
  /** The character set of texts in sessions, as a label of `TextDecoder` such as `windows-1252`. Default UTF-8. */
  charset?: string | undefined;
  /** The path to the user's ID, such as `app.user.id`. Default `user_id`. */
  userId?: string | undefined;
  /** The path to the user's name. Default `firstname`. A user without a name gets the ID as name. */
  userName?: string | undefined;
  /** A path to a value. If it is empty, no user is logged in. */
  userRequire?: string | undefined;
  /** A path to the user's groups: a list of IDs, or a map from IDs to names. */
  userGroups?: string | undefined;
  /** A path to a role, or a list of roles: `admin`, `moderator`, and those of `teamRoles`. */
  userRoles?: string | undefined;
  /** A path to a value. If it is not empty, the user is banned. */
  userBanned?: string | undefined;
  /** A path to the user's mail address. */
  userMail?: string | undefined;
  /** IDs of accounts that do not count as users, such as a guest account. Separated by commas. */
  userNobody?: string | undefined;
  /** IDs of users who also have the role `admin`. Separated by commas. */
  admins?: string | undefined;
  /** IDs of users who also have the role `moderator`. */
  moderators?: string | undefined;
  /** Roles or groups of the site whose users also have the role `team`. */
  teamRoles?: string | undefined;
}

/** A request of Node, of a framework on Node, or of the Fetch API. */
export interface SessionRequest {
  readonly headers: IncomingHttpHeaders | { get(name: string): string | null };
  /** The client's address as the framework determines it behind trusted proxies. Preferred to the socket's address. */
  readonly ip?: string | undefined;
  readonly socket?: { readonly remoteAddress?: string | undefined } | null;
}

/** The logins of one site. */
export interface Sessions<State = unknown> extends Pick<Logins, 'answers' | 'close'> {
  /**
   * Finds the user of a request. If the store is unavailable, returns a refusal.
   * @param request or its `Cookie` header, which is enough unless the application compares address or browser
   */
  readSession(request: SessionRequest | string | undefined): Promise<Login<State> | Refusal>;
  /**
   * Checks a login again. Returns null if nothing changed.
   * @throws StoreError if the store does not answer. The login may still be valid.
   */
  changed(login: Login<State>): Promise<CheckResult<{ login: Login<State> }> | null>;
  /**
   * Calls `callback` once when the user logs out, the session expires, or the session gets another user. While the
   * store does not answer, a login ends only at the time `Login.ends`.
   * @returns a function that stops following the login
   * @throws TypeError for a login that was read through another `Sessions` object
   */
  onEnd(login: Login<State>, callback: () => void): () => void;
}

/**
 * Opens the logins of a site. The folder is read, and the store connected, at the first use.
 * @throws TypeError that lists all problems of the options, without passwords and keys
 */
export function openSessions(options: StoreOptions): Sessions<PhpSession>;
export function openSessions(options: SessionOptions): Sessions;
export function openSessions(options: SessionOptions): Sessions {
  const settings = readOptions({ ...options });
  if ('problems' in settings) {
    throw new TypeError(`options that cannot be used:\n  ${settings.problems.join('\n  ')}`);
  }
  let opening: Promise<Logins> | undefined;
  let ends: LoginEnds | undefined;
  let isClosed = false;
  /** The states of logins read through this object. Checking another site's login could break the check of all logins. */
  const ownStates = new WeakSet<object>();
  const addOwn = (login: Login) => {
    ownStates.add(login.state as object);
  };
  const open = (): Promise<Logins> => {
    if (isClosed) return Promise.reject(new StoreError('the sessions were closed'));
    opening ??= openLogins(settings).then(
      (logins) => {
        ends = new LoginEnds(logins);
        if (isClosed) ends.close();
        return logins;
      },
      (error: unknown) => {
        // The next call tries again.
        opening = undefined;
        throw error;
      },
    );
    return opening;
  };
  return {
    async readSession(request) {
      try {
        const login = await (await open()).identify(toCredentials(request));
        if (!('code' in login)) addOwn(login);
        return login;
      } catch (error) {
        if (!(error instanceof ConfigurationError)) return toUnavailable(error);
        return { code: 'session_store_unavailable', reason: error.message, kind: error.message };
      }
    },
    async changed(login) {
      const change = (await (await open()).check([login])[0]) ?? null;
      if (change?.state === 'user') addOwn(change.login);
      return change;
    },
    answers: () =>
      open().then(
        (logins) => logins.answers(),
        () => false,
      ),
    onEnd(login, callback) {
      if (!ownStates.has(login.state as object))
        throw new TypeError('the login was not returned by these sessions');
      return ends?.follow(login, callback) ?? (() => {});
    },
    close() {
      isClosed = true;
      ends?.close();
      void opening?.then((logins) => logins.close()).catch(() => {});
    },
  };
}

function toCredentials(request: SessionRequest | string | undefined): Credentials {
  if (typeof request === 'string') return { cookies: request };
  // Callers in JavaScript may give anything.
  const { headers, ip, socket }: Partial<SessionRequest> = request ?? {};
  const header = (name: string, separator: string) => {
    const value: unknown =
      typeof headers?.get === 'function' ? headers.get(name) : (headers as IncomingHttpHeaders)?.[name];
    if (Array.isArray(value)) return value.join(separator);
    return typeof value === 'string' ? value : undefined;
  };
  const address = ip ?? socket?.remoteAddress;
  return {
    cookies: header('cookie', '; '),
    address,
    client: address,
    userAgent: header('user-agent', ', '),
    forwardedFor: header('x-forwarded-for', ', '),
  };
}
