import type {
  Answer,
  Answers,
  ClientToServer,
  ConnectFailure,
  EndReason,
  RequestName,
  ServerToClient,
  User,
} from '../../../server/wire/events.ts';
import {
  type ConnectionListener,
  type ConnectionState,
  type Ended,
  type Ready,
  RequestError,
  type ServerEvents,
} from './connection-state.ts';
import { type Closing, Socket } from './socket.ts';

export type RequestOf<E extends RequestName> = Parameters<ClientToServer[E]>[0];

/** PHP's answer with a renewed cookie may still be on its way: so long, and so often, one tries to be let in again. */
const RESUME_MS = 5000;
const RESUME_PAUSES = [50, 250, 500, 1000];
/** After this it is said that the session has ended, whatever becomes of the other attempts. */
const CARD_MS = 1000;
/** A request that has no answer by then is lost, and the connection with it. */
const REQUEST_MS = 10_000;
/** From opening a connection until the server says who one is. */
const ATTEMPT_MS = 12_000;
/** Whether the connection still lives, asked when somebody looks at the page again. */
const PROBE_MS = 3000;
/** If something came from the server so recently, it need not be asked. */
const HEARD_MS = 1000;
/** A timer that comes later than this was asleep with the machine. */
const TICK_MS = 2000;
const ASLEEP_MS = 8000;
/** Between two looks at a session that had ended. */
const LOOK_MS = 2000;
/** A request of the user waits for a connection this many milliseconds. */
const CONNECTING_MS = 10_000;
/** After these, one may be let in again without doing anything in this page. */
const returning: ReadonlySet<Ended> = new Set(['unauthorized', 'logout', 'expired', 'invalid']);

/** The one socket, and what is tried when it breaks. */
export class Connection {
  readonly #server: string;
  readonly #listener: ConnectionListener;
  readonly #socket: Socket;
  #first: 'websocket' | 'polling' = 'websocket';
  #state: ConnectionState = { kind: 'connecting', since: Date.now() };
  /** The next attempt. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The attempt that is under way, without any answer yet. */
  #attempt: { readonly began: number; readonly ends: ReturnType<typeof setTimeout> } | undefined;
  #failures = 0;
  /** How many things that the user has asked for wait for a connection that is tried for. */
  #wanted = 0;
  /** The tasks that wait for a connection. */
  readonly #waiting = new Set<{ resolve(): void; reject(error: RequestError): void }>();
  /** The origin seems to be refused, which cannot be told for certain: tried again when somebody looks. */
  #unwelcome = false;
  #user: User | undefined;
  #begun = Date.now();
  #lostAt: number | undefined;
  /** The session seems over: how often it was tried to be let in again, and when it is said. */
  #resume: { readonly reason: Ended; readonly until: number; tries: number } | undefined;
  #card: ReturnType<typeof setTimeout> | undefined;
  /** The end of a session that was said, while the same user may still be let in again. */
  #said: { readonly reason: Ended; readonly user: User | undefined } | undefined;
  /** Looking for a new session after one has ended; nothing of it is shown. */
  #looking = false;
  #lookedAt = 0;
  #loginUrl: string | undefined;
  #heardAt = 0;
  #probing = false;
  #ticks: ReturnType<typeof setInterval> | undefined;
  #ticked = 0;

