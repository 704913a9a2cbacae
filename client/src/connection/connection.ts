import type {
  Answer,
  Answers,
  ClientToServer,
  ConnectFailure,
  EndReason,
  RequestName,
  RoomSummary,
  ServerToClient,
  SiteBan,
  User,
} from '../../../server/wire/events.ts';
import { Clock } from './clock.ts';
import {
  type ConnectionListener,
  type ConnectionState,
  type Ended,
  type Ready,
  RequestError,
  type ServerEvents,
} from './connection-state.ts';
import type { GuestPass } from './guest-pass.ts';
import { type Closing, Socket } from './socket.ts';
import type { Tickets } from './tickets.ts';

export type RequestOf<E extends RequestName> = Parameters<ClientToServer[E]>[0];

/**
 * The time limit and the delays of attempts to resume a session that may have ended. PHP's response with the renewed
 * cookie may still be in flight.
 */
const RESUME_MS = 5000;
const RESUME_PAUSES = [50, 250, 500, 1000];
/** The first delay of a reconnect is a random one between this and twice this. */
const FIRST_RETRY_MS = 1000;
/** After this time the view shows the end of the session, while the retries continue. */
const CARD_MS = 1000;
/** A request without a response in this time has failed, and the connection counts as lost. */
const REQUEST_MS = 10_000;
/** The timeout of a connection attempt, including its ticket, until `session:ready`. */
const ATTEMPT_MS = 12_000;
/** The timeout of the check whether the connection still works, when the user returns to the page. */
const PROBE_MS = 3000;
/** If the server sent something this recently, the check is not needed. */
const HEARD_MS = 1000;
/** If a tick is more than `ASLEEP_MS` late, the machine was asleep. */
const TICK_MS = 2000;
const ASLEEP_MS = 8000;
/** The cause of failed attempts is asked for at the first, and again after this number. */
const CAUSE_EVERY = 4;
/** After the end of a session: the minimum time between two checks for a new one. */
const LOOK_MS = 2000;
/** After the end of a session: the delay before the next request for a ticket, if the site did not respond. */
const SITE_MS = 5000;
/** A user's request waits this long for a connection. */
const CONNECTING_MS = 10_000;
/** After these endings, the user may be admitted again without an action in this page. */
const returning: ReadonlySet<Ended> = new Set(['unauthorized', 'logout', 'expired', 'invalid']);

/** Owns the socket, reconnects it, and checks whether a lost session is still valid. */
export class Connection {
  readonly #server: string;
  readonly #listener: ConnectionListener;
  readonly #socket: Socket;
  readonly clock = new Clock();
  #first: 'websocket' | 'polling' = 'websocket';
  #state: ConnectionState = { kind: 'connecting', since: performance.now() };
  /** The timer of the next attempt. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The attempt in progress, which has no response yet. */
  #attempt: { readonly began: number; readonly ends: ReturnType<typeof setTimeout> } | undefined;
  #failures = 0;
  /** The number of user requests that wait in `connected`. */
  #wanted = 0;
  /** Callers of `ready` that wait for a connection. */
  readonly #waiting = new Set<{ resolve(): void; reject(error: RequestError): void }>();
  /**
   * The server probably refuses the page's origin, but this cannot be verified. Retried when the user returns to the
   * page.
   */
  #unwelcome = false;
  #user: User | undefined;
  #begun = performance.now();
  #lostAt: number | undefined;
  /**
   * Set while the session seems over and authentication is retried: the reason, the end of the retries and their
   * number.
   */
  #resume: { readonly reason: Ended; readonly until: number; tries: number } | undefined;
  #card: ReturnType<typeof setTimeout> | undefined;
  /** The session end that was reported, while the same user may still be admitted again. */
  #said: { readonly reason: Ended; readonly user: User | undefined } | undefined;
  /** Whether the client is checking for a new session after the end of one. The view does not show this. */
  #looking = false;
  #lookedAt = -Infinity;
  #loginUrl: string | undefined;
  /** By the server's clock, which counts sleep and is never set back. */
  #heardAt = 0;
  #probing = false;
  #ticks: ReturnType<typeof setInterval> | undefined;
  #ticked = 0;
  /** Undefined if the server reads the site's logins. */
  readonly #ticketUrl: string | undefined;
  #tickets: Tickets | undefined;
  /** The `access` of file URLs, for logins by ticket and guests. */
  fileAccess: string | undefined;
  /** The rooms of the last `session:ready` by their tag. The server omits those that have not changed since. */
  #rooms: ReadonlyMap<string, RoomSummary> = new Map();

