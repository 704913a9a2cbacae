import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ChatClient, connectChat } from '../helpers/chat-client.ts';
import { type ChatServer, startChatServer } from '../helpers/chat-server.ts';
import { checkAnswer, type EventCase, eventCase, fits } from '../helpers/fuzz-events.ts';
import { type FrameCase, frameCase, framesOf } from '../helpers/fuzz-frames.ts';
import { bodyOf, checkHttp, exchange, type HttpCase, httpCase, requestOf } from '../helpers/fuzz-http.ts';
import { type PacketCase, packetCase, packetsOf } from '../helpers/fuzz-packets.ts';
import { type Kept, kept, startTalk, tryCases, watchServer } from '../helpers/fuzz-watch.ts';
import { frame, notHanging, Pool, Wire } from '../helpers/fuzz-wire.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { metrics, percentile } from '../helpers/server-figures.ts';
import { size } from './size.ts';

/**
 * 200,000 cases in all. Every full run draws new ones; the reduced ones are always the same, so that a failure is
 * caused by the change under test. FUZZ_SEED repeats a run by the seed in its failure.
 */
const seed = Number(process.env.FUZZ_SEED ?? size(Date.now() & 0x7fffffff, 20_240_229));
const counts = {
  frames: size(40_000, 100),
  packets: size(60_000, 100),
  events: size(60_000, 100),
  http: size(40_000, 100),
};

let memcached: Memcached;
let server: ChatServer;
let watch: ReturnType<typeof watchServer>;
let pair: [ChatClient, ChatClient];
let talk: ReturnType<typeof startTalk>;
let pool: Pool;
let before: Kept;
const cookie = 'PHPSESSID=mallory';

beforeAll(async () => {
  memcached = await startMemcached();
  for (const name of ['ann', 'ben', 'mallory'])
    await memcached.set(`sessions/${name}`, `{"user_id":"${name}"}`);
  server = await startChatServer({
    // A busy machine that reads an answer late must not affect the result.
    CHAT_SESSION_STORE: `${memcached.url}&timeout=5000ms`,
    CHAT_ROOMS: 'lobby,garden,talk',
    NODE_OPTIONS: '--inspect=127.0.0.1:0',
  });
  watch = watchServer(server);
  pair = [await connectChat(server.url, 'PHPSESSID=ann'), await connectChat(server.url, 'PHPSESSID=ben')];
  for (const client of pair) await client.request('room:join', { room: 'talk' });
  talk = startTalk(pair, 'talk');
  pool = new Pool(() => Wire.connected(server.port, cookie));
});
afterAll(async () => {
  for (const client of pair ?? []) client.close();
  await server?.stop();
  await memcached?.stop();
});

/** Everything that is left when the attackers have gone. */
async function settled(): Promise<Kept> {
  await pool.close();
  await expect.poll(async () => (await kept(server)).connections).toBe(2);
  return kept(server);
}

/** Frames of any kind: afterwards the connection works as new, or is closed. */
async function sendFrames(one: FrameCase): Promise<void> {
  await pool.use(async (wire) => {
    const { bytes, ends } = framesOf(one);
    wire.write(bytes);
    if (!ends) return void (await wire.probe());
    wire.socket.end();
    await notHanging(wire.closed, 'the end of a connection whose client has ended');
  });
}

/** Packets derived from real ones, mostly within a connection, sometimes as the first of one. */
async function sendPackets(one: PacketCase): Promise<void> {
  const frames = packetsOf(one).map(({ payload, opcode }) => frame(payload, { opcode }));
  if (!one.first) {
    return pool.use(async (wire) => {
      for (const bytes of frames) wire.write(bytes);
      await wire.probe();
    });
  }
  const wire = await Wire.open(server.port, cookie);
  const answered = wire.packet((packet) => /^4[04]/.test(packet));
  for (const bytes of frames) wire.write(bytes);
  // Anything but a CONNECT gets no answer until the probe, which comes too early, closes the connection.
  if (!/^40/.test(String(packetsOf(one)[0]?.payload))) wire.write(frame('42["room:list",{}]'));
  await answered;
  wire.socket.destroy();
}

