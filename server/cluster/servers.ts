import type {
  Order,
  OrderAnswer,
  OtherServers,
  Run,
  Seen,
  ServerState,
  ThisServer,
} from '../chat/other-servers.ts';
import { type Change, type History, isMember, type RoomRecord } from '../history/history.ts';
import { RequestError } from '../wire/errors.ts';
import type { User } from '../wire/events.ts';
import { Elsewhere } from './elsewhere.ts';
import { GivenOrders } from './given-orders.ts';
import { SameSite, type SiteRead } from './same-site.ts';

// Durations are in milliseconds.
/** Changes of users within this time are announced together. */
const batchMs = 100;
/** The delay before a failed announcement is repeated. */
const failurePause = 1000;
const beatEvery = 5000;
/** A server that is silent for this long crashed or hangs, so its users no longer count as present. */
const deadAfter = 15_000;
const tickEvery = 1000;
/** A longer time between two ticks means that this process was blocked or suspended. */
const stoodStill = 3000;
/**
 * A node command that may be older than this is not run, unless it is a kick. A command cannot be older than the own
 * beat before it in the change log, which normally is at most 5 s old.
 */
const lapsesAfter = 10_000;
/**
 * How long the users of a dead server are kept. If the server returns later, a `hello` makes it announce its users
 * again. Such a server could only not write, because a server that cannot read for an hour ends (see `Delivery`).
 */
const forgetAfter = 2 * 60 * 60 * 1000;
/** How long the shutdown waits until the `bye` is stored. */
const byeWithin = 500;

/** Maximum users per announcement. */
const mostUsers = 100;

/**
 * A server's announcement to all servers, including itself. Announcements are entries of the change log. No server
 * misses any, and all read them in the same order, so the known state of another server is always complete.
 */
type Broadcast =
  /** `at`: the sender's wall clock, in Unix ms, which only the sender uses. */
  | { is: 'hello' | 'beat'; name: string; at: number; site?: SiteRead; run?: Run; took?: number }
  | { is: 'bye' }
  | { is: 'here'; users: (readonly [string, Seen | null])[] }
  | { is: 'order'; id: string; user: string; order: Order }
  | ({ is: 'done'; id: string } & OrderAnswer);

/** A text that a server sends over the bus. Without a bus it is not sent. */
type Said =
  | { is: 'typing'; room: string; createdAt: number; user: string; typing: boolean }
  | { is: 'reads'; page: string; user: User };

interface Known {
  /** Empty until the first `hello` or `beat`. */
  name: string;
  run?: Run | undefined;
  took?: number | undefined;
  heardAt: number;
  /** How many own beats were read since `heardAt`. */
  beats: number;
  alive: boolean;
  /** When the server was last heard, in Unix ms. Set when it falls silent. */
  downSince?: number;
  /** Whether `onSilence` reported the server as silent. */
  silent: boolean;
  /** Whether the server did not respond to a command in time since `heardAt`. The next command does not wait for it. */
  late: boolean;
}

/** The site configuration, which must be the same on all servers. */
interface SiteReading {
  /** Returns what this server last read. Null while unknown. */
  read(): Promise<Omit<SiteRead, 'since'> | null>;
  /** Called with the servers whose configuration counts, and with null when this server fits again. */
  onDiffers(servers: string[] | null): void;
}

/** Whether the error is temporary, because the storage failed or this server is shutting down. */
const isPassing = (error: unknown) =>
  error instanceof RequestError && /^(storage_|server_draining$)/.test(error.code);

/** The timer does not keep the process running. */
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref());

/**
 * The other servers and their connected users. Each server announces changes of its users, and regularly that it is
 * alive. The state of a silent server is kept and is valid when the server returns, because announcements are not lost.
 */
