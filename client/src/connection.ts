import { io, type Socket } from 'socket.io-client';
import type {
  Answer,
  Answers,
  ClientToServer,
  ConnectFailure,
  EndReason,
  RequestName,
  ServerToClient,
  User,
} from '../../server/events.ts';
import {
  type ConnectionListener,
  type ConnectionState,
  type Ended,
  type Ready,
  RequestError,
  type ServerEvents,
} from './connection-state.ts';
import { originRefused } from './origin-probe.ts';

export type RequestOf<E extends RequestName> = Parameters<ClientToServer[E]>[0];

/** PHP's answer with a renewed cookie may still be on its way: so long is `unauthorized` tried again. */
const RESUME_MS = 5000;
/** The store notifies the end of the old id before PHP has answered with the new one: most pages take no longer than this. */
const FIRST_RESUME_MS = 50;
const REQUEST_MS = 10_000;

/**
 * The one socket, and what is tried when it breaks. Socket.IO's own reconnection is off: after a refused
 * CONNECT or an ended session it does nothing, and it neither tells when it tries next nor tries now.
 */
export class Connection {
  readonly #server: string;
  readonly #listener: ConnectionListener;
  readonly #socket: Socket<ServerToClient, ClientToServer>;
  #transports: ['websocket' | 'polling', 'websocket' | 'polling'] = ['websocket', 'polling'];
  #state: ConnectionState = { kind: 'connecting', since: Date.now() };
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** An attempt is under way that nothing has been heard of. */
  #opening = false;
  #failures = 0;
  /** The origin seems to be refused, which cannot be told for certain: tried again, but not announced. */
  #unwelcome = false;
  #user: User | undefined;
  #lostAt: number | undefined;
  #reason: Ended = 'unauthorized';
  #resume: { until: number; pause: number } | undefined;

