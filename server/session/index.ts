/// <reference types="node" preserve="true" />
// All that the published package php-session-chat/session exports.
import { readOptions } from './options.ts';
import type { presets } from './presets.ts';
import { createSessionReader, type SessionReader } from './read-session.ts';

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
export type { LiveSession, RefusalCode, SessionRefusal } from './read-session.ts';
export { StoreError } from './store.ts';
export type { Verdict } from './verdict.ts';

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
  /** The options of a known application, such as `roundcube`. Options that are given too take precedence. */
  preset?: keyof typeof presets | undefined;
}

/** The sessions of one site. */
export interface Sessions extends Pick<SessionReader, 'answers' | 'close'> {
  /** `Cookie` header of a request → the user who is logged in, or why there is none. Never throws. */
  readSession: SessionReader['fromCookie'];
  /**
   * Checks a session again; null if its bytes are still the `known` ones.
   * @throws StoreError if the store gives no usable answer
   */
  changed: SessionReader['check'];
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
  const { fromCookie, check, answers, close } = createSessionReader(settings);
  return { readSession: fromCookie, changed: check, answers, close };
}