export class Servers implements OtherServers {
  /** This process instance, which starts with this object. */
  readonly run: Run;
  readonly #self: string;
  readonly #history: History;
  /** Undefined until `open`. */
  #here: ThisServer | undefined;
  /** Presence changes on other servers before `open`. */
  readonly #unseen: { room: string; user: string }[] = [];
  readonly #onSilence: (server: string, silent: boolean) => void;
  readonly #onSameName: (server: string) => void;
  readonly #onFailure: (error: Error) => void;
  #sameNameLogged = false;
  #name = '';
  readonly #elsewhere: Elsewhere;
  readonly #known = new Map<string, Known>();
  readonly #orders = new GivenOrders((server) => this.#isLate(server));
  /** Users whose state must be announced. */
  readonly #changed = new Set<string>();
  #broadcasting: Promise<void> | undefined;
  #ticks: NodeJS.Timeout | undefined;
  #closed = false;
  #tickedAt = performance.now();
  /**
   * When this server sent its latest beat that it read back from the change log, in Unix ms. Later entries of the log
   * are newer. The wall clock advances even while the machine sleeps.
   */
  #upToDate = Date.now();
  /** When this server read its last own `hello` back. Every running server announces its users after that `hello`. */
  #introducedAt = Number.POSITIVE_INFINITY;
  /** Whether the next beat must be a `hello`, which makes the other servers announce themselves. */
  #asks = false;
  /** The milliseconds that storing the last announcement took, which is typical for small writes. */
  #answered: { took?: number } = {};
  #deafUntil = 0;
  readonly #site: SiteReading | undefined;
  readonly #sameSite = new SameSite();
  #siteDiffers = false;

