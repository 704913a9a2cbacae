import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { type ChatServer, startChatServer } from '../helpers/chat-server.ts';
import { checkAnswer, type EventCase, eventCase } from '../helpers/fuzz-events.ts';
import { request, say } from '../helpers/fuzz-exchange.ts';
import { bodyOf, checkHttp, exchange, type HttpCase, httpCase } from '../helpers/fuzz-http.ts';
import { frameCase, type PacketCase, packetCase, packetsOf } from '../helpers/fuzz-packets.ts';
import { hanging } from '../helpers/hanging.ts';
import { inspected, liveHeap } from '../helpers/live-heap.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { connectRaw, frame, openRaw, type RawClient } from '../helpers/raw-client.ts';
import { metrics } from '../helpers/server-figures.ts';
import { size } from './size.ts';

/**
 * 50,000 cases in all, and new ones in every soak run. Without soak, they are fewer and always the same, so that a
 * failure is caused by the change under test. FUZZ_SEED repeats a run by the seed in its failure.
 */
const seed = Number(process.env.FUZZ_SEED ?? size(Date.now() & 0x7fffffff, 20_240_229));
const counts = {
  frames: size(10_000, 50),
  packets: size(15_000, 80),
  events: size(15_000, 80),
  http: size(10_000, 60),
};
/** Cases generated from one seed. */
const perBatch = 200;
const cookie = 'PHPSESSID=mallory';

