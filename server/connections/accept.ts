import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { Server as EngineServer, type Socket as EngineSocket } from 'engine.io';
import type { Credentials, Login, Refusal } from 'php-sessions';
import { type DefaultEventsMap, Server, type Socket as SocketIoSocket } from 'socket.io';
import { connectUser, disconnectUser } from '../chat/connected-users.ts';
import type { Connection } from '../chat/model.ts';
import { liftOutranked } from '../chat/moderation/outranked.ts';
import { shownBan } from '../chat/site.ts';
import { answerError, answerErrorRaw } from '../http/answer.ts';
import { OpenLimit, type Rate, RateLimit, tryAgainAfter } from '../limits/by-key.ts';
import { Turns } from '../limits/per-turn.ts';
import { runFor } from '../limits/requester.ts';
import { requestListener } from '../requests/dispatch.ts';
import type { Drain } from '../requests/drain.ts';
import { type ConnectErrorCode, connectErrors, RequestError } from '../wire/errors.ts';
import type {
  ClientToServer,
  ConnectFailure,
  EventPayload,
  ServerToClient,
  SessionReady,
} from '../wire/events.ts';
import { isGuest } from '../wire/guest.ts';
import { pingIntervalMs, pongTimeoutMs } from '../wire/ping.ts';
import { Accepted, type ConnectionParts, identityOf } from './accepted.ts';
import { type Admission, reasonOf } from './admission.ts';
import { FanOut } from './fan-out.ts';
import { type Breach, Guard, maxPacketBytes } from './guard.ts';
import { Penalties } from './intake.ts';
import { freeHandshake, internalsOf, replaceAck, storeNoRooms, webSocketOf, withQuery } from './internals.ts';
import { SessionProblems } from './session-problems.ts';
import { PacketSource, WebSockets } from './source.ts';

/** `entering` is set after authentication. `accepted` replaces it once the connection is welcomed. */
interface SocketData {
  entering?: Entering & { connection: Connection };
  accepted?: Accepted;
}

interface Entering {
  login: Login;
  /** The tags in `auth.tags`. Undefined if the client sent none. */
  known: ReadonlySet<string> | undefined;
}

/** The parts of the server that connections need. */
interface Parts extends Omit<ConnectionParts, 'publisher' | 'sessionProblems'> {
  /** Returns the payload of `session:ready`, the first event. */
  ready: (connection: Connection, entering: Entering) => SessionReady;
  /** Returns the payloads of `room:removed` for rooms that the user lost to bans. They follow `session:ready`. */
  bans: (connection: Connection) => EventPayload<'room:removed'>[];
  accepted: OnAccepted;
}

/** Called for an accepted login, with the credentials that identified it. The credentials contain secrets. */
export type OnAccepted = (
  connection: Connection,
  by: { credentials: Credentials; origin: string | undefined },
) => void;

/** An Engine.IO connection. */
interface Open {
  readonly conn: EngineSocket;
  readonly guard: Guard;
  readonly source: PacketSource;
  /** Releases the connection's slot in the limit by address, and unbinds its later requests. */
  readonly unbind: () => void;
  /** Releases the connection's slot in the limit by user. */
  release: (() => void) | undefined;
  /** Set after authentication. */
  connection: Connection | undefined;
  /**
   * Whether Socket.IO admitted the connection. Then Socket.IO's `disconnect` event reports the end, perhaps before the
   * transport closes.
   */
  accepted: boolean;
}

type ChatServer = Server<ClientToServer, ServerToClient, DefaultEventsMap, SocketData>;
type ChatSocket = SocketIoSocket<ClientToServer, ServerToClient, DefaultEventsMap, SocketData>;

/**
 * Packets in the body of one POST, which are handled in one event-loop tick. Clients send fewer, even after an outage.
 */
const mostPackets = 500;
const packetSeparator = '\x1e';
/**
 * Maximum CONNECTs that start per event-loop tick. A higher number ends a reconnect storm sooner, but delays the
 * messages of other connections more.
 */
const mostConnectsInATurn = 12;
/** The minimum delay (ms) between two batches of closed connections while the server drains. */
const shortestPause = 5;