  constructor(server: string, listener: ConnectionListener, events: Partial<ServerEvents>) {
    this.#server = server;
    this.#listener = listener;
    const all: Partial<ServerToClient> = {
      ...events,
      'session:ready': (ready) => this.#ready(ready),
      'session:ended': ({ reason }) => this.#over(reason),
    };
    this.#socket = new Socket(server, REQUEST_MS, {
      // Types cannot follow a name from the table to its payload; other names are of a newer server.
      event: (name, payload) =>
        (all as Partial<Record<string, (payload: never) => void>>)[name]?.(payload as never),
      heard: () => {
        this.#heardAt = Date.now();
      },
      refused: (failure) => this.#refused(failure),
      closed: (how) => this.#closed(how),
    });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  start(): void {
    this.#reset();
    this.#user = undefined;
    this.#said = undefined;
    this.#begun = Date.now();
    clearInterval(this.#ticks);
    this.#ticked = Date.now();
    this.#ticks = setInterval(() => this.#tick(), TICK_MS);
    this.#enter({ kind: 'connecting', since: this.#begun });
    this.#connect();
  }

  stop(): void {
    clearInterval(this.#ticks);
    this.#stopWaiting();
    this.#close();
    // The page has heard that the session has ended, and takes the chat away for that.
    this.#certain();
  }

  /**
   * As soon as there is a connection.
   *
   * @param next - over that of the next user, too: else it is `offline` once a session has ended
   */
  ready(next = false): Promise<void> {
    const { kind } = this.#state;
    if (kind === 'ready') return Promise.resolve();
    if (kind === 'ended' && !next) return Promise.reject(new RequestError('offline'));
    return new Promise((resolve, reject) => this.#waiting.add({ resolve, reject }));
  }

  /** As soon as there is a connection, which is tried for at once and again; `offline` where none comes. */
  async connected(): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new RequestError('offline')), CONNECTING_MS);
    this.#wanted++;
    this.tryNow();
    await Promise.race([this.ready(), promise]).finally(() => {
      this.#wanted--;
      clearTimeout(timer);
    });
  }

  /** Ends the pause between two attempts. */
  tryNow(): void {
    if (this.#state.kind !== 'lost' && !this.#unwelcome) return;
    if (this.#attempt !== undefined) {
      // An attempt that hangs since before the network came back would go on hanging.
      if (Date.now() - this.#attempt.began < PROBE_MS) return;
      this.#socket.disconnect();
    }
    this.#connect();
  }

  /** Somebody looks at the page again, or the network or the machine is back. */
  wake(): void {
    const { kind } = this.#state;
    if (kind === 'ready') void this.#probe();
    else if (kind === 'ended') this.#look();
    else this.tryNow();
  }

  /** Never kept for later: it would be sent before the rooms are joined again. */
  async request<E extends RequestName>(
    name: E,
    payload: RequestOf<E>,
    timeout = REQUEST_MS,
  ): Promise<Answers[E]> {
    if (this.#state.kind !== 'ready') throw new RequestError('offline');
    const sent = Date.now();
    const answer = await this.#socket.request(name, payload, timeout).catch((error: RequestError) => {
      if (error.code === 'timeout') this.#unanswered(sent);
      throw error;
    });
    // Types cannot follow the name through to the answer.
    const answered = answer as Answer<Answers[E]>;
    if (!answered.ok) throw new RequestError(answered.error.code, answered.error);
    return answered.data;
  }

  #ready(ready: Ready): void {
    // The first word of a connection that was given up meanwhile.
    if (this.#attempt === undefined) return;
    if (this.#user !== undefined && this.#user.id !== ready.user.id) return this.#end('user_changed');
    this.#reset();
    this.#said = undefined;
    this.#user = ready.user;
    this.#enter({ kind: 'ready' });
    this.#listener.ready(ready);
    for (const { resolve } of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #over(reason: EndReason): void {
    if (reason === 'kicked') this.#end(reason);
    else this.#check(reason);
  }

  #closed(how: Closing): void {
    this.#settled();
    // The other way first the next time. A transport that hangs does not fail, so that no other would be
    // tried after it. A proxy may also accept a WebSocket and close it at once.
    if (how === 'hung' || how === 'unopened')
      this.#first = this.#first === 'polling' ? 'websocket' : 'polling';
    if (how === 'hung' || how === 'failed') this.#refused({});
    // The server disconnects only when a session is over.
    else if (how === 'server' && !this.#looking) this.#check('unauthorized');
    else this.#retry('network');
  }

  #refused({ code, retryAfterMs, loginUrl }: Partial<ConnectFailure>): void {
    this.#settled();
    this.#loginUrl = loginUrl ?? this.#loginUrl;
    const isOver = code === 'unauthorized';
    if (this.#looking) {
      this.#close();
      if (isOver) this.#certain();
      return;
    }
    if (code === 'forbidden') return this.#refuse('banned');
    if (this.#resume !== undefined) return this.#tryAgain(isOver);
    if (isOver) this.#check('unauthorized');
    else if (code === 'session_invalid') this.#refuse('invalid');
    else if (code === 'session_store_unavailable') this.#retry('store', retryAfterMs);
    else if (code === 'rate_limited') this.#retry('many', retryAfterMs);
    else {
      const first = this.#failures === 0;
      this.#retry('network', retryAfterMs);
      if (code === undefined && first) void this.#askForCause();
    }
  }

  /**
   * Hides everything at once, and tries for a while to be let in again with the cookie that is held then. A
   * user who was never let in has nothing to go on with: the server has looked twice for the session.
   */
  #check(reason: Ended): void {
    if (this.#resume !== undefined) {
      this.#socket.disconnect();
      return this.#tryAgain(true);
    }
    if (this.#user === undefined) return this.#end(reason);
    this.#resume = { reason, until: Date.now() + RESUME_MS, tries: 0 };
    this.#listener.hide();
    this.#enter({ kind: 'checking', since: Date.now(), user: this.#user });
    this.#card = setTimeout(() => this.#say(reason), CARD_MS);
    this.#socket.disconnect();
    this.#tryAgain();
  }

  /**
   * Tries once more; the last attempt is when the time is over.
   *
   * @param isOver - whether the server has said so to the attempt before, or that one has not reached it
   */
  #tryAgain(isOver = false): void {
    if (this.#resume === undefined) return;
    const { tries, until, reason } = this.#resume;
    const left = until - Date.now();
    if (left <= 0 || tries > RESUME_PAUSES.length) return this.#end(reason, isOver);
    this.#resume.tries++;
    this.#schedule(Math.min(RESUME_PAUSES[tries] ?? left, left));
  }

  #refuse(cause: 'invalid' | 'banned'): void {
    this.#close();
    this.#said = undefined;
    this.#listener.hide();
    this.#enter({ kind: 'refused', cause });
  }

  #retry(cause: 'network' | 'store' | 'many', atLeast = 0): void {
    if (this.#looking) return this.#close();
    if (this.#resume !== undefined) return this.#tryAgain();
    if (this.#unwelcome) return;
    const first = this.#user === undefined;
    this.#lostAt ??= first ? this.#begun : Date.now();
    // From 1 s to 30 s, spread: after a restart of the server everybody comes back. It does not grow while somebody waits
    // for a connection, which they do for some seconds only.
    const doubled = this.#wanted > 0 ? 0 : this.#failures;
    const pause = Math.max(atLeast, Math.min(15_000, 1000 * 2 ** doubled) * (1 + Math.random()));
    this.#failures++;
    this.#enter({ kind: 'lost', cause, since: this.#lostAt, retryAt: Date.now() + pause, first });
    this.#schedule(pause);
  }

  /** A server that does not answer is lost, even where the connection to it still stands. */
  #unanswered(since: number): void {
    this.#lostAt = since;
    this.#socket.disconnect();
    this.#retry('network');
  }

  async #probe(): Promise<void> {
    if (this.#probing || Date.now() - this.#heardAt < HEARD_MS) return;
    this.#probing = true;
    // Any answer will do, and none is what `request` sees to.
    await this.request('room:list', { limit: 1 }, PROBE_MS).catch(() => {});
    this.#probing = false;
  }

  /** After the end of a session somebody may have logged in again, in another tab. */
  #look(): void {
    const { state } = this;
    if (state.kind !== 'ended' || !returning.has(state.reason)) return;
    if (this.#resume !== undefined || this.#looking || Date.now() - this.#lookedAt < LOOK_MS) return;
    this.#looking = true;
    this.#lookedAt = Date.now();
    // The next user begins with an empty chat.
    this.#user = undefined;
    this.#connect();
  }

  /** Timers do not run while the machine sleeps; those of a hidden page are late, too, but nobody looks at it. */
  #tick(): void {
    const late = Date.now() - this.#ticked > TICK_MS + ASLEEP_MS;
    this.#ticked = Date.now();
    if (late && !document.hidden) this.wake();
  }

  async #askForCause(): Promise<void> {
    const lostAt = this.#lostAt;
    const verdict = await import('./origin-probe.ts').then(
      ({ causeOfRefusal }) => causeOfRefusal(this.#server),
      // Not even that can be had from the server.
      () => ({ kind: 'no' }) as const,
    );
    // There may have been a connection meanwhile, which was lost for another reason.
    if (verdict.kind === 'no' || this.#state.kind !== 'lost' || this.#lostAt !== lostAt) return;
    if (verdict.kind === 'limited') {
      if (this.#attempt === undefined) this.#retry('many', verdict.retryAfterMs);
      return;
    }
    this.#close();
    this.#unwelcome = verdict.kind === 'likely';
    this.#enter({ kind: 'refused', cause: 'origin' });
  }

  #end(reason: Ended, isCertain = true): void {
    const isSaid = this.#state.kind === 'ended' && this.#state.reason === reason;
    this.#close();
    if (!isSaid) {
      this.#listener.hide();
      this.#say(reason);
    }
    if (isCertain) this.#certain();
  }

  /** Says that the session has ended, perhaps while it is still tried to be let in again. */
  #say(reason: Ended): void {
    const user = this.#user;
    this.#said = { reason, user };
    this.#enter({ kind: 'ended', reason, user, loginUrl: this.#loginUrl });
  }

  /** No session follows the one whose end was said. */
  #certain(): void {
    const said = this.#said;
    this.#said = undefined;
    // Privacy outranks unsent text: the next user of this browser must not find it.
    if (said?.user !== undefined && (said.reason === 'logout' || said.reason === 'user_changed'))
      this.#listener.over(said.user);
  }

  #close(): void {
    this.#reset();
    this.#socket.disconnect();
  }

  #schedule(pause: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), pause);
  }

  #connect(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#state.kind === 'lost') this.#enter({ ...this.#state, retryAt: Date.now() });
    this.#settled();
    this.#attempt = { began: Date.now(), ends: setTimeout(() => this.#abandon(), ATTEMPT_MS) };
    // Each way that fails is an error in the console. A server that was there is more likely away than out of reach of
    // the way that worked: the other way is for every second attempt.
    this.#socket.connect(this.#first, this.#failures % 2 === 0);
  }

  /** The connection was opened, and then the server said nothing. */
  #abandon(): void {
    this.#socket.disconnect();
    this.#settled();
    this.#retry('network');
  }

  /** No attempt is under way. */
  #settled(): void {
    clearTimeout(this.#attempt?.ends);
    this.#attempt = undefined;
  }

  #reset(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#card);
    this.#timer = undefined;
    this.#settled();
    this.#failures = 0;
    this.#unwelcome = false;
    this.#lostAt = undefined;
    this.#resume = undefined;
    this.#looking = false;
  }

  #stopWaiting(): void {
    for (const { reject } of this.#waiting) reject(new RequestError('offline'));
    this.#waiting.clear();
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    if (state.kind === 'ended' || state.kind === 'refused') this.#stopWaiting();
    this.#listener.state(state);
  }
}
