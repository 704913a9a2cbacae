import { hash } from 'node:crypto';
import {
  type Credentials,
  type Followed,
  type Login,
  type Logins,
  type Refusal,
  type SessionUser,
  toHandle,
} from 'php-sessions';
import { z } from 'zod';
import { visibleLine } from '../text/blank.ts';
import { isGuest } from '../wire/guest.ts';
import { type OwnLogins, withIdentify, withOwn } from './own-logins.ts';
import { refuse } from './tickets.ts';

/** What visitors without a login may do. */
export interface GuestSettings {
  may: 'read' | 'write';
  /** The IDs of the rooms that guests may open, if they are public. */
  rooms: ReadonlySet<string>;
  /** The start of each guest's name. */
  label: string;
}

class GuestState {
  /** The token for file downloads. */
  readonly access: string;

  constructor(access: string) {
    this.access = access;
  }
}

type GuestLogin = Login<GuestState>;

/** The maximum length of the name that a guest chooses. */
const longestName = 40;

/**
 * `auth.guest`: 32 random bytes that the client made and keeps. `auth.name`: the chosen name; absent in HTTP requests.
 */
const credentials = z.object({
  secret: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  name: z
    .string()
    .max(1000)
    .transform((name) => visibleLine(name, longestName))
    .optional(),
});

/**
 * Logs visitors in as guests. A guest's ID is a hash of the client's secret, so it needs neither a key nor a record,
 * and is the same on all servers. The secret cannot be computed from the ID.
 */
export class Guests implements OwnLogins {
  readonly #settings: GuestSettings;

  constructor(settings: GuestSettings) {
    this.#settings = settings;
  }

  /** @param given the secret and the name */
  identify(given: unknown): GuestLogin | Refusal {
    const parsed = credentials.safeParse(given);
    if (!parsed.success) {
      const field = parsed.error.issues[0]?.path[0] === 'name' ? 'name' : 'guest';
      return refuse('session_invalid', `auth.${field} is not valid`);
    }
    const { may, label } = this.#settings;
    const { secret, name } = parsed.data;
    if (name === '' && may === 'write')
      return refuse('session_invalid', 'a guest who may write needs auth.name');
    const access = accessOf(secret);
    const id = idOf(access);
    return {
      handle: toHandle('guest', id, [secret]),
      user: { id, name: name ? `${label} ${name}` : label },
      state: new GuestState(access),
    };
  }

  has(login: Login): login is GuestLogin {
    return login.state instanceof GuestState;
  }

  check(): null {
    return null;
  }

  watch(): Followed {
    return { since: performance.now(), end() {} };
  }

  ttl(): number {
    return Number.POSITIVE_INFINITY;
  }

  fileAccessOf({ state }: GuestLogin): string {
    return state.access;
  }

  userByFileAccess(token: string): SessionUser | null {
    const id = idOf(token);
    return /^[A-Za-z0-9_-]{43}$/.test(token) ? { id, name: id } : null;
  }
}

// A hash, because this token appears in URLs, which must not reveal the secret.
const accessOf = (secret: string): string => hash('sha256', `file access of ${secret}`, 'base64url');
/** Returns the ID of the guest with this secret. */
export const guestOf = (secret: string): string => idOf(accessOf(secret));

const idOf = (access: string): string => `g-${hash('sha256', access, 'hex').slice(0, 32)}`;

/** Why a login of the site is rejected if its user ID has the form of a guest's ID. */
const reserved = 'user IDs of g- and 32 hex digits are reserved for guests';

/**
 * Admits visitors without a login as guests. A client that sends `auth.session` or a ticket is never a guest, even if
 * the session or ticket is not valid.
 * @param guests undefined if visitors need a login
 */
export const withGuests = (site: Logins, guests: Guests | undefined): Logins => {
  const identify = async (credentials: Credentials) => {
    const login = await site.identify(credentials);
    if (!('code' in login)) return isGuest(login.user.id) ? refuse('session_invalid', reserved) : login;
    const { session, ticket, guest } = credentials;
    const isVisitor = login.code === 'unauthorized' && session === undefined && ticket === undefined;
    return isVisitor && guests !== undefined && guest !== undefined ? guests.identify(guest) : login;
  };
  return guests === undefined ? withIdentify(site, identify) : withOwn(site, guests, { identify });
};
