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
      /** The public key with which the browser has subscribed. */
      key: string;
      /** The page that a press on a notice opens. */
      page: string;
    }
  | { token: string };

/** The sealed part of a device. */
interface Sealed {
  address: DeviceAddress;
  /** The credentials of the login by which it was registered. */
  credentials: Credentials;
}

/**
 * Whether the user of a device is still logged in there. `expired`: the login has ended by itself, or no key of this server
 * opens the device. `ended`: the user has logged out, or is another one. `unknown`: the store does not answer, or the
 * session cannot be read.
 */
export interface DeviceLogin {
  is: 'live' | 'expired' | 'ended' | 'unknown';
  /** Of a live one: the rooms that its session gives; absent if their list cannot be read. */
  rooms?: readonly { id: string }[];
}

/** Milliseconds by which clocks may differ, and by which a new end of a login is worth storing. */
const slack = 5000;
const worthStoring = 60_000;
/** Characters of the address of a page: it has to fit into a push. */
const longestPage = 1000;

/** How a connection began. */
interface Origin {
  credentials: Credentials;
  origin: string | undefined;
}

export interface RegistryOptions {
  history: Pick<History, 'read' | 'write'>;
  logins: Logins;
  sealing: Sealing;
  /** Of pages that a press may open: CHAT_ORIGINS. */
  origins: readonly string[];
  /** Absent where browsers are not reached. */
  browsers?: { services: Pick<PushServices, 'takes'>; keys: VapidKeys } | undefined;
  apps: boolean;
}

/** The devices of users, each bound to the login by which it was registered. */
export class DeviceRegistry implements Devices {
  readonly #options: RegistryOptions;
  readonly #origins = new WeakMap<Connection, Origin>();

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  get takes() {
    return { browsers: this.#options.browsers !== undefined, apps: this.#options.apps };
  }

  /** A connection was accepted: a device that it registers is bound to the same login. */
  accepted(connection: Connection, { credentials, origin }: Origin): void {
    // They are compared again long after the browser has got other cookies.
    this.#origins.set(connection, { credentials: { ...credentials, at: Date.now() }, origin });
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
    if (isLoggedOut) throw new RequestError('forbidden', 'the login of this connection has ended');
    const until = 'code' in login ? undefined : await this.#endOf(login);
    const id = deviceIdOf('token' in address ? address.token : address.endpoint);
    const sealed: Sealed = { address, credentials };
    await history.write.registerDevice({
      id,
      user,
      kind: 'token' in address ? 'app' : 'browser',
      ...(name === undefined ? {} : { name }),
      sealed: sealing.seal(`${id} ${user}`, sealed),
      at: Date.now(),
      ...(until === undefined ? {} : { until }),
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
    if (!browsers.services.takes(endpoint)) throw wrong('endpoint: no push service that this site knows');
    const keys = { p256dh: Buffer.from(p256dh, 'base64url'), auth: Buffer.from(auth, 'base64url') };
    if (!areKeys(keys)) throw wrong('p256dh, auth: no keys of a subscription');
    if ((await browsers.keys.of(key)) === undefined)
      throw wrong('key: subscribe with the key of GET /push/key');
    const { origin: of = '', href = '' } = URL.canParse(page) ? new URL(page) : {};
    if (href.length > longestPage) throw wrong('page: too long');
    if (!isListed(new Set(origins), of) && (origin === undefined || of !== origin))
      throw wrong('page: on no origin of CHAT_ORIGINS');
    return { endpoint, p256dh, auth, key, page: href.split('#')[0] as string };
  }

  /** When a login ends by itself, in milliseconds since 1970; undefined if that is not known. */
  async #endOf(login: Login): Promise<number | undefined> {
    if (login.ends !== undefined) return login.ends;
    const { logins } = this.#options;
    const left = (await logins.ttl(login).catch(() => null)) ?? logins.lifetime;
    return left === undefined || !Number.isFinite(left) ? undefined : Math.round(Date.now() + left);
  }

  /** Undefined if it was sealed by a key that the operator has taken away. */
  addressOf(device: StoredDevice): DeviceAddress | undefined {
    return this.#open(device)?.address;
  }

  #open({ id, user, sealed }: StoredDevice): Sealed | null {
    return this.#options.sealing.open(`${id} ${user}`, sealed) as Sealed | null;
  }

  /**
   * Asks the store, and keeps what it says; a device whose login has ended is deleted, unless it was registered again
   * meanwhile. A server that has a wrong key, or reads sessions wrongly, deletes none. Never renews a login.
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
          ...(until === undefined ? {} : { until }),
          since,
        });
      return { is: 'expired' };
    };
    // Another server may have the key, or this one after its next start: it finds the device live again.
    if (opened === null) return expired();
    const found = await logins.identify(opened.credentials);
    if (!('code' in found) && found.user.id === user && !found.user.banned) {
      // Somebody else may be at the browser.
      if (found.mayBeOver) return expired();
      const until = await this.#endOf(found);
      const isNew = Math.abs((until ?? 0) - (device.until ?? 0)) > worthStoring;
      if (isNew || device.since !== undefined)
        await history.write.noteDevice({ id, user, sealed, ...(until === undefined ? {} : { until }) });
      const rooms = roomsIn(found.user);
      return { is: 'live', ...(rooms && { rooms }) };
    }
    if ('code' in found) {
      if (found.code === 'session_store_unavailable') return { is: 'unknown' };
      const isOver = device.until !== undefined && Date.now() >= device.until - slack;
      // It may be damaged, or the settings of this server may not fit it.
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
   * The login of this connection has ended by a logout, and its devices end with it. A later check would take a login that
   * was renewed after the registration for an expired one.
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

  /** The same value for all requests of a login. */
  #loginOf({ cookies, session }: Credentials = {}): unknown {
    return session ?? this.#options.logins.binding({ cookies });
  }

  /** Forgets a device that its push service does not know any more, or whose user has logged out there. */
  async forget({ id, user, sealed }: StoredDevice): Promise<void> {
    await this.#options.history.write.removeDevice({ id, user, sealed });
  }
}