let memcached: Memcached;
let server: ChatServer;
let pair: ChatClient[];
/** The numbered texts that two users send each other throughout. */
const said: string[] = [];
let talking = true;
let talks: Promise<unknown>;
beforeAll(async () => {
  memcached = await startMemcached();
  for (const name of ['ann', 'ben', 'mallory'])
    await memcached.set(`sessions/${name}`, `{"user_id":"${name}"}`);
  server = await startChatServer({
    ...inspected,
    // A slow response on a busy machine must not affect the result.
    CHAT_SESSION_STORE: `${memcached.url}&timeout=5000ms`,
    CHAT_ROOMS: 'lobby,garden,talk',
  });
  pair = [await connectChat(server.url, 'PHPSESSID=ann'), await connectChat(server.url, 'PHPSESSID=ben')];
  for (const client of pair) await client.request('room:join', { room: 'talk' });
  talks = (async () => {
    for (let n = 0; talking || n < 20; n++) {
      const text = `${n}`;
      await (pair[n % 2] as ChatClient).request('message:send', {
        room: 'talk',
        text,
        clientId: newClientId(),
      });
      said.push(text);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  // The test of these messages reports a failure.
  talks.catch(() => {});
});
afterAll(async () => {
  talking = false;
  for (const client of pair ?? []) client.close();
  await server?.stop();
  await memcached?.stop();
});

let read = 0;
/** Throws if the process has ended or logged an unexpected error since the last call. */
function checkServer(): void {
  const text = server.output();
  const lines = text.slice(read, text.lastIndexOf('\n') + 1).split('\n');
  read = text.lastIndexOf('\n') + 1;
  const bad = lines.filter((line) =>
    line.startsWith('{') ? JSON.parse(line).level >= 50 : /error|exception/i.test(line),
  );
  if (bad.length > 0) throw new Error(`the server logged an error:\n${bad.join('\n')}`);
  const { exitCode, signalCode } = server.process;
  if ((exitCode ?? signalCode) !== null) throw new Error(`the server ended:\n${text.slice(-4000)}`);
}

const idle: RawClient[] = [];
/** Runs a case on a connection, which later cases reuse unless the server closed it. */
async function onConnection(attack: (client: RawClient) => Promise<void>): Promise<void> {
  let client = idle.pop();
  while (client?.closed) client = idle.pop();
  client ??= await enter();
  await attack(client);
  if (client.closed) return;
  expect(await client.ask('"room:list",{}').catch(() => null)).toSatisfy(
    (answer: string | null) => answer === null || answer.startsWith('[{"ok":true'),
  );
  if (!client.closed) idle.push(client);
}
async function enter(): Promise<RawClient> {
  const client = await connectRaw(server.port, cookie, 'lobby');
  const answered = new Set<string>();
  client.onPacket((packet) => {
    const id = /^43(1\d{9})\[/.exec(packet)?.[1];
    if (id === undefined) return;
    if (answered.has(id)) throw new Error(`answered twice: ${packet}`);
    answered.add(id);
  });
  return client;
}

/** Sends packets derived from real ones, mostly within a connection, sometimes as the first of one. */
async function sendPackets(one: PacketCase): Promise<void> {
  const bytes = Buffer.concat(packetsOf(one).map(({ payload, opcode }) => frame(payload, opcode)));
  if (!one.first) return onConnection(async ({ socket }) => void socket.write(bytes));
  const client = await openRaw(server.port, { cookie });
  const answered = client.packet((packet) => /^4[04]/.test(packet)).catch(() => {});
  client.socket.write(bytes);
  // The server does not respond to packets before CONNECT. This event closes the connection.
  if (!/^40/.test(String(packetsOf(one)[0]?.payload))) client.send('42["room:list",{}]');
  await answered;
  client.socket.destroy();
}

const statuses = new Set<number>();
/** Sends any bytes on a new connection, or packets in POSTs to a polling connection. */
async function sendHttp(one: HttpCase): Promise<void> {
  if ('bytes' in one) {
    for (const status of checkHttp(await exchange(server.port, one.bytes))) statuses.add(status);
    return;
  }
  const polling = '/socket.io/?EIO=4&transport=polling';
  const greeting = await say(server.port, request(polling, { Cookie: cookie }));
  const sid = /"sid":"([^"]+)"/.exec(greeting)?.[1];
  const post = async (body: string) => {
    const answer = await say(
      server.port,
      request(`${polling}&sid=${sid}`, { method: 'POST', Cookie: cookie, body }),
    );
    const [status = 0] = checkHttp(answer);
    statuses.add(status);
    if (answer !== '' && ![200, 400, 413].includes(status))
      throw new Error(`a POST was answered by ${status}`);
  };
  if (one.connect) await post('40');
  for (const packet of one.posts) await post(bodyOf([packet]).toString('latin1'));
  // Closes the connection, which would otherwise stay for another 45 s.
  await post('1');
}

/** Runs the attack with random cases, 64 in parallel. A failure reports its case and the seed that repeats it. */
async function tryCases<T>(
  cases: number,
  arbitrary: fc.Arbitrary<T>,
  from: number,
  attack: (one: T) => Promise<void>,
): Promise<void> {
  const drawn: { one: T; seed: number }[] = [];
  let batches = 0;
  const next = (): (typeof drawn)[number] | undefined => {
    if (drawn.length === 0 && batches * perBatch < cases) {
      checkServer();
      const seed = from + batches;
      const numRuns = Math.min(perBatch, cases - batches * perBatch);
      batches++;
      drawn.push(...fc.sample(arbitrary, { seed, numRuns }).map((one) => ({ one, seed })));
    }
    return drawn.pop();
  };
  let hasFailed = false;
  // Each lane takes its next case at once. A case with a DISCONNECT packet takes five seconds, because the server waits
  // for another CONNECT.
  const lane = async () => {
    for (let drawn = next(); drawn !== undefined && !hasFailed; drawn = next()) {
      const { one, seed } = drawn;
      const timer = Promise.withResolvers<never>();
      const late = setTimeout(() => timer.reject(new Error('it hangs')), hanging);
      try {
        await Promise.race([attack(one), timer.promise]);
      } catch (cause) {
        hasFailed = true;
        throw new Error(`seed ${seed}: ${(cause as Error).message}\n${fc.stringify(one).slice(0, 5000)}`, {
          cause,
        });
      } finally {
        clearTimeout(late);
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: 64 }, lane));
  checkServer();
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

const kinds: Record<keyof typeof counts, (cases: number, from: number) => Promise<void>> = {
  frames: (cases, from) =>
    tryCases(cases, frameCase, from, ({ bytes, ends }) =>
      onConnection(async ({ socket }) => {
        if (!ends) return void socket.write(bytes);
        socket.end(bytes);
        await new Promise((resolve) => socket.once('close', resolve));
      }),
    ),
  packets: (cases, from) => tryCases(cases, packetCase, from, sendPackets),
  // A well-formed request gets one response of the protocol and never closes the connection.
  events: (cases, from) =>
    tryCases(cases, eventCase, from, (one: EventCase) =>
      onConnection(async (client) => checkAnswer(one, await client.ask([one.name, ...one.payloads].join()))),
    ),
  http: (cases, from) => tryCases(cases, httpCase, from, sendHttp),
};

/** Waits until the attackers' connections are closed. @returns the heap and the handles that remain */
async function left(handlesBefore = Number.POSITIVE_INFINITY) {
  for (const { socket } of idle.splice(0)) socket.destroy();
  await expect.poll(async () => (await metrics(server.url)).get('chat_connections')).toBe(2);
  const openHandles = async () =>
    (await metrics(server.url)).get('nodejs_active_handles_total') ?? Number.NaN;
  await expect.poll(openHandles, { interval: 500 }).toBeLessThan(handlesBefore + 10);
  return { heap: await liveHeap(server), handles: await openHandles() };
}

let before: Awaited<ReturnType<typeof left>>;
test('warms up the server before its memory is measured', async () => {
  // What is created once at first use (compiled code, caches) is not a leak.
  for (const [kind, attack] of Object.entries(kinds)) await attack(size(2000, 20), kind.length);
  before = await left();
});

test.each(Object.entries(counts))(
  '%s × %i: keeps serving or closes the connection, with one response per event',
  (kind, cases) => kinds[kind as keyof typeof counts](cases, seed),
);

test('delivers the messages of two other users once and in order', async () => {
  talking = false;
  await talks;
  for (const client of pair) await expect.poll(() => client.messages().map(({ text }) => text)).toEqual(said);
});

/** Cases that the reduced counts reach only by chance. */
const seldom = <T>(list: T[]): T[] => list.slice(0, size(list.length, 0));
test('the random cases reach the errors, rejections and closings they are meant for', async () => {
  const names = [...(await metrics(server.url)).keys()].join('\n');
  const reached = (pattern: RegExp) => [...names.matchAll(pattern)].map(([, code]) => code);
  expect(reached(/^chat_requests_total.*code="(\w+)"/gm)).toEqual(
    expect.arrayContaining([
      ...['ok', 'bad_request', 'unknown_event'],
      ...seldom(['unknown_room', 'no_ack', 'too_long', 'unknown_message', 'not_joined', 'conflict']),
    ]),
  );
  expect(reached(/^chat_closed_total\{reason="(\w+)"/gm)).toEqual(
    expect.arrayContaining(['malformed', 'second_connect', ...seldom(['too_large', 'ping_flood'])]),
  );
  expect(reached(/^chat_refusals_total\{code="(\w+)"/gm)).toEqual(
    expect.arrayContaining(['bad_request', ...seldom(['unauthorized', 'origin_not_allowed'])]),
  );
  expect([...statuses]).toEqual(
    expect.arrayContaining([200, 400, 404, ...seldom([101, 204, 403, 405, 431])]),
  );
});

test('frees the connections, handles and memory of the attackers', async () => {
  // The server drops an incomplete handshake after 5 s, and a closed polling connection without further polls after 30
  // s.
  await vi.waitFor(
    async () => {
      const after = await left(before.handles);
      expect(after.heap - before.heap).toBeLessThan(3_000_000);
    },
    { timeout: hanging, interval: 1000 },
  );
  checkServer();
});
