/// <reference types="node" preserve="true" />
// All that the published package php-session-chat/session exports.
import type { IncomingHttpHeaders } from 'node:http';
import type { CheckResult, Credentials, Login, Logins, Refusal } from './login.ts';
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
export {
  type CheckResult,
  type Credentials,
  type Followed,
  type Login,
  type Logins,
  type NotLoggedIn,
  type Refusal,
  type RefusalCode,
  SessionBusyError,
  type SessionUser,
  type SiteAccounts,
  StoreError,
  UnsettledError,
  type Watch,
  type Watcher,
} from './login.ts';
export { ConfigurationError, type LoginSettings, openLogins } from './logins/applications.ts';
export type { PhpSession } from './logins/php-sessions.ts';
export { type Names, type OptionName, useNames } from './names.ts';
export { optionTexts, readOptions } from './options.ts';

/** Where a site keeps its logins, and who is in them: its folder, or a store with all that belongs to it. */
export type SessionOptions = StoreOptions | FolderOptions;

/** The sessions of a site in a store. */
export interface StoreOptions extends PathOptions {
  /** A store URL, such as `file:///var/lib/php/sessions` or `redis://127.0.0.1:6379`. */
  store: string;
  /** The kind of a known application, such as `roundcube:`. Options that are given too take precedence. */
  site?: string | undefined;
}

/** The logins of a site by its folder. */
export interface FolderOptions extends PathOptions {
  /** The folder of the site, such as `/var/www/html`, or its kind and its folder. */
  site: string;
  /** In place of the store that a site with PHP sessions names. */
  store?: string | undefined;
  /** The URL of the database, with a user of its own: `mysql://USER:PASSWORD@HOST/DATABASE`. */
  siteDatabase?: string | undefined;
  /** A file with the environment variables of PHP. */
  siteEnv?: string | undefined;
  /** In a network of WordPress the number of the blog whose roles count. */
  siteBlog?: string | undefined;
  /** The roles that are `admin`, separated by commas, in place of the usual ones. */
  siteAdmins?: string | undefined;
  /** The roles that are `moderator`. */
  siteModerators?: string | undefined;
  /** `off`: a login counts from every address and browser. Default `on`. */
  siteChecks?: string | undefined;
}

/** The cookie that holds the id, and where in a session the user is. */
interface PathOptions {
  /** PHP's `session.name`. Default `PHPSESSID`, or that of the site. */
  cookieName?: string | undefined;
  /** `plain` (default): the cookie holds the session id itself. Otherwise `signed:KEYFILE` or `laravel:KEYFILE`. */
  cookie?: string | undefined;
  /** The character set of names and ids in the sessions, as a label of `TextDecoder` such as `windows-1252`. Default UTF-8. */
  charset?: string | undefined;
  /** The path to the user's id in the session, such as `app.user.id`. Default `user_id`. */
  userId?: string | undefined;
  /** The path to the user's name. Default `firstname`. A user without a name is called by the id. */
  userName?: string | undefined;
  /** A path to a value that must not be empty, or nobody is logged in. */
  userRequire?: string | undefined;
  /** Ids that stand for nobody, such as that of a guest account, separated by commas. */
  userNobody?: string | undefined;
  /** IDs of further users with that role, separated by commas. */
  admins?: string | undefined;
  moderators?: string | undefined;
}

/** A request of Node, of a framework on it, or of the Fetch API. */
export interface SessionRequest {
  readonly headers: IncomingHttpHeaders | { get(name: string): string | null };
  /** The client's address, where a framework has it behind trusted proxies. */
  readonly ip?: string | undefined;
  readonly socket?: { readonly remoteAddress?: string | undefined } | null;
}

/** The logins of one site. */
export interface Sessions<State = unknown> extends Pick<Logins, 'answers' | 'close'> {
  /**
   * The user who is logged in, or why there is none. Never throws.
   * @param request or its `Cookie` header, which is enough where the site compares neither address nor browser
   */
  readSession(request: SessionRequest | string | undefined): Promise<Login<State> | Refusal>;
  /**
   * Checks a login again; null if nothing has changed.
   * @throws StoreError if the store gives no usable answer
   */
  changed(login: Login<State>): Promise<CheckResult<{ login: Login<State> }> | null>;
  /**
   * Calls `ended` once when the user logs out, the session expires, or the session gets another user. While the store
   * does not answer, nothing has ended.
   * @returns a function that stops following the login
   */
  onEnd(login: Login<State>, ended: () => void): () => void;
}

/**
 * Connects to nothing, and reads no folder, before the first session is read.
 * @throws TypeError that lists everything that is wrong with the options, without a password or a key
 */
export function openSessions(options: StoreOptions): Sessions<PhpSession>;
export function openSessions(options: SessionOptions): Sessions;
export function openSessions(options: SessionOptions): Sessions {
  const settings = readOptions({ ...options }, (name) => name);
  if ('problems' in settings) {
    throw new TypeError(`options that cannot be used:\n  ${settings.problems.join('\n  ')}`);
  }
  let opening: Promise<Logins> | undefined;
  let ends: LoginEnds | undefined;
  const open = () => {
    opening ??= openLogins(settings, () => {}).then(
      (logins) => {
        ends = new LoginEnds(logins);
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
        return await (await open()).identify(credentialsOf(request));
      } catch (error) {
        if (!(error instanceof ConfigurationError)) throw error;
        return { code: 'session_store_unavailable', reason: error.message, kind: error.message };
      }
    },
    changed: async (login) => (await open()).check([login])[0] ?? null,
    answers: () =>
      open().then(
        (logins) => logins.answers(),
        () => false,
      ),
    onEnd(login, ended) {
      if (ends === undefined) throw new TypeError('the login was not read by these sessions');
      return ends.follow(login, ended);
    },
    close() {
      ends?.close();
      void opening?.then((logins) => logins.close()).catch(() => {});
    },
  };
}

function credentialsOf(request: SessionRequest | string | undefined): Credentials {
  if (typeof request !== 'object') return { cookies: request };
  const { headers, ip, socket } = request;
  const header = (name: string) => {
    const value =
      typeof headers.get === 'function' ? headers.get(name) : (headers as IncomingHttpHeaders)[name];
    return typeof value === 'string' ? value : undefined;
  };
  const address = ip ?? socket?.remoteAddress;
  return {
    cookies: header('cookie'),
    address,
    client: address,
    userAgent: header('user-agent'),
    forwardedFor: header('x-forwarded-for'),
  };
}
