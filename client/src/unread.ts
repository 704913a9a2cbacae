export interface Counts {
  readonly count: number;
  readonly mentions: number;
}

/** What the pages of a browser tell each other about one chat server. */
type Told =
  /** `live`: by a connected chat, which knows it at once; else from the server, `age` milliseconds ago. */
  | { readonly type: 'counts'; readonly counts: Counts; readonly live: boolean; readonly age: number }
  | { readonly type: 'ask' };

const MINUTE = 60_000;
/** So long other pages are waited for; they answer within a few milliseconds. */
const ANSWER_MS = 100;
/** An answer that another page got in this time is as good as one's own: several pages that open at once ask once. */
const SAME_MS = 2000;
/** The page was looked at again: so old an answer may be. */
const FRESH_MS = 5000;
const TIMEOUT_MS = 10_000;
const LONGEST_PAUSE = 10 * MINUTE;
const none: Counts = { count: 0, mentions: 0 };

/** As a badge shows it. */
export function atMost99(count: number): string {
  return count > 99 ? '99+' : String(count);
}

/**
 * What is unread at one chat server. A chat that is open tells it all pages of the browser. As long as none is, one
 * visible page asks the server for all of them.
 */
export class Unread {
  static readonly #servers = new Map<string, Unread>();

  readonly #server: string;
  readonly #watchers = new Set<(counts: Counts) => void>();
  /** The chats of this page. */
  readonly #chats = new Map<object, Counts>();
  #channel: BroadcastChannel | undefined;
  #known: Counts = none;
  /** When `#known` was true. */
  #at = Number.NEGATIVE_INFINITY;
  /** Of another page's chat. */
  #live = false;
  #tick: ReturnType<typeof setInterval> | undefined;
  #stop = new AbortController();
  #asking = false;
  #failures = 0;
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

  /** Tells the counts now and whenever they change, until the returned function is called. */
  watch(watcher: (counts: Counts) => void): () => void {
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1) this.#begin();
    watcher(this.counts);
    return () => {
      if (this.#watchers.delete(watcher) && this.#watchers.size === 0) this.#end();
    };
  }

  get counts(): Counts {
    const [own] = this.#chats.values();
    return own ?? this.#known;
  }

  /** A connected chat of this page says what it has. */
  live(chat: object, counts: Counts): void {
    this.#chats.set(chat, counts);
    this.#open();
    this.#post({ type: 'counts', counts, live: true, age: 0 });
    this.#told();
  }

  /** It is closed. */
  gone(chat: object): void {
    const counts = this.#chats.get(chat);
    if (counts === undefined) return;
    this.#chats.delete(chat);
    this.#learn(counts, 0);
    this.#post({ type: 'counts', counts, live: false, age: 0 });
    this.#close();
  }

  #begin(): void {
    this.#open();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const look = () => void this.#look(FRESH_MS);
    addEventListener('focus', look, { signal });
    addEventListener('pageshow', (event) => event.persisted && look(), { signal });
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

  #post(told: Told): void {
    this.#channel?.postMessage(told);
  }

  #heard(told: Told): void {
    if (told.type === 'counts') {
      this.#live = told.live;
      this.#learn(told.counts, told.age);
      return;
    }
    const [counts] = this.#chats.values();
    const age = Date.now() - this.#at;
    if (counts !== undefined) this.#post({ type: 'counts', counts, live: true, age: 0 });
    else if (age < SAME_MS) this.#post({ type: 'counts', counts: this.#known, live: false, age });
  }

  #learn(counts: Counts, age: number): void {
    this.#known = counts;
    this.#at = Date.now() - age;
    this.#told();
  }

  #told(): void {
    for (const watcher of this.#watchers) watcher(this.counts);
  }

  /** Asks the other pages, then the server, unless an answer is as young as that. */
  async #look(fresh: number): Promise<void> {
    if (document.hidden || this.#chats.size > 0 || this.#asking) return;
    if (Date.now() - this.#at < fresh || Date.now() < this.#notBefore) return;
    this.#asking = true;
    const { signal } = this.#stop;
    try {
      const asked = Date.now();
      this.#live = false;
      this.#post({ type: 'ask' });
      await this.#pause(ANSWER_MS);
      const answered = () => this.#live || asked - this.#at < SAME_MS;
      if (!answered())
        await this.#first(async () => void (answered() || signal.aborted || (await this.#ask(signal))));
    } catch {
      if (signal.aborted) return;
      // The server is not there: what was known stays, and is asked for less often.
      this.#failures += 1;
      this.#notBefore = Date.now() + Math.min(MINUTE * 2 ** (this.#failures - 1), LONGEST_PAUSE);
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

  async #ask(stop: AbortSignal): Promise<void> {
    const answer = await fetch(new URL('me', this.#server), {
      credentials: 'include',
      cache: 'no-store',
      signal: AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    if (answer.status === 429) {
      this.#notBefore = Date.now() + 1000 * (Number(answer.headers.get('Retry-After')) || 60);
      return;
    }
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const { unread = 0, mentions = 0 } = (await answer.json()) as { unread?: number; mentions?: number };
    this.#failures = 0;
    const counts = { count: unread, mentions };
    this.#learn(counts, 0);
    this.#post({ type: 'counts', counts, live: false, age: 0 });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}
