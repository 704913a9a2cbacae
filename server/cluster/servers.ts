import type { Order, OtherServers, Seen, ThisServer } from '../chat/other-servers.ts';
import { RequestError } from '../errors.ts';
import type { User } from '../events.ts';
import { type Change, type History, isMember } from '../history/history.ts';
import { Elsewhere } from './elsewhere.ts';
import { GivenOrders } from './given-orders.ts';

// Milliseconds.
/** Who comes and goes within this time is told at once. */
const gatherFor = 100;
/** The pause before what could not be told is told again. */
const failurePause = 1000;
const beatEvery = 5000;
/** A server that is not heard of for so long is dead, or stands still: its users do not count as present. */
const deadAfter = 15_000;
const tickEvery = 1000;
/** A tick that comes so late says that this process stood still. */
const stoodStill = 3000;
/**
 * An order that may be older than this when it is read is over, unless it is a kick. What is known of its age is that it
 * is younger than the last own beat that was read before it: 5 s at most, while all is well.
 */
const lapsesAfter = 10_000;
/**
 * Whom a dead server has told of is kept for so long. One that was not heard of, but lives, is asked again: it may have
 * read all the time (one that has not for an hour ends, see `Delivery`) and only could not write.
 */
const forgetAfter = 2 * 60 * 60 * 1000;
/** How long the end of this server is held up by telling it. */
const byeWithin = 500;

/** Users of one change. */
const mostUsers = 100;

/**
 * What a server tells all of them, itself too. It goes the way of the changes: nothing is lost, and all servers get it
 * in the same order, so nobody has to ask whether what is known of another server is complete.
 */
type Told =
  /** `at` says something to the one that told it alone: by its own wall clock. */
  | { is: 'hello' | 'beat'; name: string; at: number }
  | { is: 'bye' }
  | { is: 'here'; users: (readonly [string, Seen | null])[] }
  | { is: 'order'; id: string; user: string; order: Order }
  | { is: 'done'; id: string; count: number };

/** What a server says over the bus, if there is one. */
interface Said {
  is: 'typing';
  room: string;
  user: User;
  typing: boolean;
}

interface Known {
  /** Empty until it is known. */
  name: string;
  heardAt: number;
  /** Own beats that have come back since. */
  beats: number;
  alive: boolean;
  /** That it is silent was told to `onSilence`. */
  silent: boolean;
  /** An order has waited for it in vain since then: the next one does not. */
  late: boolean;
}

/** The same may succeed later, or this server ends. */
const isPassing = (error: unknown) =>
  error instanceof RequestError && /^(storage_|server_draining$)/.test(error.code);

/** It keeps no process alive. */
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref());

/**
 * The other servers: which there are, and who is connected to them. Each tells the others whenever somebody comes, goes
 * or is seen in another way, and that it is alive. One that falls silent keeps what it has told: when it is heard of
 * again, it is as it was, since nothing that it has told in between can be missing.
 */
export class Servers implements OtherServers {
  readonly #self: string;
  readonly #history: History;
  /** Absent while this server is being started. */
  #here: ThisServer | undefined;
  /** Who has come and gone on other servers while this one was being started. */
  readonly #unseen: { room: string; user: string }[] = [];
  readonly #onSilence: (server: string, silent: boolean) => void;
  readonly #onSameName: (server: string) => void;
  readonly #onFailure: (error: Error) => void;
  #sameNameTold = false;
  #name = '';
  readonly #elsewhere: Elsewhere;
  readonly #known = new Map<string, Known>();
  readonly #orders = new GivenOrders((server) => this.#isLate(server));
  /** Users whose state the others are still to be told. */
  readonly #changed = new Set<string>();
  #telling: Promise<void> | undefined;
  #ticks: NodeJS.Timeout | undefined;
  #closed = false;
  #tickedAt = performance.now();
  /**
   * When the last own beat that has come back was told: what is read after it was told later. By the wall clock, which
   * goes on while the machine sleeps.
   */
  #upToDate = Date.now();
  /** When the last own `hello` came back: all who lived then tell their users after it. */
  #introducedAt = Number.POSITIVE_INFINITY;
  /** The next beat is a `hello`. */
  #asks = false;
  #deafUntil = 0;

