import { serverAddress } from './server-address.ts';
import { storedValue } from './stored-value.ts';

/** A message to the browser's other pages about the unread count of a chat server. */
type Told =
  /** `live`: the count is from a connected chat, which also reports the next one. */
  { readonly count: number; readonly live: boolean } | 'ask';

const MINUTE = 60_000;
/** Other pages have this time to respond. They respond within a few milliseconds. */
const ANSWER_MS = 100;
/**
 * A count that another page received this recently is used, so that several pages that open at once send one request.
 */
const SAME_MS = 2000;
/** When the user returns to the page, an older count is requested again. */
const FRESH_MS = 5000;
const TIMEOUT_MS = 10_000;
/** The delay before the next request after a failed request. */
const REFUSED_MS = 5 * MINUTE;

/**
 * The unread count of one chat server. A connected chat reports it to all pages of the browser. Without one, a visible
 * page requests it from the server for all pages.
 */
export class Unread {
  static readonly #servers = new Map<string, Unread>();

  readonly #server: string;
  readonly #watchers = new Set<(count: number) => void>();
  /** The counts of the connected chats in this page. */
  readonly #chats = new Map<object, number>();
  #channel: BroadcastChannel | undefined;
  #known = 0;
  /** The time at which `#known` was received. */
  #at = 0;
  /** Whether `#known` is from a connected chat in another page. */
  #live = false;
  #tick: ReturnType<typeof setInterval> | undefined;
  #stop = new AbortController();
  #asking = false;
  #ticketUrl: string | undefined;
  /** The time of the last failed request. */
  #refused = 0;

  private constructor(server: string) {
    this.#server = server;
  }

  /** Returns the instance for the server of an element, which all elements of the page share. */
  static of(element: Element): Unread {
    const server = serverAddress(element);
    const unread = Unread.#servers.get(server) ?? new Unread(server);
    Unread.#servers.set(server, unread);
    unread.#ticketUrl ??= element.getAttribute('ticket-url') ?? undefined;
    return unread;
  }

  /** Calls `watcher` now and after each change, until the returned function is called. */
  watch(watcher: (count: number) => void): () => void {
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1) this.#begin();
    watcher(this.count);
    return () => {
      if (this.#watchers.delete(watcher) && this.#watchers.size === 0) this.#end();
    };
  }

  get count(): number {
    const [own] = this.#chats.values();
    return own ?? this.#known;
  }

  /** Reports the count of a connected chat in this page. */
  live(chat: object, count: number): void {
    this.#chats.set(chat, count);
    this.#open();
    this.#tell(count, true);
    this.#told();
  }

  /** A chat of this page was closed, or its session ended. */
  gone(chat: object): void {
    const count = this.#chats.get(chat);
    if (count === undefined) return;
    this.#chats.delete(chat);
    this.#learn(count);
    this.#tell(count, false);
    this.#close();
  }

  #begin(): void {
    this.#open();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const look = () => void this.#look(FRESH_MS);
    addEventListener('focus', look, { signal });
    document.addEventListener('visibilitychange', look, { signal });
    this.#tick = setInterval(() => void this.#look(MINUTE - FRESH_MS), MINUTE);
    void this.#look(SAME_MS);
  }

  #end(): void {
    this.#stop.abort();
    clearInterval(this.#tick);
    this.#close();
  }

  #open(): void {
    if (this.#channel !== undefined) return;
    try {
      this.#channel = new BroadcastChannel(`php-chat ${this.#server}`);
      this.#channel.onmessage = ({ data }: MessageEvent<Told>) => this.#heard(data);
    } catch {
      // Some browsers forbid channels together with storage.
    }
  }

  #close(): void {
    if (this.#watchers.size > 0 || this.#chats.size > 0) return;
    this.#channel?.close();
    this.#channel = undefined;
    this.#live = false;
  }

  #tell(count: number, live: boolean): void {
    this.#channel?.postMessage({ count, live } satisfies Told);
  }

  #heard(told: Told): void {
    if (told !== 'ask') {
      // Any script of the site can post here.
      if (typeof told?.count !== 'number') return;
      this.#live = told.live;
      this.#learn(told.count);
      return;
    }
    const live = this.#chats.size > 0;
    if (live || isWithin(SAME_MS, this.#at)) this.#tell(this.count, live);
  }

  #learn(count: number): void {
    this.#known = count;
    this.#at = Date.now();
    this.#told();
  }

  #told(): void {
    for (const watcher of this.#watchers) watcher(this.count);
  }

  /** Asks the other pages and then the server, unless the count is younger than `fresh` milliseconds. */
  async #look(fresh: number): Promise<void> {
    if (document.hidden || this.#chats.size > 0 || this.#asking) return;
    if (isWithin(fresh, this.#at) || isWithin(REFUSED_MS, this.#refused)) return;
    this.#asking = true;
    try {
      this.#live = false;
      this.#channel?.postMessage('ask' satisfies Told);
      await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
      const answered = () => this.#live || isWithin(SAME_MS, this.#at);
      if (!answered()) await this.#first(async () => void (answered() || (await this.#ask())));
    } catch {
      // The last count stays.
      this.#refused = Date.now();
    } finally {
      this.#asking = false;
    }
  }

  /**
   * Sends the request, unless another page is doing so and will share its response. Like `withLock`, which is part of the
   * chat's code, so the page's script cannot import it.
   */
  async #first(ask: () => Promise<void>): Promise<void> {
    // Only pages over https (and on localhost) have locks, and sandboxed frames may not use them.
    let begun = false;
    try {
      await navigator.locks.request(
        `php-chat unread ${this.#server}`,
        { ifAvailable: true },
        async (lock) => {
          begun = true;
          if (lock !== null) await ask();
        },
      );
    } catch (error) {
      if (begun) throw error;
      await ask();
    }
  }

  async #ask(): Promise<void> {
    // For its own origin, an insecure page sends neither `Origin` nor `Sec-Fetch-Site`. The server would refuse, and
    // the browser would log an error.
    if (!isSecureContext && this.#server.startsWith(`${origin}/`)) return;
    const guest = storedValue(this.#server, 'guest');
    // The cookie is enough, except for a login by ticket and a guest.
    const login = this.#ticketUrl || guest ? await import('./login-header.ts') : undefined;
    const answer = await fetch(new URL('me', this.#server), {
      credentials: 'include',
      headers: await login?.loginHeader(this.#ticketUrl, guest),
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error();
    const { unread = 0, user } = (await answer.json()) as { unread?: number; user?: { id: string } };
    login?.leaveGuest(guest, user);
    this.#learn(unread);
    this.#tell(unread, false);
  }
}

/** Whether less than `ms` have passed since a time. If the clock was set back, the time may be in the future. */
const isWithin = (ms: number, since: number) => Math.abs(Date.now() - since) < ms;

/** Creates the visible count, or nothing at 0. It is hidden from screen readers, which read a text next to it. */
export function unreadNumber(count: number, className: string): Node | '' {
  if (count === 0) return '';
  const number = document.createElement('span');
  number.className = className;
  number.ariaHidden = 'true';
  number.textContent = count > 99 ? '99+' : String(count);
  return number;
}
