/// <reference types="node" preserve="true" />
// All that the published package php-session-chat/session exports.
import type { Login, Logins, Refusal, Verdict } from './login.ts';
import { type PhpSession, phpSessions } from './logins/php-sessions.ts';
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
export type { SessionUser } from './identity.ts';
export { type Login, type Refusal, type RefusalCode, StoreError, type Verdict } from './login.ts';
export type { PhpSession } from './logins/php-sessions.ts';

/** Where a site keeps its sessions, which cookie holds the id, and where in a session the user is. */
export interface SessionOptions {
  /** A store URL, such as `file:///var/lib/php/sessions` or `redis://127.0.0.1:6379`. */
  store: string;
  /** PHP's `session.name`. Default `PHPSESSID`. */
  cookieName?: string | undefined;
  /** `plain` (default): the cookie holds the session id itself. Otherwise `signed:KEYFILE` or `laravel:KEYFILE`. */
  cookie?: string | undefined;
  /** The path to the user's id in the session, such as `app.user.id`. Default `user_id`. */
  userId?: string | undefined;
  /** The path to the user's name. Default `firstname`. A user without a name is called by the id. */
  userName?: string | undefined;
  /** A path to a value that must not be empty, or nobody is logged in. */
  userRequire?: string | undefined;
  /** Ids that stand for nobody, such as that of a guest account, separated by commas. */
  userNobody?: string | undefined;
  /** The kind of a known application, such as `roundcube:`. Options that are given too take precedence. */
  site?: string | undefined;
}

/** The sessions of one site. */
export interface Sessions extends Pick<Logins, 'answers' | 'close'> {
  /** `Cookie` header of a request → the user who is logged in, or why there is none. Never throws. */
  readSession(cookies: string | undefined): Promise<Login<PhpSession> | Refusal>;
  /**
   * Checks a login again; null if nothing has changed.
   * @throws StoreError if the store gives no usable answer
   */
  changed(login: Login<PhpSession>): Promise<Verdict<PhpSession> | null>;
}

/**
 * Connects to nothing before the first session is read.
 * @throws TypeError that lists everything that is wrong with the options, without a password or a key
 */
export function openSessions(options: SessionOptions): Sessions {
  const settings = readOptions({ ...options }, (name) => name);
  if ('problems' in settings) {
    throw new TypeError(`options that cannot be used:\n  ${settings.problems.join('\n  ')}`);
  }
  if ('site' in settings)
    throw new TypeError('options that cannot be used:\n  site: not in this version of the package');
  const { identify, check, answers, close } = phpSessions(settings.session);
  return {
    readSession: (cookies) => identify({ cookies }),
    changed: (login) => check([login])[0] as Promise<Verdict<PhpSession> | null>,
    answers,
    close,
  };
}
