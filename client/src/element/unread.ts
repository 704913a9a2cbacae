/** The pages of a browser tell each other this about a chat server. */
type Told =
  /** `live`: by a connected chat, which knows it at once; else from the server, at that time. */
  { readonly count: number; readonly live: boolean; readonly at: number } | 'ask';

const MINUTE = 60_000;
/** Other pages are waited for this many milliseconds; they answer within a few. */
const ANSWER_MS = 100;
/** An answer that another page got in this time is as good as one's own: several pages that open at once ask once. */
const SAME_MS = 2000;
/** The page was looked at again: so old an answer may be. */
const FRESH_MS = 5000;
const TIMEOUT_MS = 10_000;
/** A server that did not answer, or refused to, is left alone for this many milliseconds. */
const REFUSED_MS = 5 * MINUTE;

/**
 * The unread totals of one chat server. A chat that is open tells it all pages of the browser. As long as none
 * is, one visible page asks the server for all of them.
 */
export class Unread {
  static readonly #servers = new Map<string, Unread>();

  readonly #server: string;
  readonly #watchers = new Set<(count: number) => void>();
  /** The chats of this page. */
  readonly #chats = new Map<object, number>();
  #channel: BroadcastChannel | undefined;
  #known = 0;
  /** When `#known` was true. */
  #at = Number.NEGATIVE_INFINITY;
  /** Of another page's chat. */
  #live = false;
  #tick: ReturnType<typeof setInterval> | undefined;
  #stop = new AbortController();
  #asking = false;
  #notBefore = 0;

  private constructor(server: string) {
    this.#server = server;
  }

  /** The same for all elements of the page. */
  static at(server: string): Unread {
    let unread = Unread.#servers.get(server);
    if (unread === undefined) {
      unread = new Unread(server);
      Unread.#servers.set(server, unread);
    }
    return unread;
  }

  /** Tells the number now and whenever it changes, until the returned function is called. */
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

  /** A connected chat of this page says what it has. */
  live(chat: object, count: number): void {
    this.#chats.set(chat, count);
    this.#open();
    this.#tell(count, true, Date.now());
    this.#told();
  }

  /** It is closed. */
  gone(chat: object): void {
    const count = this.#chats.get(chat);
    if (count === undefined) return;
    this.#chats.delete(chat);
    this.#learn(count, Date.now());
    this.#tell(count, false, this.#at);
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
    this.#channel = new BroadcastChannel(`php-chat ${this.#server}`);
    this.#channel.onmessage = ({ data }: MessageEvent<Told>) => this.#heard(data);
  }

  #close(): void {
    if (this.#watchers.size > 0 || this.#chats.size > 0) return;
    this.#channel?.close();
    this.#channel = undefined;
    this.#live = false;
  }

  #tell(count: number, live: boolean, at: number): void {
    this.#channel?.postMessage({ count, live, at } satisfies Told);
  }

  #heard(told: Told): void {
    if (told !== 'ask') {
      // Any script of the site can post here.
      if (typeof told?.count !== 'number' || typeof told.at !== 'number') return;
      this.#live = told.live;
      this.#learn(told.count, told.at);
      return;
    }
    const live = this.#chats.size > 0;
    const at = live ? Date.now() : this.#at;
    if (Date.now() - at < SAME_MS) this.#tell(this.count, live, at);
  }

  #learn(count: number, at: number): void {
    this.#known = count;
    this.#at = at;
    this.#told();
  }

  #told(): void {
    for (const watcher of this.#watchers) watcher(this.count);
  }

  /** Asks the other pages, then the server, unless an answer is as young as that. */
  async #look(fresh: number): Promise<void> {
    if (document.hidden || this.#chats.size > 0 || this.#asking) return;
    if (Date.now() - this.#at < fresh || Date.now() < this.#notBefore) return;
    this.#asking = true;
    try {
      const asked = Date.now();
      this.#live = false;
      this.#channel?.postMessage('ask' satisfies Told);
      await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
      const answered = () => this.#live || asked - this.#at < SAME_MS;
      if (!answered()) await this.#first(async () => void (answered() || (await this.#ask())));
    } catch {
      // The last known totals stay.
      this.#notBefore = Date.now() + REFUSED_MS;
    } finally {
      this.#asking = false;
    }
  }

  /** Where another page asks at this moment, its answer is enough. */
  async #first(ask: () => Promise<void>): Promise<void> {
    // Only pages by https (and on this machine) have locks.
    if (navigator.locks === undefined) return ask();
    await navigator.locks.request(
      `php-chat unread ${this.#server}`,
      { ifAvailable: true },
      async (lock) => lock !== null && ask(),
    );
  }

  async #ask(): Promise<void> {
    // There a browser does not say which site asks, and the server refuses: that would be in the console.
    if (!isSecureContext && this.#server.startsWith(`${origin}/`)) return;
    const answer = await fetch(new URL('me', this.#server), {
      credentials: 'include',
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const { unread = 0 } = (await answer.json()) as { unread?: number };
    this.#learn(unread, Date.now());
    this.#tell(unread, false, this.#at);
  }
}

/** How many are unread, for the eye: beside words for those who do not see it; nothing at 0. */
export function unreadNumber(count: number, className: string): Node | '' {
  if (count === 0) return '';
  const number = document.createElement('span');
  number.className = className;
  number.ariaHidden = 'true';
  number.textContent = count > 99 ? '99+' : String(count);
  return number;
}
