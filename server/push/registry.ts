import type { Credentials, Login, Logins } from 'php-sessions';
import type { Devices } from '../chat/chat.ts';
import type { Connection } from '../chat/model.ts';
import { roomsIn } from '../chat/site.ts';
import type { History, StoredDevice } from '../history/history.ts';
import { RequestError } from '../wire/errors.ts';
import type { Answers, RequestPayload } from '../wire/events.ts';
import { isListed } from '../wire/origins.ts';
import { areKeys } from './encryption.ts';
import type { PushServices } from './push-service.ts';
import { deviceIdOf, type Sealing } from './sealing.ts';
import type { VapidKeys } from './vapid-keys.ts';

/** The address of a device at its push service. */
export type DeviceAddress =
  | {
      endpoint: string;
      /** In base64url. */
      p256dh: string;
      auth: string;
      /** The VAPID public key of the browser's subscription. */
      key: string;
      /** The page that a click on a notification opens. */
      page: string;
    }
  | { token: string };

/** The contents of `StoredDevice.sealed` before encryption. */
interface Sealed {
  address: DeviceAddress;
  /** The credentials of the connection that registered the device. */
  credentials: Credentials;
}

/**
 * Whether the user is still logged in on a device. `expired`: the login expired or may have ended, or no key of this
 * server decrypts the device. `ended`: the user logged out, is banned, or is a different user. `unknown`: the session
 * store does not answer, or the session cannot be read.
 */
export interface DeviceLogin {
  is: 'live' | 'expired' | 'ended' | 'unknown';
  /** The rooms that the site puts the user into, from a live session. Absent if the list is unreadable. */
  rooms?: readonly { id: string }[];
}

/** Maximum difference between the clocks of servers, in milliseconds. */
const slack = 5000;
/** A new expiry of a login is stored only if it differs by more than this, in milliseconds. */
const worthStoring = 60_000;
/** Maximum length of the page URL. It must fit into a push. */
const longestPage = 1000;

/** The request that opened a connection. */
interface Origin {
  credentials: Credentials;
  origin: string | undefined;
}

export interface RegistryOptions {
  history: Pick<History, 'read' | 'write'>;
  logins: Logins;
  sealing: Sealing;
  /** Origins of pages that a click may open (CHAT_ORIGINS), besides the origin of the connection itself. */
  origins: readonly string[];
  /** Absent if pushes to browsers are off. */
  browsers?: { services: Pick<PushServices, 'takes'>; keys: VapidKeys } | undefined;
  apps: boolean;
}

/** Registers and checks the devices of users. Each device is bound to the login that registered it. */
export class DeviceRegistry implements Devices {
  readonly #options: RegistryOptions;
  readonly #origins = new WeakMap<Connection, Origin>();

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  get takes() {
    return { browsers: this.#options.browsers !== undefined, apps: this.#options.apps };
  }

  /** Remembers the login of an accepted connection, because its devices are bound to that login. */
  accepted(connection: Connection, { credentials, origin }: Origin): void {
    // Later checks validate these cookies as of now, because the browser may have replaced them by then.
    this.#origins.set(connection, { credentials: { ...credentials, at: Date.now() }, origin });
  }

  /** Call when the connection's login has a new ticket. */
  renewed(connection: Connection, ticket: string): void {
    const origin = this.#origins.get(connection);
    if (origin !== undefined)
      this.#origins.set(connection, { ...origin, credentials: { ...origin.credentials, ticket } });
  }

  async register(
    connection: Connection,
    { name, ...given }: RequestPayload<'device:register'>,
  ): Promise<Answers['device:register']> {
    const origin = this.#origins.get(connection);
    const { history, logins, sealing } = this.#options;
    const address = await this.#checkedAddress(given, origin?.origin);
    const { credentials = {} } = origin ?? {};
    const login = await logins.identify(credentials);
    const user = connection.person.user.id;
    const isLoggedOut = 'code' in login ? login.code !== 'session_store_unavailable' : login.user.id !== user;
    if (isLoggedOut) throw new RequestError('forbidden', 'the login of this connection is no longer valid');
    const until = 'code' in login ? undefined : await this.#endOf(login);
    const id = deviceIdOf('token' in address ? address.token : address.endpoint);
    const sealed: Sealed = { address, credentials };
    await history.write.registerDevice({
      id,
      user,
      kind: 'token' in address ? 'app' : 'browser',
      name,
      sealed: sealing.seal(`${id} ${user}`, sealed),
      at: Date.now(),
      until,
    });
    return { id };
  }

  async #checkedAddress(
    { token, endpoint = '', p256dh = '', auth = '', key = '', page = '' }: RequestPayload<'device:register'>,
    origin: string | undefined,
  ): Promise<DeviceAddress> {
    if (token !== undefined) return { token };
    const { browsers, origins } = this.#options;
    const wrong = (what: string) => new RequestError('bad_request', what);
    if (browsers === undefined) throw new RequestError('forbidden');
    if (!browsers.services.takes(endpoint))
      throw wrong('endpoint: not a push service that this site accepts');
    const keys = { p256dh: Buffer.from(p256dh, 'base64url'), auth: Buffer.from(auth, 'base64url') };
    if (!areKeys(keys)) throw wrong('p256dh, auth: not the keys of a subscription');
    if ((await browsers.keys.of(key)) === undefined)
      throw wrong('key: subscribe with the key of GET /push/key');
    const { origin: of = '', href = '' } = URL.canParse(page) ? new URL(page) : {};
    if (href.length > longestPage) throw wrong('page: too long');
    if (!isListed(new Set(origins), of) && (origin === undefined || of !== origin))
      throw wrong('page: its origin is not in CHAT_ORIGINS');
    return { endpoint, p256dh, auth, key, page: href.split('#')[0] as string };
  }

