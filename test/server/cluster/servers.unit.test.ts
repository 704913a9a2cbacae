import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Order, Seen } from '../../../server/chat/other-servers.ts';
import { Servers } from '../../../server/cluster/servers.ts';
import type { Change, History } from '../../../server/history/history.ts';
import { RequestError } from '../../../server/wire/errors.ts';
import { size } from '../../guarantees/size.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.clearAllTimers();
  vi.useRealTimers();
});

const rooms = ['hall', 'attic', 'cellar'];

/** The database of all servers. It delivers writes to each server in the same order. */
class Database {
  readonly #changes: Change[] = [];
  readonly #readers: { at: number; listener: (change: Change) => void; isCut: () => boolean }[] = [];
  /** No server can reach the database. */
  down = false;
  /** Writes fail by a bug. */
  broken = false;

  write(change: Change): void {
    this.#changes.push(change);
    this.#handOut();
  }

  /** @param isCut whether only this server cannot reach the database */
  history(isCut: () => boolean): History {
    return {
      write: {
        broadcast: async (input: { from: string; what: object }) => {
          if (this.broken) throw new TypeError('not a function');
          if (this.down || isCut()) throw new RequestError('storage_unavailable');
          // Copied, as over a network.
          this.write({ type: 'broadcast', ...structuredClone(input) });
          return {};
        },
      },
      onChange: (listener: (change: Change) => void) => {
        this.#readers.push({ at: this.#changes.length, listener, isCut });
      },
    } as unknown as History;
  }

  /** Removes the user from the room. */
  remove(id: string, room: string): void {
    const now = { sources: 0, role: 'member', readSeq: 0, acted: 0 } as const;
    const record = { id: room } as (Change & { type: 'member' })['room'];
    const user = { id, name: id };
    this.write({ type: 'member', room: record, user, before: now, now, by: 'people', cause: 'removed' });
  }

  /** The number of answered commands. */
  get answers(): number {
    return this.#changes.filter(({ type, ...change }) => 'what' in change && 'count' in change.what).length;
  }

  delete(room: string): void {
    this.write({ type: 'room', is: 'deleted', room: { id: room } as (Change & { type: 'room' })['room'] });
  }

  #handOut(): void {
    for (const reader of this.#readers) {
      while (!this.down && !reader.isCut() && reader.at < this.#changes.length) {
        reader.listener(this.#changes[reader.at++] as Change);
      }
    }
  }

  goOn(): void {
    this.#handOut();
  }
}

/** A server, reduced to presence. */
class Server {
  readonly users = new Map<string, string[]>();
  readonly orders: string[] = [];
  /** The presence on other servers as its notifications show it. */
  readonly shown = new Set<string>();
  readonly #database: Database;
  readonly #servers: Servers;
  cut = false;
  silent = 0;
  readonly sameName: string[] = [];
  readonly failures: string[] = [];

  /** The site configuration that this server reads now. */
  site: { by: string; is: string } | null;
  readonly differs: (string[] | null)[] = [];