  constructor(server: string, listener: ConnectionListener, events: ServerEvents) {
    this.#server = server;
    this.#listener = listener;
    // A path is where a proxy has put the server; to Socket.IO it would be the name of a namespace.
    const { origin, pathname } = new URL(server);
    this.#socket = io(origin, {
      path: `${pathname.replace(/\/$/, '')}/socket.io/`,
      transports: this.#transports,
      tryAllTransports: true,
      withCredentials: true,
      reconnection: false,
      autoConnect: false,
      forceNew: true,
      timeout: REQUEST_MS,
    });
    this.#socket.on('session:ready', (ready) => this.#ready(ready));
    this.#socket.on('session:ended', ({ reason }) => this.#over(reason));
    for (const [name, handle] of Object.entries(events)) {
      // Socket.IO's types cannot follow a name from the table to its payload.
      (this.#socket as Socket).on(name, handle);
    }
    this.#socket.on('disconnect', (reason) => this.#broken(reason));
    this.#socket.on('connect_error', (error) => this.#refused(error));
  }

  get state(): ConnectionState {
    return this.#state;
  }

  start(): void {
    this.#reset();
    this.#user = undefined;
    this.#enter({ kind: 'connecting', since: Date.now() });
    this.#connect();
  }

  stop(): void {
    this.#reset();
    this.#socket.disconnect();
  }

  /** Ends the pause between two attempts. */
  tryNow(): void {
    if ((this.#state.kind !== 'lost' && !this.#unwelcome) || this.#timer === undefined) return;
    this.#connect();
  }

  /** Never buffered: what Socket.IO keeps while offline it would send before the rooms are joined again. */
  async request<E extends RequestName>(name: E, payload: RequestOf<E>): Promise<Answers[E]> {
    if (this.#state.kind !== 'ready' || !this.#socket.connected) throw new RequestError('offline');
    // Socket.IO's types cannot follow the name through to the answer.
    const emitter = this.#socket.timeout(REQUEST_MS) as unknown as {
      emitWithAck(name: string, payload: unknown): Promise<Answer<Answers[E]>>;
    };
    const answer = await emitter.emitWithAck(name, payload).catch(() => {
      throw new RequestError('timeout');
    });
    if (!answer.ok) throw new RequestError(answer.error.code, answer.error);
    return answer.data;
  }

  #ready(ready: Ready): void {
    this.#opening = false;
    if (this.#user !== undefined && this.#user.id !== ready.user.id) return this.#end('user_changed');
    this.#reset();
    this.#user = ready.user;
    this.#enter({ kind: 'ready' });
    this.#listener.ready(ready);
  }

  #over(reason: EndReason): void {
    this.#reason = reason;
    if (reason === 'kicked') this.#end(reason);
    else this.#unauthorized();
  }

  #broken(reason: Socket.DisconnectReason): void {
    this.#opening = false;
    if (this.#state.kind === 'ended' || this.#resume !== undefined || reason === 'io client disconnect')
      return;
    // The server disconnects like this only when a session is over.
    if (reason === 'io server disconnect') this.#unauthorized();
    else this.#retry('network');
  }

  #refused(error: Error & { data?: Partial<ConnectFailure> }): void {
    this.#opening = false;
    if (error.message === 'timeout') this.#swapTransports();
    const code: string | undefined = error.data?.code;
    if (code === 'unauthorized') this.#unauthorized();
    else if (code === 'session_invalid') this.#unreadable();
    else if (code === 'session_store_unavailable') this.#retry('store', error.data?.retryAfterMs);
    else if (code === 'rate_limited') this.#retry('rate', error.data?.retryAfterMs);
    else {
      if (code === undefined && this.#failures === 0) void this.#probe();
      this.#retry('network', error.data?.retryAfterMs);
    }
  }

  /** Hides everything at once, and asks again for a while with the cookie that is held then. */
  #unauthorized(): void {
    if (this.#resume === undefined) {
      this.#resume = { until: Date.now() + RESUME_MS, pause: 200 };
      this.#listener.hide();
      const since = this.#state.kind === 'connecting' ? this.#state.since : Date.now();
      this.#enter({ kind: 'connecting', since });
      this.#socket.disconnect();
      this.#schedule(FIRST_RESUME_MS);
    } else if (!this.#again()) {
      this.#end(this.#reason);
    }
  }

  #unreadable(): void {
    this.stop();
    this.#listener.hide();
    this.#enter({ kind: 'refused', cause: 'invalid' });
  }

  /** While a session is looked for that may only have been renewed: once more, the last time at the end. */
  #again(): boolean {
    const left = (this.#resume?.until ?? 0) - Date.now();
    if (this.#resume === undefined || left <= 0) return false;
    this.#schedule(Math.min(this.#resume.pause, left));
    this.#resume.pause *= 1.6;
    return true;
  }

  #retry(cause: 'network' | 'store' | 'rate', atLeast = 0): void {
    if (this.#again()) return;
    this.#resume = undefined;
    this.#lostAt ??= Date.now();
    // From 1 s to 30 s, spread: after a restart of the server everybody comes back.
    const pause = Math.max(atLeast, Math.min(15_000, 1000 * 2 ** this.#failures++) * (1 + Math.random()));
    if (!this.#unwelcome) {
      this.#enter({ kind: 'lost', cause, since: this.#lostAt, retryAt: Date.now() + pause });
    }
    this.#schedule(pause);
  }

  async #probe(): Promise<void> {
    const verdict = await originRefused(this.#server);
    if (verdict === 'no' || this.#state.kind !== 'lost') return;
    if (verdict === 'refused') this.stop();
    else this.#unwelcome = true;
    this.#enter({ kind: 'refused', cause: 'origin' });
  }

  #end(reason: Ended): void {
    const user = this.#user;
    this.stop();
    this.#listener.hide();
    this.#enter({ kind: 'ended', reason, user });
  }

  #schedule(pause: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), pause);
  }

  #connect(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#state.kind === 'lost') this.#enter({ ...this.#state, retryAt: Date.now() });
    this.#opening = true;
    this.#socket.connect();
    // A proxy may accept a WebSocket and close it at once: Socket.IO's manager would wait for its time-out.
    this.#socket.io.engine.once('close', () => queueMicrotask(() => this.#opening && this.#unopened()));
  }

  #unopened(): void {
    this.#socket.disconnect();
    this.#swapTransports();
    this.#retry('network');
  }

  /** The other transport first the next time: this one does not fail, it hangs. */
  #swapTransports(): void {
    this.#transports = [this.#transports[1], this.#transports[0]];
    this.#socket.io.opts.transports = this.#transports;
  }

  #reset(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#opening = false;
    this.#failures = 0;
    this.#unwelcome = false;
    this.#lostAt = undefined;
    this.#resume = undefined;
    this.#reason = 'unauthorized';
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.#listener.state(state);
  }
}
