import { isDeepStrictEqual } from 'node:util';
import type { Socket as EngineSocket } from 'engine.io';
import type { Login, Logins, SessionUser } from 'php-sessions';
import type { Chat } from '../chat/chat.ts';
import { changeIdentity, disconnectUser } from '../chat/connected-users.ts';
import type { Connection, SessionIdentity } from '../chat/model.ts';
import { nameToShow } from '../chat/moderation/hold-settings.ts';
import { roomsIn, shownBan } from '../chat/site.ts';
import type { CheckedLogin, Subscriber } from '../liveness/checked-login.ts';
import type { Liveness } from '../liveness/liveness.ts';
import type { Client, Services } from '../requests/dispatch.ts';
import { RequestError } from '../wire/errors.ts';
import type { Answers, EndReason, SessionChange, SiteBan, SiteRole } from '../wire/events.ts';
import { isGuest } from '../wire/guest.ts';
import type { FanOut } from './fan-out.ts';
import type { Guard } from './guard.ts';
import type { Intake } from './intake.ts';
import type { SessionProblems } from './session-problems.ts';

/** The parts that all connections share. */
export interface ConnectionParts {
  publisher: FanOut;
  services: Services;
  logins: Logins;
  liveness: Liveness;
  /** Returns the payload of `session:changed`. */
  self: (connection: Connection) => SessionChange;
  sessionProblems: SessionProblems;
  /** Called for each login that is accepted or banned, and again when its user data changes. */
  seen(user: SessionUser): void;
  /** Returns `fileAccess` for a login by ticket or a guest. */
  fileAccessOf(login: Login): string | undefined;
  /** Called when a client replaces the ticket of its login. */
  renewed(connection: Connection, ticket: string): void;
  /** Called when a logout ends a connection. */
  loggedOut(connection: Connection): void;
}

/** The parts of Socket.IO's socket that are used here. */
interface AcceptedSocket {
  readonly conn: EngineSocket;
  emit(event: 'session:ended', payload: { reason: EndReason; ban?: SiteBan }): unknown;
  disconnect(close: true): unknown;
}

/**
 * An accepted connection, used by its login and its requests. It avoids closures, because each would take memory as
 * long as the connection lives.
 */
export class Accepted implements Subscriber, Client {
  readonly connection: Connection;
  readonly intake: Intake;
  readonly weight: Guard;
  readonly #shared: ConnectionParts;
  readonly #socket: AcceptedSocket;
  /** The handle of its login. */
  readonly #handle: string;
  #login: CheckedLogin | undefined;

  constructor(
    shared: ConnectionParts,
    socket: AcceptedSocket,
    {
      connection,
      intake,
      guard,
      handle,
    }: { connection: Connection; intake: Intake; guard: Guard; handle: string },
  ) {
    this.#shared = shared;
    this.#socket = socket;
    this.connection = connection;
    this.intake = intake;
    this.weight = guard;
    this.#handle = handle;
  }

  /** Ends the connection when its login ends. */
  subscribe(login: Login): void {
    this.#login = this.#shared.liveness.subscribe(login, this);
    // A change of the session, or a kick, may already have ended the connection.
    if (this.connection.gone) this.#login.unsubscribe(this);
    else if (this.connection.ended) this.ended('kicked');
  }

  active(): void {
    this.#login?.written();
  }

  async renew(ticket: string): Promise<Answers['session:renew']> {
    const { logins, renewed, fileAccessOf } = this.#shared;
    const login = await logins.identify({ ticket });
    if ('code' in login) throw new RequestError('bad_request', login.reason);
    if (login.handle !== this.#handle)
      throw new RequestError('forbidden', 'the claim sub or sid of the ticket belongs to another login');
    renewed(this.connection, ticket);
    this.#login?.renewed(login);
    return { fileAccess: fileAccessOf(login) ?? '' };
  }

  ended(reason: EndReason): void {
    this.connection.ended = true;
    if (this.connection.gone) return;
    // No event may follow `session:ended`.
    this.#shared.publisher.remove(this.connection.id);
    const { ban, identity } = this.connection;
    const known = ban ?? this.#shared.services.chat.directory.banOf(identity.id);
    this.#socket.emit('session:ended', {
      reason,
      ban: reason === 'kicked' && known !== null ? shownBan(known) : undefined,
    });
    this.#socket.disconnect(true);
    if (reason === 'logout') this.#shared.loggedOut(this.connection);
  }

  unconfirmed(): boolean {
    const { conn } = this.#socket;
    const wasOpen = conn.readyState === 'open';
    conn.close();
    return wasOpen;
  }

  changed(user: SessionUser): void {
    const { connection } = this;
    const { services, publisher, self, sessionProblems, seen } = this.#shared;
    seen(user);
    if (user.banned) return this.ended('kicked');
    if (connection.gone) {
      connection.identity = identityOf(user, services.chat);
      return;
    }
    sessionProblems.logProblems(this.#handle, user);
    const before = self(connection);
    changeIdentity(services.chat, connection, identityOf(user, services.chat)).then(
      () => {
        const now = self(connection);
        if (!isDeepStrictEqual(before, now)) publisher.toConnections([connection.id], 'session:changed', now);
      },
      (error: unknown) =>
        services.log.error({ err: error }, 'could not apply the rooms and roles of a changed session'),
    );
  }

  /**
   * Called when Socket.IO disconnects the socket, because the client left, `ended` ran or the transport closed.
   * @param keepsTransport whether the client left only the namespace, so that the transport is still open
   */
  left(keepsTransport: boolean): void {
    const { connection } = this;
    const { publisher, services } = this.#shared;
    publisher.remove(connection.id);
    this.intake.leave();
    // Stays subscribed until the requests are done, because the end of the login must end them too.
    const underWay = services.drain.underWay(connection);
    if (underWay === undefined) this.#login?.unsubscribe(this);
    else void underWay.then(() => this.#login?.unsubscribe(this));
    for (const room of connection.joined) services.chat.typing.left(room, connection);
    disconnectUser(services.chat, connection);
    if (keepsTransport) this.weight.awaitConnect();
    else this.#socket.conn.close();
  }
}

export function identityOf(
  user: SessionUser,
  { hold, settings, team }: Pick<Chat, 'hold' | 'settings' | 'team'>,
): SessionIdentity {
  const { id, name } = user;
  const rooms = roomsIn(user);
  const guestRole: SiteRole = settings.guests?.may === 'write' ? 'guest' : 'reader';
  const roles = isGuest(id) ? [guestRole] : team.rolesOf(id, user.roles ?? []);
  return { id, name: nameToShow(hold, { id, name }), roles, rooms };
}