  /** Undefined in parts that are only for users with a login. */
  readonly #pass: GuestPass | undefined;

  /**
   * @param ticketUrl - where the site issues tickets
   * @param pass - the guest of this browser
   */
  constructor(
    server: string,
    listener: ConnectionListener,
    events: Partial<ServerEvents>,
    { ticketUrl, pass }: { ticketUrl?: string | undefined; pass?: GuestPass } = {},
  ) {
    this.#server = server;
    this.#pass = pass;
    this.#ticketUrl = ticketUrl;
    this.#listener = listener;
    const all: Partial<ServerToClient> = {
      ...events,
      'session:ready': (ready) => this.#ready(ready),
      'session:ended': ({ reason, ban }) => this.#over(reason, ban),
    };
    this.#socket = new Socket(server, REQUEST_MS, {
      // The types cannot link an event's name to its payload. Unknown names come from a newer server and are ignored.
      event: (name, payload) =>
        (all as Partial<Record<string, (payload: never) => void>>)[name]?.(payload as never),
      heard: () => {
        this.#heardAt = this.clock.now;
      },
      refused: (failure) => this.#refused(failure),
      closed: (how) => this.#closed(how),
    });
  }

  /** The ticket for HTTP requests. Undefined if their cookie is enough. */
  get ticket(): string | undefined {
    return this.#tickets?.current;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The login page that the server named. Undefined if the visitor was admitted at once. */
  get loginUrl(): string | undefined {
    return this.#loginUrl;
  }

  start(): void {
    this.#reset();
    this.#user = undefined;
    this.#said = undefined;
    this.#pass?.restart();
    this.#begun = performance.now();
    clearInterval(this.#ticks);
    this.#ticked = this.clock.now;
    this.#ticks = setInterval(() => this.#tick(), TICK_MS);
    this.#enter({ kind: 'connecting', since: this.#begun });
    this.#connect();
  }

  stop(): void {
    clearInterval(this.#ticks);
    this.#stopWaiting();
    this.#close();
    this.#tickets?.stop();
    // Until the next start, another user may log in to the site.
    this.#tickets = undefined;
    // The page may remove the chat because its session ended. A reported end is final then.
    this.#certain();
  }

  /**
   * Resolves when there is a connection. Fails with `offline` if the session ends or the server refuses the user.
   *
   * @param next - if the session has ended already, waits for the next login instead of failing
   */
  ready(next = false): Promise<void> {
    const { kind } = this.#state;
    if (kind === 'ready') return Promise.resolve();
    if (kind === 'ended' && !next) return Promise.reject(new RequestError('offline'));
    return new Promise((resolve, reject) => this.#waiting.add({ resolve, reject }));
  }

  /**
   * Resolves when there is a connection. Tries to connect at once, and fails like `ready`, or after `CONNECTING_MS`.
   */
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

  /** Connects now instead of waiting for the next attempt. */
  tryNow(): void {
    if (this.#state.kind !== 'lost' && !this.#unwelcome) return;
    if (this.#attempt !== undefined) {
      // An attempt that began before the network came back may hang, so a new one is started.
      if (performance.now() - this.#attempt.began < PROBE_MS) return;
      this.#socket.disconnect();
    }
    this.#connect();
  }

  /** Called when the user returns to the page, when the network is back, or when the machine wakes up. */
  wake(): void {
    const { kind } = this.#state;
    if (kind === 'ready') void this.#probe();
    else if (kind === 'ended') this.#look();
    else this.tryNow();
  }

  /**
   * Sends a request. Fails with `offline` instead of queueing it, because a queued request would be sent before the
   * rooms are joined again.
   */
  async request<E extends RequestName>(
    name: E,
    payload: RequestOf<E>,
    timeout = REQUEST_MS,
  ): Promise<Answers[E]> {
    if (this.#state.kind !== 'ready') throw new RequestError('offline');
    const sent = performance.now();
    const answer = await this.#socket.request(name, payload, timeout).catch((error: RequestError) => {
      if (error.code === 'timeout') this.#unanswered(sent);
      throw error;
    });
    // The types cannot link a request's name to its response.
    const answered = answer as Answer<Answers[E]>;
    if (!answered.ok) throw new RequestError(answered.error.code, answered.error);
    return answered.data;
  }

  #ready(ready: Ready): void {
    // The attempt that this event belongs to was given up.
    if (this.#attempt === undefined) return;
    if (this.#user !== undefined && this.#user.id !== ready.user.id) return this.#end('user_changed');
    this.#reset();
    this.clock.set(ready.serverTime);
    this.#heardAt = this.#ticked = this.clock.now;
    this.#said = undefined;
    this.#user = ready.user;
    this.#pass?.admitted(ready.user.id);
    this.fileAccess = ready.fileAccess;
    this.#tickets?.start();
    this.#enter({ kind: 'ready' });
    this.#listener.ready({ ...ready, rooms: this.#listed(ready) });
    for (const { resolve } of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** Returns all listed rooms, with those that the server omitted. */
  #listed({ rooms, tags }: Ready): RoomSummary[] {
    if (tags === undefined) return rooms;
    const sent = rooms.values();
    const byTag = tags.map((tag) => [tag, this.#rooms.get(tag) ?? sent.next().value] as const);
    this.#rooms = new Map(byTag.filter((entry): entry is [string, RoomSummary] => entry[1] !== undefined));
    return [...this.#rooms.values()];
  }

  #over(reason: EndReason, ban: SiteBan | undefined): void {
    if (reason === 'kicked') this.#end(reason, true, ban);
    else this.#check(reason);
  }

  #closed(how: Closing): void {
    const isUnanswered = this.#attempt !== undefined;
    this.#settled();
    // Use the other transport first next time. A transport that hangs does not fail, so the other one would never be
    // tried. A proxy may also accept a WebSocket and close it at once.
    if (how === 'hung' || how === 'unopened')
      this.#first = this.#first === 'polling' ? 'websocket' : 'polling';
    // On its own origin, a page that the server rejects can open polling, but not send.
    if (how === 'hung' || how === 'failed' || (how === 'broken' && isUnanswered)) this.#refused({});
    // The server disconnects only when a session is over.
    else if (how === 'server' && !this.#looking) this.#check('unauthorized');
    else this.#retry('network');
  }

  #refused({ code, retryAfterMs, loginUrl, guests, ban }: Partial<ConnectFailure>): void {
    this.#settled();
    this.#loginUrl = loginUrl ?? this.#loginUrl;
    const again = this.#pass?.refused(code, guests);
    if (again === 'now') return this.#connect();
    if (again === 'later' && !this.#looking) return this.#retry('network');
    // The server may refuse a ticket that it accepted before, for example because its key changed. The site decides
    // with a new ticket whether the user is still logged in.
    const isOld = (code === 'unauthorized' || code === 'session_invalid') && this.#tickets?.discard();
    if (isOld && !this.#looking && this.#resume === undefined) return this.#connect();
    const isOver = code === 'unauthorized';
    if (this.#looking) {
      this.#close();
      if (isOver) this.#certain();
      return;
    }
    if (code === 'forbidden') return this.#refuse('banned', ban);
    if (this.#resume !== undefined) return this.#tryAgain(isOver);
    if (isOver) this.#check('unauthorized');
    else if (code === 'session_invalid') this.#refuse('invalid');
    else if (code === 'session_store_unavailable') this.#retry('store', retryAfterMs);
    else if (code === 'rate_limited') this.#retry('many', retryAfterMs);
    else {
      // Not only at the first failure, because a server may restart with other settings.
      const isDue = this.#failures % CAUSE_EVERY === 0;
      this.#retry('network', retryAfterMs);
      if (code === undefined && isDue) void this.#askForCause();
    }
  }

  /**
   * Hides everything at once, and retries for a while with the current cookie. There is no retry for a user who was
   * never admitted, because the server already looked up the session twice.
   */
  #check(reason: Ended): void {
    if (this.#resume !== undefined) {
      this.#socket.disconnect();
      return this.#tryAgain(true);
    }
    if (this.#user === undefined) return this.#end(reason);
    this.#resume = { reason, until: performance.now() + RESUME_MS, tries: 0 };
    this.#listener.hide();
    this.#enter({ kind: 'checking', since: performance.now(), user: this.#user });
    this.#card = setTimeout(() => this.#say(reason), CARD_MS);
    this.#socket.disconnect();
    this.#tryAgain();
  }

  /**
   * Schedules the next retry. The last one is at the end of `RESUME_MS`.
   *
   * @param isOver - whether the server confirmed the end in the last attempt
   */
  #tryAgain(isOver = false): void {
    if (this.#resume === undefined) return;
    const { tries, until, reason } = this.#resume;
    const left = until - performance.now();
    if (left <= 0 || tries > RESUME_PAUSES.length) return this.#end(reason, isOver);
    this.#resume.tries++;
    this.#schedule(Math.min(RESUME_PAUSES[tries] ?? left, left));
  }

  #refuse(cause: 'invalid' | 'banned', ban?: SiteBan): void {
    this.#close();
    this.#said = undefined;
    this.#rooms = new Map();
    this.#listener.hide();
    this.#enter({ kind: 'refused', cause, ban });
  }

  #retry(cause: 'network' | 'store' | 'many', atLeast = 0): void {
    if (this.#looking) return this.#close();
    if (this.#resume !== undefined) return this.#tryAgain();
    if (this.#unwelcome) return;
    const first = this.#user === undefined;
    this.#lostAt ??= first ? this.#begun : performance.now();
    // 1 to 30 seconds at random, because all clients reconnect after a restart of the server. The delay does not grow
    // while a user's request waits, which lasts at most `CONNECTING_MS`.
    const doubled = this.#wanted > 0 ? 0 : this.#failures;
    const pause = Math.max(atLeast, Math.min(15_000, FIRST_RETRY_MS * 2 ** doubled) * (1 + Math.random()));
    this.#failures++;
    this.#enter({ kind: 'lost', cause, since: this.#lostAt, retryAt: performance.now() + pause, first });
    this.#schedule(pause);
  }

  /** Treats the connection as lost after an unanswered request, even if the socket is still open. */
  #unanswered(since: number): void {
    this.#lostAt = since;
    this.#socket.disconnect();
    this.#retry('network');
  }

  async #probe(): Promise<void> {
    if (this.#probing || this.clock.now - this.#heardAt < HEARD_MS) return;
    this.#probing = true;
    // Any response is enough. `request` handles a missing one.
    await this.request('room:list', { limit: 1 }, PROBE_MS).then(
      () => this.clock.awake(),
      () => {},
    );
    this.#probing = false;
  }

  /** Checks for a new session after the end of one. The user may have logged in again in another tab. */
  #look(): void {
    const { state } = this;
    if (state.kind !== 'ended' || !returning.has(state.reason)) return;
    if (this.#resume !== undefined || this.#looking || performance.now() - this.#lookedAt < LOOK_MS) return;
    this.#looking = true;
    this.#lookedAt = performance.now();
    // Any user may log in now, because the chat is already empty.
    this.#user = undefined;
    this.#connect();
  }

  /**
   * Detects that the machine was asleep, because timers do not run then, or that its clock was set forward. A hidden page
   * is ignored, because its timers are also late.
   */
  #tick(): void {
    const late = this.clock.now - this.#ticked > TICK_MS + ASLEEP_MS;
    this.#ticked = this.clock.now;
    if (late && !document.hidden) this.wake();
  }

  async #askForCause(): Promise<void> {
    const lostAt = this.#lostAt;
    const verdict = await import('./origin-probe.ts').then(
      ({ causeOfRefusal }) => causeOfRefusal(this.#server),
      // The server did not deliver the code of the probe either.
      () => ({ kind: 'no' }) as const,
    );
    // The connection may have been restored and lost again for another reason.
    if (verdict.kind === 'no' || this.#state.kind !== 'lost' || this.#lostAt !== lostAt) return;
    if (verdict.kind === 'limited') {
      if (this.#attempt === undefined) this.#retry('many', verdict.retryAfterMs);
      return;
    }
    this.#close();
    this.#unwelcome = verdict.kind === 'likely';
    this.#enter({ kind: 'refused', cause: 'origin' });
  }

  #end(reason: Ended, isCertain = true, ban?: SiteBan): void {
    const isSaid = this.#state.kind === 'ended' && this.#state.reason === reason;
    this.#close();
    this.#rooms = new Map();
    if (!isSaid) {
      this.#listener.hide();
      this.#say(reason, ban);
    }
    if (isCertain) this.#certain();
  }

  /** Reports the end of the session, possibly while retries continue. */
  #say(reason: Ended, ban?: SiteBan): void {
    const user = this.#user;
    this.#said = { reason, user };
    this.#enter({ kind: 'ended', reason, user, loginUrl: this.#loginUrl, guests: this.#pass?.offered, ban });
  }

  /** The reported session end is final. After a logout or a change of user, the user's data is deleted. */
  #certain(): void {
    const said = this.#said;
    this.#said = undefined;
    // Privacy is more important than unsent text, so the next user of this browser must not find it.
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
    if (this.#state.kind === 'lost') this.#enter({ ...this.#state, retryAt: performance.now() });
    this.#settled();
    this.#attempt = { began: performance.now(), ends: setTimeout(() => this.#abandon(), ATTEMPT_MS) };
    if (this.#ticketUrl === undefined) this.#connectByCookie();
    else void this.#connectWithTicket(this.#ticketUrl, this.#attempt);
  }

  /**
   * Connects the user of the cookie, or else the guest of this browser. Each failed transport logs an error in the
   * console, so only every second attempt tries both.
   */
  #connectByCookie(): void {
    const auth = this.#pass?.auth(this.#failures);
    if (auth === undefined) this.#open(this.#first, this.#failures % 2 === 0);
    else if (auth === 'polling') this.#open('polling');
    else this.#open('websocket', false, auth);
  }

  #open(first: 'websocket' | 'polling', both = false, auth?: object): void {
    this.#socket.connect(first, both, { ...auth, tags: [...this.#rooms.keys()].join() });
  }

  async #connectWithTicket(url: string, attempt: object): Promise<void> {
    const ticket = await this.#takeTicket(url).catch(() => undefined);
    if (attempt !== this.#attempt) return;
    if (ticket === null) {
      // The user is logged out of the site. The server answers whether the visitor may be a guest.
      if (this.#resume === undefined && !this.#looking) return this.#connectByCookie();
      return this.#refused({ code: 'unauthorized' });
    }
    // The server accepts tickets only over WebSocket.
    if (ticket !== undefined) return this.#open('websocket', false, { ticket });
    this.#settled();
    this.#retry('network');
    // Only the site knows whether the user is logged in.
    if (this.#state.kind === 'ended' && this.#resume === undefined)
      this.#timer = setTimeout(() => this.#look(), SITE_MS);
  }

  async #takeTicket(url: string): Promise<string | null> {
    const { Tickets } = await import('./tickets.ts');
    this.#tickets ??= new Tickets(url, {
      renew: (ticket) => this.#renew(ticket),
      loggedOut: () => this.#check('logout'),
    });
    return this.#tickets.take();
  }

  /** Replaces the ticket of the open connection. @returns whether the server accepted the new one */
  async #renew(ticket: string): Promise<boolean> {
    try {
      this.fileAccess = (await this.request('session:renew', { ticket })).fileAccess;
      this.#listener.renewed?.();
      return true;
    } catch (error) {
      if ((error as RequestError).code === 'forbidden') {
        // Another user logged in to the site, so the current ticket must not be used again.
        this.#tickets?.discard();
        this.#check('user_changed');
      }
      return false;
    }
  }

  /** The server did not send `session:ready` in time. */
  #abandon(): void {
    this.#socket.disconnect();
    this.#settled();
    this.#retry('network');
  }

  /** Ends the attempt in progress. */
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
    if (state.kind !== 'ready') this.#tickets?.stop();
    if (state.kind === 'ended' || state.kind === 'refused') this.#stopWaiting();
    this.#listener.state(state);
  }
}