const joined = new WeakSet<Wire>();
/** A well-formed request is answered once, according to the protocol, and never closes the connection. */
async function sendEvent(one: EventCase): Promise<void> {
  await pool.use(async (wire) => {
    // In a room that the connection has not joined, fewer checks would run.
    if (!joined.has(wire)) await wire.ask('"room:join",{"room":"lobby"}');
    joined.add(wire);
    const answer = await wire.ask([one.name, ...one.payloads].join());
    if (answer === null) throw new Error('the connection was closed');
    checkAnswer(one, answer);
  });
}

const statuses = new Set<number>();
/** Any bytes on a new connection; or the same mutated packets in POSTs to a polling connection. */
async function sendHttp(one: HttpCase): Promise<void> {
  if (one.kind !== 'posts') {
    for (const status of checkHttp(await exchange(server.port, requestOf(one)))) statuses.add(status);
    return;
  }
  const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await (await fetch(url, { headers: { cookie } })).text()).slice(1)) as {
    sid: string;
  };
  const post = async (body: string | Buffer) => {
    const answer = await fetch(`${url}&sid=${sid}`, {
      method: 'POST',
      headers: { cookie },
      body: body as string,
    });
    await answer.arrayBuffer();
    if (![200, 400, 413].includes(answer.status)) throw new Error(`a POST was answered by ${answer.status}`);
  };
  if (one.connect) await post('40');
  for (const cases of one.posts) await post(bodyOf(cases));
  // Like a page that is left: an open connection would stay for another 45 s.
  await post('1');
}

const run =
  <T>(arbitrary: Parameters<typeof tryCases<T>>[1], attack: (one: T) => Promise<void>) =>
  (cases: number, from = seed) =>
    tryCases(cases, arbitrary, from, attack, watch.check);
const attacks = {
  frames: run(frameCase, sendFrames),
  packets: run(packetCase, sendPackets),
  events: run(eventCase.filter(fits), sendEvent),
  http: run(httpCase, sendHttp),
};

test('warmed up', async () => {
  // Things that are made once, at the first of its kind (compiled code, caches), are no leak.
  for (const [kind, attack] of Object.entries(attacks)) await attack(size(2000, 50), kind.length);
  before = await settled();
});

test(`${counts.frames} × WebSocket frames: served on or closed`, () => attacks.frames(counts.frames));
test(`${counts.packets} × mutated packets: served on or closed`, () => attacks.packets(counts.packets));
test(`${counts.events} × events: each request gets one answer of the protocol`, () =>
  attacks.events(counts.events));
test(`${counts.http} × HTTP: an answer or a closed connection`, () => attacks.http(counts.http));

test('two users have talked all the while: each message came once and in order', async () => {
  const talks = await talk.stop();
  for (const { expected, received } of talks) {
    expect(expected.length).toBeGreaterThan(20);
    await expect.poll(() => received()).toEqual([expected, expected]);
  }
  const [half, most, longest] = [0.5, 0.99, 1].map((share) => percentile(talk.latencies, share).toFixed(1));
  console.log(
    `${talk.latencies.length} messages beside the attack: median ${half} ms, p99 ${most} ms, longest ${longest} ms`,
  );
});

/** Cases that the reduced counts reach only by luck. */
const seldom = <T>(list: T[]): T[] => list.slice(0, size(list.length, 0));
test('the cases have gone in as far as they should, or all of this would say little', async () => {
  const names = [...(await metrics(server.url)).keys()].join('\n');
  const reached = (pattern: RegExp) => [...names.matchAll(pattern)].map(([, code]) => code);
  expect(reached(/^chat_requests_total.*code="(\w+)"/gm)).toEqual(
    expect.arrayContaining([
      ...['ok', 'bad_request', 'unknown_event', 'unknown_room'],
      ...seldom(['no_ack', 'too_long', 'unknown_message', 'not_joined', 'conflict']),
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

const megabyte = 1024 * 1024;
const lessThan = (limit: number) => ({
  asymmetricMatch: (value: number) => value < limit,
  toString: () => `less than ${limit}`,
});
test('nothing is left of the attackers: connections, handles, memory', async () => {
  await settled();
  // An incomplete handshake is forgotten after 5 s, and a polling connection that the server closed and that polls no
  // more after 30 s.
  await expect
    .poll(
      async () => {
        const after = await kept(server);
        return [
          { handles: after.handles - before.handles, heap: after.heap - before.heap },
          { external: after.external - before.external },
        ];
      },
      { interval: 500 },
    )
    .toEqual([{ handles: lessThan(10), heap: lessThan(3 * megabyte) }, { external: lessThan(3 * megabyte) }]);
  watch.check();
});