  /**
   * @param name absent while the server starts, when it does not show users yet
   * @param site the site configuration that it reads; undefined if it does not read any
   */
  constructor(database: Database, name?: string, site?: Server['site']) {
    this.#database = database;
    this.site = site ?? null;
    const history = database.history(() => this.cut);
    this.#servers = new Servers({
      self: randomUUID(),
      version: '1.0.0',
      history,
      onSilence: (_, isSilent) => (this.silent += isSilent ? 1 : -1),
      onSameName: (same) => this.sameName.push(same),
      onFailure: ({ message }) => this.failures.push(message),
      site: site === undefined ? undefined : this.#reading(),
    });
    history.onChange((change) => {
      if (change.type === 'member') this.#set(change.user.id, (own) => own !== change.room.id);
      if (change.type === 'room') {
        for (const user of this.users.keys()) this.#set(user, (own) => own !== change.room.id);
      }
    });
    if (name === undefined) return;
    this.open();
    void this.#servers.join(name);
  }

  #reading() {
    return {
      read: async () => this.site,
      onDiffers: (servers: string[] | null) => void this.differs.push(servers),
    };
  }

  get ready(): boolean {
    return this.#servers.hasSameSite;
  }

  open(): void {
    this.#servers.open({
      seen: (user) => this.#seen(user),
      everybody: () => [...this.users.keys()].map((id) => ({ user: { id, name: id } })),
      presenceChanged: (room, user) => {
        if (this.#servers.presentIn(room).has(user)) this.shown.add(`${room} ${user}`);
        else this.shown.delete(`${room} ${user}`);
      },
      typing: () => {},
      reads: () => {},
      obey: async (user, order: Order) => {
        this.orders.push(`${order.is} ${user}`);
        if (order.is !== 'joined') return { count: this.users.has(user) ? 1 : 0 };
        const joined =
          order.users?.filter((candidate) => this.users.get(candidate)?.includes(order.room)) ?? [];
        return { count: joined.length, joined };
      },
    });
  }

  #seen(user: string): Seen | null {
    const own = this.users.get(user);
    return own === undefined ? null : { name: user, rooms: own };
  }

  #set(user: string, which: (room: string) => boolean): void {
    const own = this.users.get(user);
    if (own === undefined) return;
    this.users.set(user, own.filter(which));
    this.#servers.seenChanged(user);
  }

  come(user: string, own: string[]): void {
    this.users.set(user, own);
    this.#servers.seenChanged(user);
  }

  go(user: string): void {
    this.users.delete(user);
    this.#servers.seenChanged(user);
  }

  async order(user: string, order: Order): Promise<number> {
    return (await this.#servers.orderOthers(user, order)).count;
  }

  /** Returns the users who joined the room on another server. */
  async joined(room: string, users: string[]): Promise<readonly string[] | undefined> {
    return (await this.#servers.orderOthers('', { is: 'joined', room, users })).joined;
  }

  /** The list of the other servers. */
  get states(): string[] {
    const states = this.#servers.states();
    return states.map(({ name, working, users }) => `${name} ${working} ${users.join()}`).sort();
  }

  /** The time of the last message of each silent server. */
  get downSince(): Map<string, number> {
    const states = this.#servers.states();
    return new Map(
      states.flatMap(({ name, downSince }) => (downSince === undefined ? [] : [[name, downSince]])),
    );
  }

  /** The users on other servers, as this server shows them. */
  get known(): string[] {
    return rooms.flatMap((room) =>
      [...this.#servers.presentIn(room).keys()].map((user) => `${room} ${user}`),
    );
  }

  back(): void {
    this.cut = false;
    this.#database.goOn();
  }

  close(): Promise<void> {
    return this.#servers.close();
  }
}

const seconds = (n: number) => vi.advanceTimersByTimeAsync(n * 1000);

async function start(count: number): Promise<{ database: Database; servers: Server[] }> {
  const database = new Database();
  const servers = Array.from({ length: count }, (_, n) => new Server(database, `server-${n}`));
  await seconds(1);
  return { database, servers };
}

/** Returns the expected presence of a server, which is the users on all others. */
const truthFor = (server: Server, all: readonly Server[]) => [
  ...new Set(
    all.flatMap((other) =>
      other === server ? [] : [...other.users].flatMap(([user, own]) => own.map((room) => `${room} ${user}`)),
    ),
  ),
];

test('reaches the same presence on all servers after cuts, kills and starts', async () => {
  const user = fc.constantFrom('ann', 'bob', 'cy', 'dee');
  const which = fc.nat(2);
  const step = fc.oneof(
    fc.record({ do: fc.constant('come' as const), which, user, own: fc.subarray(rooms) }),
    fc.record({ do: fc.constant('go' as const), which, user }),
    fc.record({ do: fc.constant('remove' as const), which, user, room: fc.constantFrom(...rooms) }),
    fc.record({ do: fc.constant('delete' as const), which, room: fc.constantFrom(...rooms) }),
    fc.record({ do: fc.constantFrom('cut' as const, 'back' as const, 'kill' as const), which }),
    fc.record({ do: fc.constant('wait' as const), which: fc.nat(9000) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      const { database, servers } = await start(3);
      for (const next of steps) {
        const server = servers[next.which] as Server;
        if (next.do === 'come') server.come(next.user, next.own);
        if (next.do === 'go') server.go(next.user);
        if (next.do === 'cut') server.cut = true;
        if (next.do === 'back') server.back();
        if (next.do === 'wait') await vi.advanceTimersByTimeAsync(next.which);
        if (next.do === 'kill') {
          server.cut = true;
          servers[next.which] = new Server(database, `server-${next.which}`);
        }
        if (next.do === 'remove') database.remove(next.user, next.room);
        if (next.do === 'delete') database.delete(next.room);
      }
      for (const server of servers) server.back();
      await seconds(22);
      for (const server of servers) {
        expect(server.known.sort()).toEqual(truthFor(server, servers).sort());
        expect([...server.shown].sort()).toEqual(server.known.sort());
      }
      vi.clearAllTimers();
    }),
    { numRuns: size(1000, 100) },
  );
});

test('removes the users of an unreachable server within 20 s and restores them later', async () => {
  const { servers } = await start(2);
  const [first, second] = servers as [Server, Server];
  const many = Array.from({ length: 1000 }, (_, n) => `user-${n}`);
  for (const user of many) second.come(user, ['hall']);
  await seconds(2);
  expect(first.known).toEqual(many.map((user) => `hall ${user}`));
  second.cut = true;
  await seconds(12);
  expect(first.known).toHaveLength(many.length);
  await seconds(8);
  expect([first.known, [...first.shown]]).toEqual([[], []]);
  expect(first.silent).toBe(1);
  second.come('cy', ['attic']);
  second.back();
  await seconds(7);
  expect(first.known.sort()).toEqual(['attic cy', ...many.map((user) => `hall ${user}`)].sort());
  expect([...first.shown].sort()).toEqual(first.known.sort());
  expect(first.silent).toBe(0);
});

test('removes a user from a room’s presence, even if the user’s server is cut off', async () => {
  const { database, servers } = await start(2);
  const [first, second] = servers as [Server, Server];
  second.come('bob', ['hall', 'attic']);
  await seconds(1);
  second.cut = true;
  database.remove('bob', 'hall');
  expect(first.known).toEqual(['attic bob']);
  expect([...first.shown]).toEqual(['attic bob']);
});

test('hides a user who leaves another server while this one starts', async () => {
  const { database, servers } = await start(1);
  const [first] = servers as [Server];
  const starting = new Server(database);
  for (const user of ['ann', 'bob']) first.come(user, ['hall']);
  await seconds(1);
  for (const line of starting.known) starting.shown.add(line);
  expect([...starting.shown]).toEqual(['hall ann', 'hall bob']);
  first.go('ann');
  first.come('cy', ['hall']);
  await seconds(1);
  starting.open();
  expect([...starting.shown]).toEqual(['hall bob', 'hall cy']);
});

test('does not restore presence in a room that was deleted while the user’s server was cut off', async () => {
  const { database, servers } = await start(2);
  const [first, second] = servers as [Server, Server];
  second.come('bob', ['hall', 'attic']);
  await seconds(1);
  second.cut = true;
  await seconds(20);
  expect(first.known).toEqual([]);
  database.delete('hall');
  // The server writes again before it reads.
  second.cut = false;
  for (let n = 0; n < 120; n++) {
    await seconds(0.05);
    expect(first.known).not.toContain('hall bob');
  }
  expect(first.known).toEqual(['attic bob']);
});

test('keeps all users present while the database does not answer, and afterwards', async () => {
  const { database, servers } = await start(2);
  const [first, second] = servers as [Server, Server];
  first.come('ann', ['hall']);
  second.come('bob', ['hall']);
  await seconds(1);
  database.down = true;
  // Longer than the time after which a dead server is forgotten.
  await seconds(2 * 3600 + 30);
  database.down = false;
  for (let n = 0; n < 200; n++) {
    expect([first.known, second.known]).toEqual([['hall bob'], ['hall ann']]);
    await seconds(0.1);
  }
});

test('restores a forgotten server within 20 s if it still runs', async () => {
  const { servers } = await start(3);
  const [first, second, third] = servers as [Server, Server, Server];
  second.come('bob', ['hall']);
  third.come('cy', ['attic']);
  await seconds(1);
  second.cut = true;
  await seconds(2 * 3600 + 30);
  second.back();
  await seconds(20);
  for (const server of servers) expect(server.known.sort()).toEqual(truthFor(server, servers).sort());
  expect(first.known).toHaveLength(2);
});

test('replaces a killed server at once by a new server of the same name', async () => {
  const { database, servers } = await start(2);
  const [first, second] = servers as [Server, Server];
  second.come('bob', ['hall']);
  await seconds(1);
  second.cut = true;
  new Server(database, 'server-1');
  await seconds(0.1);
  expect(first.known).toEqual([]);
  await seconds(20);
  expect([first.silent, first.sameName]).toEqual([0, []]);
});

test('lists a server until it ends or its successor runs', async () => {
  const { database, servers } = await start(3);
  const [first, second, third] = servers as [Server, Server, Server];
  second.come('bob', ['hall']);
  second.come('cy', []);
  await seconds(1);
  expect(first.states).toEqual(['server-1 true bob,cy', 'server-2 true ']);
  await third.close();
  second.cut = true;
  const cutAt = Date.now();
  await seconds(20);
  expect(first.states).toEqual(['server-1 false ']);
  // A server sends a heartbeat every five seconds.
  const heardBefore = cutAt - (first.downSince.get('server-1') ?? 0);
  expect(heardBefore).toBeGreaterThanOrEqual(0);
  expect(heardBefore).toBeLessThanOrEqual(5000);
  second.back();
  await seconds(7);
  expect(first.states).toEqual(['server-1 true bob,cy']);
  expect(first.downSince.size).toBe(0);
  second.cut = true;
  const again = new Server(database, 'server-1');
  again.come('dee', []);
  await seconds(1);
  expect(first.states).toEqual(['server-1 true dee']);
});

test('shows the users of two servers with the same name, and reports the name once', async () => {
  const { database, servers } = await start(2);
  const [first, second] = servers as [Server, Server];
  second.come('bob', ['hall']);
  await seconds(1);
  const third = new Server(database, 'server-1');
  third.come('cy', ['hall']);
  await seconds(20);
  new Server(database, 'server-1');
  await seconds(20);
  expect(first.known.sort()).toEqual(['hall bob', 'hall cy']);
  for (const { silent, sameName } of [first, second, third]) {
    expect([silent, sameName]).toEqual([0, ['server-1']]);
  }
});

test('runs a command on all other servers and sums the responses that arrive within a second', async () => {
  const { servers } = await start(3);
  const [first, second, third] = servers as [Server, Server, Server];
  for (const server of servers) server.come('bob', []);
  await seconds(1);
  expect(await first.order('bob', { is: 'kick' })).toBe(2);
  third.cut = true;
  const partly = first.order('bob', { is: 'count' });
  await seconds(1);
  expect(await partly).toBe(1);
  // The next command does not wait for a server that did not answer the last one.
  expect(await first.order('bob', { is: 'count' })).toBe(1);
  third.back();
  expect(third.orders).toEqual(['kick bob', 'count bob', 'count bob']);
  // The server answers after it has run the commands.
  await seconds(0);
  expect(await first.order('bob', { is: 'count' })).toBe(2);
  expect(second.orders).toEqual(third.orders);
  expect(first.orders).toEqual([]);
  second.cut = true;
  await expect(second.order('bob', { is: 'kick' })).rejects.toThrow('does not answer');
});

test('asks all other servers in one command which users joined a room', async () => {
  const { database, servers } = await start(3);
  const [first, second, third] = servers as [Server, Server, Server];
  first.come('ann', ['hall']);
  second.come('bob', ['hall']);
  second.come('cy', ['attic']);
  third.come('dee', ['hall']);
  await seconds(1);
  expect(await first.joined('hall', ['ann', 'bob', 'cy', 'dee'])).toEqual(['bob', 'dee']);
  expect(database.answers).toBe(2);
});

test('runs only kicks on a server that is more than 10 s late', async () => {
  const { database, servers } = await start(2);
  const [first, second] = servers as [Server, Server];
  second.come('bob', []);
  await seconds(1);
  second.cut = true;
  await seconds(12);
  for (const order of [{ is: 'push', name: 'news' }, { is: 'count' }, { is: 'kick' }] as const) {
    const [counted] = await Promise.all([first.order('bob', order), seconds(1)]);
    expect(counted).toBe(0);
  }
  second.back();
  expect(second.orders).toEqual(['kick bob']);
  await seconds(2);
  expect(database.answers).toBe(0);
  expect(await first.order('bob', { is: 'push', name: 'news' })).toBe(1);
});

test('removes the users of a server that ends', async () => {
  const { servers } = await start(2);
  const [first, second] = servers as [Server, Server];
  second.come('bob', ['hall']);
  await seconds(1);
  second.users.clear();
  await Promise.all([second.close(), seconds(1)]);
  expect(first.known).toEqual([]);
});

test('sends nothing after shutdown, even with pending changes', async () => {
  const { servers } = await start(2);
  const [first, second] = servers as [Server, Server];
  second.come('bob', ['hall']);
  await seconds(1);
  second.come('cy', ['hall']);
  await seconds(0.05);
  await Promise.all([second.close(), seconds(0.01)]);
  await expect(second.order('bob', { is: 'kick' })).rejects.toThrow('shutting down');
  // The ended server does not answer commands or announce itself.
  expect(await first.order('bob', { is: 'count' })).toBe(0);
  await seconds(20);
  expect([first.known, first.silent]).toEqual([[], 0]);
});

test('reports errors, except an unavailable database', async () => {
  const { database, servers } = await start(1);
  const [server] = servers as [Server];
  database.down = true;
  server.come('ann', ['hall']);
  await seconds(30);
  expect(server.failures).toEqual([]);
  database.down = false;
  database.broken = true;
  await seconds(5);
  expect(new Set(server.failures)).toEqual(new Set(['not a function']));
});

describe('the site configuration', () => {
  const read = (is: string) => ({ by: 'settings', is });
  const running = async (...sites: string[]) => {
    const database = new Database();
    const servers: Server[] = [];
    for (const [n, site] of sites.entries()) {
      servers.push(new Server(database, `server-${n}`, read(site)));
      await seconds(20);
    }
    const readiness = () => servers.map(({ ready }) => ready);
    const start = (site: Server['site']) => {
      const started = new Server(database, `server-${servers.length}`, site);
      servers.push(started);
      return started;
    };
    return { database, servers, readiness, start };
  };
  const changed = (server: Server | undefined, is: string) => {
    if (server !== undefined) server.site = read(is);
  };

  test('of a starting server must match the others before it is ready', async () => {
    const { readiness, start } = await running('a', 'a');
    const third = start(read('b'));
    for (let n = 0; n < 200; n++) {
      await seconds(1);
      expect(readiness()).toEqual([true, true, false]);
    }
    expect(third.differs).toEqual([['server-0', 'server-1']]);
    changed(third, 'a');
    await seconds(1);
    expect(readiness()).toEqual([true, true, true]);
    expect(third.differs).toEqual([['server-0', 'server-1'], null]);
  });

  test('leaves the older of two servers ready if it differs', async () => {
    const { database, readiness, start } = await running('a');
    start(read('b'));
    await seconds(200);
    expect(readiness()).toEqual([true, false]);
    expect(new Server(database, 'server-1', read('b')).ready).toBe(false);
  });

  test('makes a server unready if it differs from most servers for 90 s', async () => {
    const { servers, readiness } = await running('a', 'a', 'a');
    changed(servers[0], 'b');
    await seconds(85);
    expect(readiness()).toEqual([true, true, true]);
    await seconds(10);
    expect(readiness()).toEqual([false, true, true]);
    changed(servers[1], 'b');
    await seconds(6);
    // The first server is now in the majority, with its newer configuration.
    expect(readiness()).toEqual([true, true, true]);
    await seconds(90);
    expect(readiness()).toEqual([true, true, false]);
  });

  test('leaves all servers ready if each reads a change within a minute', async () => {
    const { servers, readiness } = await running('a', 'a', 'a', 'a');
    for (const server of servers) {
      changed(server, 'b');
      for (let n = 0; n < 20; n++) {
        await seconds(1);
        expect(readiness()).toEqual([true, true, true, true]);
      }
    }
    await seconds(100);
    expect(readiness()).toEqual([true, true, true, true]);
    expect(servers.flatMap(({ differs }) => differs)).toEqual([]);
  });

  test('is not compared with ended servers, old servers, or servers with other settings', async () => {
    const { database, servers, readiness, start } = await running('a', 'a', 'a');
    const old = new Server(database, 'old');
    for (const server of servers.slice(0, 2)) void server.close();
    await seconds(1);
    servers.splice(0, 2);
    const other = start({ by: 'other settings', is: 'b' });
    await seconds(20);
    expect([old.ready, ...readiness()]).toEqual([true, true, true]);
    void servers[0]?.close();
    const last = start(read('b'));
    await seconds(20);
    expect([other.ready, last.ready]).toEqual([true, true]);
  });

  test('is reported as different once a starting server can read it', async () => {
    const { start } = await running('a', 'a');
    const late = start(null);
    await seconds(60);
    expect([late.ready, late.differs]).toEqual([false, []]);
    changed(late, 'b');
    await seconds(2);
    expect([late.ready, late.differs]).toEqual([false, [['server-0', 'server-1']]]);
    changed(late, 'a');
    await seconds(1);
    expect(late.ready).toBe(true);
  });
});