  /**
   * @param options.self this run of the server
   * @param options.onSilence called when another server is not heard of any more, and when it is again
   * @param options.onSameName called once, when two servers have one name
   * @param options.onFailure called after a bug in this program
   */
  constructor(options: {
    self: string;
    history: History;
    onSilence: (server: string, silent: boolean) => void;
    onSameName: (server: string) => void;
    onFailure: (error: Error) => void;
  }) {
    this.#self = options.self;
    this.#history = options.history;
    this.#onSilence = options.onSilence;
    this.#onSameName = options.onSameName;
    this.#onFailure = options.onFailure;
    this.#elsewhere = new Elsewhere((room, user) => {
      if (this.#here === undefined) this.#unseen.push({ room, user });
      else this.#here.presenceChanged(room, user);
    });
    this.#history.onChange((change) => this.#follow(change));
  }

  /** From now on this server does what the others tell it. */
  open(here: ThisServer): void {
    this.#here = here;
    for (const { room, user } of this.#unseen.splice(0)) here.presenceChanged(room, user);
    this.#ticks = setInterval(() => this.#tick(), tickEvery).unref();
  }

  /**
   * From now on the others know of this server, and it of them.
   * @param name which no other server has: one that had it before is gone
   */
  async join(name: string): Promise<void> {
    this.#name = name;
    await this.#tell({ is: 'hello', name, at: Date.now() });
    void this.#keepBeating();
  }

  /** All connections to this server are closed. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#ticks);
    const told = this.#attempt({ is: 'bye' });
    await Promise.race([told, pause(byeWithin)]);
  }

  presentIn(room: string): ReadonlyMap<string, User> {
    return this.#elsewhere.presentIn(room);
  }

  isConnected(user: string): boolean {
    return this.#elsewhere.isConnected(user);
  }

  seenChanged(user: string): void {
    this.#changed.add(user);
    this.#telling ??= this.#tellChanged();
  }

  typing(room: string, user: User, typing: boolean): void {
    const said: Said = { is: 'typing', room, user, typing };
    this.#history.say?.(said);
  }

  orderOthers(user: string, order: Order): Promise<number> {
    return this.#orders.give((id) => this.#tell({ is: 'order', id, user, order }));
  }

  /** What another server has said over the bus. */
  heard(what: object): void {
    const now = performance.now();
    // What has been waiting for this process since before it stood still is over.
    if (now < this.#deafUntil || now - this.#tickedAt > stoodStill) return;
    const said = what as Said;
    if (said.is === 'typing') this.#here?.typing(said.room, said.user, said.typing);
  }

  /** @throws RequestError `storage_unavailable`, or `server_draining` */
  async #tell(told: Told): Promise<void> {
    // Whatever came after its end would make the others take this server for alive again.
    if (this.#closed && told.is !== 'bye') throw new RequestError('server_draining');
    await this.#history.write('tell', { from: this.#self, what: told });
  }

  /** @returns whether it was told: the history may not answer, or this server may end */
  async #attempt(told: Told): Promise<boolean> {
    try {
      await this.#tell(told);
      return true;
    } catch (error) {
      if (!isPassing(error)) this.#onFailure(error as Error);
      return false;
    }
  }

  async #keepBeating(): Promise<void> {
    let wait = beatEvery;
    while (!this.#closed) {
      await pause(wait);
      const is = this.#asks ? 'hello' : 'beat';
      this.#asks = false;
      const began = performance.now();
      if (await this.#attempt({ is, name: this.#name, at: Date.now() })) {
        wait = Math.max(0, beatEvery - (performance.now() - began));
      } else {
        if (is === 'hello') this.#asks = true;
        wait = failurePause;
      }
    }
  }

  async #tellChanged(): Promise<void> {
    let wait = gatherFor;
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
    this.#telling = undefined;
  }

  #follow(change: Change): void {
    // A server that stands still says too late that somebody is not there any more.
    if (change.type === 'room' && change.is === 'deleted') this.#elsewhere.roomDeleted(change.room.id);
    if (change.type === 'member' && !isMember(change.now)) {
      this.#elsewhere.removed(change.room.id, change.user.id);
    }
    if (change.type === 'told') this.#heardFrom(change.from, change.what as Told);
  }

  #heardFrom(from: string, told: Told): void {
    const own = from === this.#self;
    if (own) {
      if (told.is === 'hello') this.#introducedAt = performance.now();
      if (told.is === 'hello' || told.is === 'beat') {
        this.#upToDate = told.at;
        for (const known of this.#known.values()) known.beats++;
      }
    } else if (told.is === 'bye') {
      return this.#forget(from);
    } else {
      // Neither one that starts nor one that answers: it was forgotten.
      const forgotten = !this.#known.has(from) && told.is !== 'hello';
      if (forgotten && performance.now() - this.#introducedAt > deadAfter) this.#asks = true;
      this.#isAlive(from);
    }
    switch (told.is) {
      case 'hello':
        if (own) return;
        this.#replaced(from, told.name);
        this.#introduce();
        this.#named(from, told.name);
        return;
      case 'beat':
        if (!own) this.#named(from, told.name);
        return;
      case 'here':
        if (!own) for (const [user, seen] of told.users) this.#elsewhere.set(from, user, seen);
        return;
      case 'order': {
        if (!own) return this.#obey(told);
        const awaited = [...this.#known].filter(([, { alive, late }]) => alive && !late);
        return this.#orders.told(
          told.id,
          awaited.map(([id]) => id),
        );
      }
      case 'done':
        return this.#orders.answered(told.id, from, told.count);
    }
  }

  #obey({ id, user, order }: Told & { is: 'order' }): void {
    const late = Date.now() - this.#upToDate > lapsesAfter;
    // A kick closes what is open now: what was open when it was given is not known.
    if (late && order.is !== 'kick') return;
    const count = this.#here?.obey(user, order) ?? 0;
    // Nobody waits for a late answer.
    if (!late) void this.#attempt({ is: 'done', id, count });
  }

  /** Another server has started, or has forgotten one that lives: it does not know who is here. */
  #introduce(): void {
    // At once, so that it waits for this server where it has to.
    void this.#attempt({ is: 'beat', name: this.#name, at: Date.now() });
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

  #named(id: string, name: string): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.name = name;
    if (this.#sameNameTold) return;
    const others = [...this.#known].filter(([other, { alive }]) => other !== id && alive);
    if (![this.#name, ...others.map(([, other]) => other.name)].includes(name)) return;
    this.#sameNameTold = true;
    this.#onSameName(name);
  }

  #isLate(id: string): void {
    const known = this.#known.get(id);
    if (known !== undefined) known.late = true;
  }

  #isGone(id: string, known: Known): void {
    known.alive = false;
    this.#elsewhere.setCounts(id, false);
  }

  /** A server has started where another one was: that one was killed. */
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
      // What they have told meanwhile is still to be read.
      for (const known of this.#known.values()) Object.assign(known, { heardAt: now, beats: 0 });
    }
    for (const [id, known] of this.#known) {
      const silentFor = now - known.heardAt;
      // While own beats do not come back either, it is the database that is silent.
      if (known.beats < 2) continue;
      if (known.alive && silentFor > deadAfter) {
        this.#isGone(id, known);
        known.silent = true;
        this.#onSilence(known.name, true);
      } else if (silentFor > forgetAfter) {
        this.#forget(id);
      }
    }
  }

  #forget(id: string): void {
    this.#known.delete(id);
    this.#elsewhere.forget(id);
  }
}