/** Binds Socket.IO to logins. It authenticates connections, serves their requests and closes them. */
export class SocketTransport {
  readonly publisher = new FanOut();
  readonly #engine: EngineServer;
  readonly #io: ChatServer;
  readonly #admission: Admission;
  readonly #onRefusal: OnRefusal;
  readonly #visitors: VisitorOptions;
  readonly #connectionsOfUser: OpenLimit;
  readonly #newGuests: RateLimit;
  readonly #penalties = new Penalties();
  readonly #connects = new Turns(mostConnectsInATurn);
  /** By Engine.IO's `sid`. */
  readonly #connections = new Map<string, Open>();
  /** Returns the ack of a request. All sockets share this function. */
  readonly #ack: (this: ChatSocket, request: number) => (response: unknown) => number;
  /** Called when the last connection closes. */
  #onEmpty = (): void => {};
  /** Called when an authenticated connection closes before Socket.IO admits it. */
  #onLost = (_: Connection): void => {};

  constructor(options: {
    admission: Admission;
    /** Concurrent connections of one user. */
    limitConnectionsUser: number;
    /** New guests from one address. */
    limitGuests: Rate;
    /** The limit of queued bytes for one connection. */
    limitQueue: number;
    /** The login address for users who are not logged in. */
    siteLoginUrl: string | undefined;
    /** Undefined if all users need a login. */
    guests: { may: 'read' | 'write' } | undefined;
    onRefusal: OnRefusal;
    onBreach: (breach: Breach) => void;
    /** See `Guard`. */
    onCut: (idleMs: number) => void;
  }) {
    this.#admission = options.admission;
    this.#onRefusal = options.onRefusal;
    this.#visitors = { loginUrl: options.siteLoginUrl, guests: options.guests?.may };
    this.#connectionsOfUser = new OpenLimit(options.limitConnectionsUser);
    this.#newGuests = new RateLimit(options.limitGuests);
    this.#engine = new EngineServer({
      maxHttpBufferSize: maxPacketBytes,
      pingInterval: pingIntervalMs,
      pingTimeout: pongTimeoutMs,
      perMessageDeflate: false,
      httpCompression: false,
      wsEngine: WebSockets,
    });
    // Cheaper than Engine.IO's own generator, which draws random bytes for each ID.
    this.#engine.generateId = () => randomUUID();
    this.#io = new Server({ serveClient: false });
    // `FanOut` stores the rooms.
    storeNoRooms(this.#io);
    this.#io.bind(this.#engine);
    const answer = (to: string, request: number, answer: unknown) =>
      this.publisher.answer(to, request, answer);
    this.#ack = function (this: ChatSocket, request) {
      return (given) => answer(this.id, request, given);
    };
    const closed = (conn: EngineSocket) => this.#closed(conn);
    const onClose = function (this: EngineSocket) {
      closed(this);
    };
    // Runs before Socket.IO's own listener, so that packets that break the rules never reach Socket.IO.
    this.#engine.prependListener('connection', (conn: EngineSocket) => {
      const sid = internalsOf(conn).id;
      const unbind = this.#admission.bind(sid, conn.request, conn.transport.name === 'websocket');
      const source = new PacketSource(this.#admission.accountOf(conn.request));
      const isProbe = this.#admission.isProbe(new URL(conn.request.url ?? '', 'http://localhost'));
      const guard = new Guard(conn, source, { ...options, isProbe });
      const open = { release: undefined, connection: undefined, accepted: false };
      this.#connections.set(sid, { conn, guard, source, unbind, ...open });
      // Shared by all connections, to save memory.
      conn.on('close', onClose);
    });
  }

  get connections(): number {
    return this.#io.of('/').sockets.size;
  }

  /** Starts to accept connections. */
  open(parts: Parts): void {
    const { services } = parts;
    this.#onLost = (connection) => disconnectUser(services.chat, connection);
    const shared: ConnectionParts = {
      ...parts,
      publisher: this.publisher,
      sessionProblems: new SessionProblems(services.log),
    };
    this.#io.use((socket, next) => {
      const { conn } = socket;
      this.#connects.take(this.#admission.keyOf(conn.request), 1, () => {
        // The connection closed while it was queued. Socket.IO cleans it up.
        if (conn.readyState !== 'open') return next();
        const authenticated = parts.services.traces.begin(
          'connect',
          () => this.#authenticate(socket, parts),
          (refusal) => refusal?.code,
        );
        authenticated.then(
          (refusal) => next(refusal === null ? undefined : connectError(refusal, this.#visitors)),
          // Socket.IO does not await a middleware, so the client would wait forever after an uncaught rejection.
          (error: unknown) => {
            if (error instanceof RequestError) {
              // The history failed, which is not a bug in this program.
              const { code: kind, message: reason } = error;
              this.#onRefusal({ code: 'internal', reason, kind });
            } else {
              parts.services.log.error({ err: error }, 'unexpected error while connecting a client');
              this.#onRefusal({ code: 'internal' });
            }
            next(connectError({ code: 'internal' }));
          },
        );
      });
    });
    this.#io.on('connection', (socket) => this.#welcome(socket, parts, shared));
  }

  request(req: IncomingMessage, res: ServerResponse, url: URL): void {
    const refusal = this.#admission.refusal(req, url, false);
    if (refusal !== null) {
      if (!refusal.isProbe) this.#onRefusal(reasonOf(refusal.code, req));
      if (refusal.readable) this.#admission.allowReading(req, res);
      return answerError(res, refusal.code, refusal.retryAfterMs);
    }
    this.#admission.allowReading(req, res);
    if (req.method === 'OPTIONS') {
      res.writeHead(204).end();
      return;
    }
    res.on('close', () => this.#admission.over(req));
    const handOn = () => this.#engine.handleRequest(withQuery(req, url), res);
    const connection = this.#connections.get(url.searchParams.get('sid') ?? '');
    if (req.method !== 'POST' || connection === undefined) return handOn();
    if (Number(req.headers['content-length']) > maxPacketBytes) {
      connection.guard.close('too_large');
      return answerError(res, 'too_large', undefined, { Connection: 'close' });
    }
    // Engine.IO measures a body of unknown length and responds with 413, but leaves the connection open.
    res.on('finish', () => {
      if (res.statusCode === 413) connection.guard.close('too_large');
    });
    // Engine.IO waits half a minute for the poll that takes its close packet, and continues to read until then.
    if (connection.conn.readyState !== 'open') return answerError(res, 'bad_request');
    if (!connection.source.readBody(req)) {
      connection.guard.close('malformed');
      return answerError(res, 'bad_request');
    }
    let packets = 1;
    req.on('data', (piece: string | Buffer) => {
      for (let at = 0; packets <= mostPackets; packets++) {
        at = piece.indexOf(packetSeparator, at) + 1;
        if (at === 0) return;
      }
      connection.guard.close('flood');
    });
    handOn();
  }

  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, url: URL): void {
    const refusal = this.#admission.refusal(req, url, true);
    if (refusal !== null) {
      if (!refusal.isProbe) this.#onRefusal(reasonOf(refusal.code, req));
      return answerErrorRaw(socket, refusal.code, refusal.retryAfterMs);
    }
    const connection = this.#connections.get(url.searchParams.get('sid') ?? '');
    // Engine.IO would open and close a WebSocket for each such request, without any limit.
    if (connection?.conn.upgrading || connection?.conn.upgraded) return answerErrorRaw(socket, 'bad_request');
    const over = () => this.#admission.over(req);
    socket.on('close', over);
    // Corked, so that the upgrade response and Engine.IO's first packet go out in one write.
    socket.cork();
    setImmediate(() => {
      socket.uncork();
      // Removes the listener, which would keep the request in memory for the life of the connection.
      if (!this.#admission.awaits(req)) socket.off('close', over);
    });
    this.#engine.handleUpgrade(withQuery(req, url), socket, head);
    const websocket = webSocketOf(req);
    if (websocket !== undefined) connection?.guard.watch(websocket);
  }

  /**
   * Closes all connections, evenly spread over a period. Clients reconnect automatically and would otherwise reach the
   * other servers all at once. Each connection is served until it is closed.
   * @param options.over the period in milliseconds
   * @param options.lastPackets the time in milliseconds for a client to receive its queued packets
   */
  async close(drain: Drain, { over, lastPackets }: { over: number; lastPackets: number }): Promise<void> {
    const ends = performance.now() + over;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    const staying = [...this.#connections.values()];
    const share = over / staying.length;
    const leaving: Promise<void>[] = [];
    while (staying.length > 0 && this.#connections.size > 0) {
      const left = ends - performance.now();
      const stay = Math.min(staying.length - 1, share > 0 ? Math.floor(left / share) : 0);
      leaving.push(this.#leave(staying.splice(Math.max(stay, 0)), drain, lastPackets));
      if (staying.length === 0) break;
      const wait = left - staying.length * share;
      await Promise.race([empty, pause(Math.max(wait, shortestPause))]);
    }
    await Promise.all(leaving);
    await this.#io.close();
  }

  /** Waits until the accepted requests of these connections are answered, then closes the connections. */
  async #leave(connections: readonly Open[], drain: Drain, lastPackets: number): Promise<void> {
    await Promise.all(connections.map(({ connection }) => connection && drain.finish(connection)));
    // Lets requests that arrived during the wait be read and rejected.
    await nextTurn();
    const closed = connections.map(({ conn, connection }) => {
      if (connection !== undefined) this.publisher.flush(connection.id);
      if (conn.readyState === 'closed') return undefined;
      const close = new Promise((resolve) => conn.once('close', resolve));
      conn.close();
      return close;
    });
    // Does not wait longer for clients that do not read their queue.
    await Promise.race([Promise.all(closed), pause(lastPackets)]);
  }

  /**
   * Authenticates a connection and sets `socket.data`.
   * @returns null, or why the connection is rejected
   */
  async #authenticate(
    socket: ChatSocket,
    { logins, services, accepted, seen }: Parts,
  ): Promise<ConnectRefusal | null> {
    const { conn } = socket;
    const refuse = (refusal: ConnectRefusal, reason: string): ConnectRefusal => {
      this.#onRefusal({ code: refusal.code, reason, kind: reason });
      return refusal;
    };
    if (services.drain.started) return refuse({ code: 'server_draining' }, 'draining');
    const { session, ticket, guest: secret, name, tags } = socket.handshake.auth;
    const own = { 'auth.session': session, 'auth.ticket': ticket, 'auth.guest': secret };
    for (const [name, value] of Object.entries(own)) {
      // Over polling, later requests would not be bound to this login.
      if (value !== undefined && conn.transport.name !== 'websocket')
        return refuse({ code: 'unauthorized', message: `${name} needs WebSocket` }, `${name} over polling`);
    }
    const guest = secret === undefined ? undefined : { secret, name: name ?? '' };
    const credentials = this.#admission.credentials(conn.request, { session, ticket, guest });
    const { origin } = conn.request.headers;
    const login = await services.traces.below('session.identify', () => logins.identify(credentials));
    if ('code' in login) {
      this.#onRefusal(login);
      return { code: login.code, reason: login.forClient && login.reason };
    }
    if (!this.#admission.isTied(internalsOf(conn).id))
      return refuse({ code: 'session_store_unavailable' }, 'polling started before the site could be read');
    const { user } = login;
    const { chat } = services;
    if (user.banned) seen(user);
    const identity = identityOf(user, chat);
    if (!user.banned) await liftOutranked(chat, identity);
    const banned = chat.directory.banOf(user.id);
    if (user.banned || banned !== null) return refuse({ code: 'forbidden', ban: banned }, 'banned');
    const account = isGuest(user.id) ? this.#admission.accountOf(conn.request) : user.id;
    if (account !== user.id && chat.directory.person(user.id) === undefined) {
      const [known] = await runFor(account, () => chat.history.read.users({ ids: [user.id] }));
      // New guests are limited, because each is stored, and a client can create any number of them.
      const retryAfterMs = known === undefined ? this.#newGuests.take(account) : null;
      if (retryAfterMs !== null)
        return refuse({ code: 'rate_limited', retryAfterMs }, 'too many new guests from one address');
    }
    // Checked only now, because the limit is per user, and only the login identifies the user.
    const release = this.#connectionsOfUser.take(account);
    if (release === null) {
      return refuse(
        { code: 'rate_limited', retryAfterMs: tryAgainAfter },
        'too many connections of one user',
      );
    }
    const open = this.#connections.get(internalsOf(conn).id);
    if (open !== undefined && conn.readyState === 'open') open.release = release;
    else release();
    const connection = await runFor(account, () => connectUser(chat, socket.id, identity, account));
    // A ban during these awaits closed only accepted connections, and this connection was not accepted yet.
    const ban = chat.directory.banOf(user.id);
    if (ban !== null) {
      disconnectUser(chat, connection);
      release();
      return refuse({ code: 'forbidden', ban }, 'banned');
    }
    accepted(connection, { credentials, origin });
    seen(user);
    // Corked, so that Socket.IO's CONNECT packet and `session:ready` go out in one write: see `#welcome`.
    internalsOf(conn).transport.socket?._socket.cork();
    const known = typeof tags === 'string' ? new Set(tags.split(',')) : undefined;
    socket.data = { entering: { login, connection, known } };
    if (open !== undefined && conn.readyState === 'open') open.connection = connection;
    else disconnectUser(chat, connection);
    return null;
  }

  #welcome(socket: ChatSocket, { ready, bans }: Parts, shared: ConnectionParts): void {
    const { entering } = socket.data;
    if (entering === undefined) return;
    const { login, connection } = entering;
    shared.sessionProblems.logProblems(login.handle, login.user);
    const open = this.#connections.get(internalsOf(socket.conn).id);
    // The connection closed in this tick.
    if (open === undefined) return;
    open.accepted = true;
    const { guard, source } = open;
    guard.accept();
    freeHandshake(socket);
    const { id } = connection;
    this.publisher.add(id, socket.conn);
    this.publisher.toConnections([id], 'session:ready', ready(connection, entering));
    for (const removal of bans(connection)) this.publisher.toConnections([id], 'room:removed', removal);
    this.publisher.flush(id);
    internalsOf(socket.conn).transport.socket?._socket.uncork();
    replaceAck(socket, this.#ack);
    const intake = this.#penalties.intake(connection.account, source, guard);
    const { handle } = login;
    const accepted = new Accepted(shared, socket, { connection, intake, guard, handle });
    socket.data = { accepted };
    socket.on('disconnect', left);
    accepted.subscribe(login);
    socket.onAny(requestListener(shared.services, accepted));
  }

  #closed(conn: EngineSocket): void {
    const sid = internalsOf(conn).id;
    const open = this.#connections.get(sid);
    if (open === undefined) return;
    this.#connections.delete(sid);
    open.unbind();
    open.release?.();
    open.source.resume();
    if (open.connection !== undefined && !open.accepted) this.#onLost(open.connection);
    if (this.#connections.size === 0) this.#onEmpty();
  }
}

/**
 * Ends an accepted connection when its socket disconnects. All sockets share this function, because a function for each
 * socket would take memory as long as the connection lives.
 */
function left(this: ChatSocket, reason: string): void {
  this.data.accepted?.left(reason === 'client namespace disconnect');
}

/**
 * Called for each rejection, for the log and the metrics. `reason` contains no secrets, `kind` is the reason without
 * variable details, and `hint` is the fix.
 */
export type OnRefusal = (refusal: Partial<Omit<Refusal, 'code'>> & { code: string }) => void;

interface ConnectRefusal {
  code: ConnectErrorCode;
  message?: string;
  /** Appended to the default message of the code. */
  reason?: string;
  /** With `rate_limited`. */
  retryAfterMs?: number;
  /** With `forbidden`. */
  ban?: Parameters<typeof shownBan>[0] | null;
}

/** What a visitor without a login can do: log in, or enter as a guest. */
type VisitorOptions = { [Name in 'loginUrl' | 'guests']?: ConnectFailure[Name] | undefined };

/** Returns the error that Socket.IO sends as `connect_error`. */
function connectError(
  { code, message, reason, retryAfterMs, ban }: ConnectRefusal,
  { loginUrl, guests }: VisitorOptions = {},
): Error {
  const known = connectErrors[code];
  const data: ConnectFailure = {
    code,
    message: message ?? (reason === undefined ? known.message : known.message.replace(/\.$/, `: ${reason}.`)),
    retryable: known.retryable,
    retryAfterMs,
    ban: ban ? shownBan(ban) : undefined,
    loginUrl: code === 'unauthorized' ? loginUrl : undefined,
    guests: code === 'unauthorized' ? guests : undefined,
  };
  return Object.assign(new Error(code), { data });
}