  /** Returns when the login expires, as Unix ms, or undefined if unknown. */
  async #endOf(login: Login): Promise<number | undefined> {
    if (login.ends !== undefined) return login.ends;
    const { logins } = this.#options;
    const left = (await logins.ttl(login).catch(() => null)) ?? logins.lifetime;
    return left === undefined || !Number.isFinite(left) ? undefined : Math.round(Date.now() + left);
  }

  /** Returns the address of a device; undefined if the operator removed the key that encrypted it. */
  addressOf(device: StoredDevice): DeviceAddress | undefined {
    return this.#open(device)?.address;
  }

  #open({ id, user, sealed }: StoredDevice): Sealed | null {
    return this.#options.sealing.open(`${id} ${user}`, sealed) as Sealed | null;
  }

  /**
   * Checks the login of a device in the session store without renewing it, and stores the result. Deletes the device of
   * an `ended` login, unless it was registered again. A wrong key or an unreadable session does not delete it.
   */
  async check(device: StoredDevice): Promise<DeviceLogin> {
    const { history, logins } = this.#options;
    const { id, user, sealed } = device;
    const opened = this.#open(device);
    const expired = async (): Promise<DeviceLogin> => {
      const { until, since = Date.now() } = device;
      if (device.since === undefined)
        await history.write.noteDevice({
          id,
          user,
          sealed,
          until,
          since,
        });
      return { is: 'expired' };
    };
    // Another server may have the key, or this server after its next start. That server will find the device live.
    if (opened === null) return expired();
    const found = await logins.identify(opened.credentials);
    if (!('code' in found) && found.user.id === user && !found.user.banned) {
      // Another person may use the browser now.
      if (found.mayBeOver) return expired();
      const until = await this.#endOf(found);
      const isNew = Math.abs((until ?? 0) - (device.until ?? 0)) > worthStoring;
      if (isNew || device.since !== undefined) await history.write.noteDevice({ id, user, sealed, until });
      const rooms = roomsIn(found.user);
      return { is: 'live', rooms };
    }
    if ('code' in found) {
      if (found.code === 'session_store_unavailable') return { is: 'unknown' };
      const isOver = device.until !== undefined && Date.now() >= device.until - slack;
      // The session may be damaged, or the settings of this server may not match it.
      if (found.code === 'session_invalid' && !isOver) {
        await expired();
        return { is: 'unknown' };
      }
      if (device.since !== undefined || isOver) return expired();
    }
    await history.write.removeDevice({ id, user, sealed });
    return { is: 'ended' };
  }

  /**
   * Removes the devices of the login after a logout. A later check cannot tell a logout from an expiry if the login was
   * renewed after the registration.
   */
  async loggedOut(connection: Connection): Promise<void> {
    const { history } = this.#options;
    const ended = this.#loginOf(this.#origins.get(connection)?.credentials);
    const user = connection.person.user.id;
    if (ended === null) return;
    for (const device of await history.read.devices({ user })) {
      if (this.#loginOf(this.#open(device)?.credentials) === ended) await this.forget(device);
    }
  }

  /** Returns a value that is equal for all requests of a login. */
  #loginOf(credentials: Credentials = {}): unknown {
    const { session, ticket } = credentials;
    return ticket === undefined && session !== undefined
      ? session
      : this.#options.logins.binding(credentials);
  }

  /** Removes a device that its push service no longer knows, or on which the user logged out. */
  async forget({ id, user, sealed }: StoredDevice): Promise<void> {
    await this.#options.history.write.removeDevice({ id, user, sealed });
  }
}