  /**
   * @param options.self the ID of this process instance
   * @param options.version the version of this program
   * @param options.onSilence called when another server falls silent, and when it is heard again
   * @param options.onSameName called once, if two servers have the same name
   * @param options.onFailure called after a bug in this program
   * @param options.site absent if no site configuration is read
   */
  constructor(options: {
    self: string;
    version: string;
    history: History;
    onSilence: (server: string, silent: boolean) => void;
    onSameName: (server: string) => void;
    onFailure: (error: Error) => void;
    site?: SiteReading | undefined;
  }) {
    this.run = { version: options.version, since: Date.now() };
    this.#self = options.self;
    this.#history = options.history;
    this.#onSilence = options.onSilence;
    this.#onSameName = options.onSameName;
    this.#onFailure = options.onFailure;
    this.#site = options.site;
    this.#elsewhere = new Elsewhere((room, user) => {
      if (this.#here === undefined) this.#unseen.push({ room, user });
      else this.#here.presenceChanged(room, user);
    });
    this.#history.onChange((change) => this.#follow(change));
  }

  /** Starts to run node commands of other servers, and to check which servers are alive. */
  open(here: ThisServer): void {
    this.#here = here;
    for (const { room, user } of this.#unseen.splice(0)) here.presenceChanged(room, user);
    this.#ticks = setInterval(() => this.#tick(), tickEvery).unref();
  }

  /**
   * Announces this server to the others, which then announce themselves.
   * @param name unique among the servers; an earlier server with this name counts as gone
   */
  async join(name: string): Promise<void> {
    this.#name = name;
    if (this.#site !== undefined) await this.#readSite();
    await this.#broadcast(this.#alive('hello'));
    void this.#keepBeating();
  }

  /** Whether this server read the same site configuration as the other servers. True without a site configuration. */
  get hasSameSite(): boolean {
    return this.#site === undefined || this.#sameSite.verdict === 'fits';
  }

  /** Announces the end of this server. Its connections must be closed before. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#ticks);
    const broadcast = this.#attempt({ is: 'bye' });
    await Promise.race([broadcast, pause(byeWithin)]);
  }

  get own(): Pick<ServerState, 'name' | 'run' | 'took'> {
    return { name: this.#name, run: this.run, ...this.#answered };
  }

  states(): ServerState[] {
    const known = [...this.#known];
    const working = new Set([this.#name, ...known.flatMap(([, { alive, name }]) => (alive ? name : []))]);
    return known
      .filter(([, { alive, name }]) => name !== '' && (alive || !working.has(name)))
      .map(([id, { alive, downSince, name, run, took }]) => ({
        name,
        run,
        took,
        working: alive,
        downSince: alive ? undefined : downSince,
        users: this.#elsewhere.usersOf(id),
      }));
  }

  presentIn(room: string): ReadonlyMap<string, User> {
    return this.#elsewhere.presentIn(room);
  }

  isConnected(user: string): boolean {
    return this.#elsewhere.isConnected(user);
  }

  seenChanged(user: string): void {
    this.#changed.add(user);
    this.#broadcasting ??= this.#broadcastChanged();
  }

  typing({ id: room, createdAt }: RoomRecord, user: string, typing: boolean): void {
    const said: Said = { is: 'typing', room, createdAt, user, typing };
    this.#history.say?.(said);
  }

  reads(page: string, user: User): void {
    const said: Said = { is: 'reads', page, user };
    this.#history.say?.(said);
  }

  orderOthers(user: string, order: Order): Promise<OrderAnswer> {
    return this.#orders.give((id) => this.#broadcast({ is: 'order', id, user, order }));
  }

  /** Handles a text that another server sent over the bus. */
  heard(what: object): void {
    const now = performance.now();
    // Texts that arrived while this process was blocked are outdated.
    if (now < this.#deafUntil || now - this.#tickedAt > stoodStill) return;
    const said = what as Said;
    if (said.is === 'typing')
      this.#here?.typing({ id: said.room, createdAt: said.createdAt }, said.user, said.typing);
    else if (said.is === 'reads') this.#here?.reads(said.page, said.user);
  }

  /** Announces something to all servers. @throws RequestError `storage_unavailable`, or `server_draining` */
  async #broadcast(broadcast: Broadcast): Promise<void> {
    // An announcement after `bye` would make this server seem alive again.
    if (this.#closed && broadcast.is !== 'bye') throw new RequestError('server_draining');
    const began = performance.now();
    await this.#history.write.broadcast({ from: this.#self, what: broadcast });
    this.#answered = { took: Math.ceil(performance.now() - began) };
  }

  /**
   * Announces something to all servers, and reports a bug to `onFailure`.
   * @returns whether the announcement was stored; false also if this server is shutting down
   */
  async #attempt(broadcast: Broadcast): Promise<boolean> {
    try {
      await this.#broadcast(broadcast);
      return true;
    } catch (error) {
      if (!isPassing(error)) this.#onFailure(error as Error);
      return false;
    }
  }

  #alive(is: 'hello' | 'beat'): Broadcast {
    const site = this.#sameSite.own;
    return {
      is,
      name: this.#name,
      at: Date.now(),
      run: this.run,
      ...this.#answered,
      site: site ?? undefined,
    };
  }

  async #readSite(): Promise<void> {
    try {
      const read = await this.#site?.read();
      if (read && this.#sameSite.read(read) && this.#introducedAt < Number.POSITIVE_INFINITY)
        void this.#attempt(this.#alive('beat'));
    } catch (error) {
      this.#onFailure(error as Error);
    }
  }

  async #compareSite(): Promise<void> {
    await this.#readSite();
    this.#sameSite.judge();
    const differs = this.#sameSite.verdict === 'differs';
    if (differs === this.#siteDiffers) return;
    this.#siteDiffers = differs;
    const servers = this.#sameSite.counting.map((id) => this.#known.get(id)?.name ?? '');
    this.#site?.onDiffers(differs ? servers : null);
  }

  async #keepBeating(): Promise<void> {
    let wait = beatEvery;
    while (!this.#closed) {
      await pause(wait);
      const is = this.#asks ? 'hello' : 'beat';
      this.#asks = false;
      const began = performance.now();
      if (await this.#attempt(this.#alive(is))) {
        wait = Math.max(0, beatEvery - (performance.now() - began));
      } else {
        if (is === 'hello') this.#asks = true;
        wait = failurePause;
      }
    }
  }

  async #broadcastChanged(): Promise<void> {
    let wait = batchMs;
    while (this.#changed.size > 0 && !this.#closed) {
      await pause(wait);
      wait = 0;
      const users = [...this.#changed].slice(0, mostUsers);
      for (const user of users) this.#changed.delete(user);
      const here = users.map((user) => [user, this.#here?.seen(user) ?? null] as const);
      if (!(await this.#attempt({ is: 'here', users: here }))) {
        for (const user of users) this.#changed.add(user);
        wait = failurePause;
      }
    }
    this.#broadcasting = undefined;
  }

  #follow(change: Change): void {
    // Does not wait for the user's own server, which may hang and announce the change too late.
    if (change.type === 'room' && change.is === 'deleted') this.#elsewhere.roomDeleted(change.room.id);
    if (change.type === 'member' && !isMember(change.now)) {
      this.#elsewhere.removed(change.room.id, change.user.id);
    }
    if (change.type === 'broadcast') this.#heardFrom(change.from, change.what as Broadcast);
  }

  #heardFrom(from: string, broadcast: Broadcast): void {
    const own = from === this.#self;
    if (own) {
      if (broadcast.is === 'hello') {
        this.#introducedAt = performance.now();
        this.#sameSite.introduced();
      }
      if (broadcast.is === 'hello' || broadcast.is === 'beat') {
        this.#upToDate = broadcast.at;
        for (const known of this.#known.values()) known.beats++;
      }
    } else if (broadcast.is === 'bye') {
      return this.#forget(from);
    } else {
      // This server forgot the sender, if the sender is unknown, did not just start, and does not answer our `hello`.
      // A new `hello` makes the sender announce its users.
      const forgotten = !this.#known.has(from) && broadcast.is !== 'hello';
      if (forgotten && performance.now() - this.#introducedAt > deadAfter) this.#asks = true;
      this.#isAlive(from);
    }
    if (!own && (broadcast.is === 'hello' || broadcast.is === 'beat'))
      this.#sameSite.heard(from, broadcast.site);
    switch (broadcast.is) {
      case 'hello':
        if (own) return;
        this.#replaced(from, broadcast.name);
        this.#introduce();
        this.#named(from, broadcast);
        return;
      case 'beat':
        if (!own) this.#named(from, broadcast);
        return;
      case 'here':
        if (!own) for (const [user, seen] of broadcast.users) this.#elsewhere.set(from, user, seen);
        return;
      case 'order': {
        if (!own) return void this.#obey(broadcast).catch(this.#onFailure);
        const awaited = [...this.#known].filter(([, { alive, late }]) => alive && !late);
        return this.#orders.sent(
          broadcast.id,
          awaited.map(([id]) => id),
        );
      }
      case 'done':
        return this.#orders.answered(broadcast.id, from, broadcast);
    }
  }

  async #obey({ id, user, order }: Broadcast & { is: 'order' }): Promise<void> {
    const late = Date.now() - this.#upToDate > lapsesAfter;
    // A lapsed kick closes all current connections, because it is unknown which of them existed when it was sent.
    if (late && order.is !== 'kick') return;
    const answer = (await this.#here?.obey(user, order)) ?? { count: 0 };
    // The sender no longer waits for a late response.
    if (!late) void this.#attempt({ is: 'done', id, ...answer });
  }

  /** Announces this server and its users to a server that started or forgot them. */
  #introduce(): void {
    // Send the beat first, so that node commands of that server wait for the response of this server.
    void this.#attempt(this.#alive('beat'));
    for (const { user } of this.#here?.everybody() ?? []) this.seenChanged(user.id);
  }

  #isAlive(id: string): void {
    const known = this.#known.get(id);
    const heard = { heardAt: performance.now(), beats: 0, alive: true, late: false };
    if (known === undefined) return void this.#known.set(id, { name: '', silent: false, ...heard });
    Object.assign(known, heard);
    this.#elsewhere.setCounts(id, true);
    if (known.silent) this.#onSilence(known.name, false);
    known.silent = false;
  }

  #named(id: string, { name, run, took }: Pick<Known, 'name' | 'run' | 'took'>): void {
    const known = this.#known.get(id);
    if (known !== undefined) Object.assign(known, { name, run, took });
    if (this.#sameNameLogged) return;
    const others = [...this.#known].filter(([other, { alive }]) => other !== id && alive);
    if (![this.#name, ...others.map(([, other]) => other.name)].includes(name)) return;
    this.#sameNameLogged = true;
    this.#onSameName(name);
  }

  #isLate(id: string): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.late = true;
  }

  #isGone(id: string, known: Known): void {
    known.alive = false;
    this.#sameSite.gone(id);
    this.#elsewhere.setCounts(id, false);
  }

  /** Marks servers with the name of a starting server as gone, because they must have been killed. */
  #replaced(by: string, name: string): void {
    for (const [id, known] of this.#known) {
      if (id !== by && known.alive && known.name === name) this.#isGone(id, known);
    }
  }

  #tick(): void {
    const now = performance.now();
    const late = now - this.#tickedAt > stoodStill;
    this.#tickedAt = now;
    if (late) {
      this.#deafUntil = now + tickEvery;
      // Announcements that arrived while this process was blocked are not read yet.
      for (const known of this.#known.values()) Object.assign(known, { heardAt: now, beats: 0 });
    }
    for (const [id, known] of this.#known) {
      const silentFor = now - known.heardAt;
      // If own beats do not return either, the database is silent, not the server.
      if (known.beats < 2) continue;
      if (known.alive && silentFor > deadAfter) {
        this.#isGone(id, known);
        known.silent = true;
        known.downSince = Date.now() - silentFor;
        this.#onSilence(known.name, true);
      } else if (silentFor > forgetAfter) {
        this.#forget(id);
      }
    }
    void this.#compareSite();
  }

  #forget(id: string): void {
    this.#known.delete(id);
    this.#sameSite.gone(id);
    this.#elsewhere.forget(id);
  }
}
