import { readOptions } from './options.ts';
import type { presets } from './presets.ts';
import { createSessionReader, type SessionReader } from './read-session.ts';

/** Where a site keeps its sessions, which cookie names one, and who is in it. */
export interface SessionOptions {
  /** A store URL, such as `file:///var/lib/php/sessions` or `redis://127.0.0.1:6379`. */
  store: string;
  /** PHP's `session.name`. Default `PHPSESSID`. */
  cookieName?: string | undefined;
  /** `plain`, the default: the cookie holds the session id itself. Else `signed:KEYFILE`, or `laravel:KEYFILE`. */
  cookie?: string | undefined;
  /** The path to the user's id in the session, such as `app.user.id`. Default `user_id`. */
  userId?: string | undefined;
  /** The path to the user's name; the id is the name where there is none. Default `firstname`. */
  userName?: string | undefined;
  /** A path to what must not be empty, or nobody is logged in. */
  userRequire?: string | undefined;
  /** The ids of nobody, such as that of a guest account, separated by commas. */
  userNobody?: string | undefined;
  /** The options of a known application, such as `roundcube`; each can still be given by itself. */
  preset?: keyof typeof presets | undefined;
}

/** The sessions of one site. */
export interface Sessions extends Pick<SessionReader, 'changed' | 'answers' | 'close'> {
  /** `Cookie` header of a request → who is logged in, or why nobody is. Never throws. */
  readSession: SessionReader['fromCookie'];
}

/**
 * Nothing is connected before the first session is read.
 * @throws TypeError that lists all that is wrong with the options, without a password or a key
 */
export function openSessions(options: SessionOptions): Sessions {
  const settings = readOptions({ ...options }, (name) => name);
  if ('problems' in settings) {
    throw new TypeError(`options that cannot be used:\n  ${settings.problems.join('\n  ')}`);
  }
  const { fromCookie, changed, answers, close } = createSessionReader(settings);
  return { readSession: fromCookie, changed, answers, close };
}
