import { expect, onTestFinished, test } from 'vitest';
import { newClientId } from '../helpers/chat-client.ts';
import { startChatServer } from '../helpers/chat-server.ts';
import { startChatSite } from '../helpers/chat-site.ts';
import { connectRaw, type RawClient } from '../helpers/raw-client.ts';
import { kernelQueues, megabytes, metrics, watchRss } from '../helpers/server-figures.ts';
import { size } from './size.ts';

const cap = 1024 * 1024;
const room = 'lobby';
const listening = size(100, 2);
const slow = size(20, 1);
/** Messages of 12 KB that are sent together. All listeners receive them before the next batch. */
const batch = 5;
const promised = size(200, 0);
/** The maximum number of messages. The kernel buffers some 4 MB per connection before data queues in the server. */
const most = 700;
/** Bytes of responses that the paused client requests first. They fill most of the kernel's buffers. */
const ahead = size(0, 2_500_000);
/** The bytes that may be published after a client exceeds the limit and before it is closed: four batches. */
const grace = 4 * batch * 12_300;
/** Megabytes. The promise is 50, but a busy machine does not always collect garbage in time. */
const mostMemory = size(50, 250);

test(`closes ${slow} slow readers within ${grace / 1000} KB of the queue limit, and none of ${listening} other connections`, async () => {
  const site = await startChatSite({ CHAT_LIMIT_QUEUE: '1MB' }, startChatServer);
  onTestFinished(() => site.close());
  const { port } = site.chat;
  const slowReaders = async () =>
    (await metrics(site.chat.url)).get('chat_closed_total{reason="slow_reader"}') ?? 0;
  let users = 0;
  const cookie = () => site.session(++users);
  const live: RawClient[] = [];
  while (live.length < listening) live.push(await connectRaw(port, await cookie(), room));
  const paused: RawClient[] = [];
  while (paused.length < slow) paused.push(await connectRaw(port, await cookie(), room));

  // A listener gets no acks, so it receives only the bytes that all clients get.
  const [listener, ...writers] = live as [RawClient, ...RawClient[]];

  const heard = new Map<RawClient, number>(live.map((client) => [client, 0]));
  let sent = 0;
  let allHeard = () => {};
  for (const client of live) {
    client.onPacket((packet) => {
      if (!packet.startsWith('42["message:new"')) return;
      heard.set(client, (heard.get(client) as number) + 1);
      if (Math.min(...heard.values()) === sent) allHeard();
    });
  }
  const text = '中'.repeat(4000);
  /** Sends a batch. Resolves when all live clients have received it. */
  const say = () =>
    new Promise<void>((resolve) => {
      allHeard = resolve;
      sent += batch;
      for (let n = 0; n < batch; n++) {
        const message = { room, clientId: newClientId(), text };
        // The ack is ignored. Only the messages that all clients get are counted.
        writers[n % writers.length]?.send(`42999${JSON.stringify(['message:send', message])}`);
      }
    });
  // Code that is compiled for the first messages does not count as growth.
  await say();
  await say();

  for (const { socket } of paused) socket.pause();
  // Without these pongs, the server would close the paused clients on a slow machine.
  const alive = setInterval(() => {
    for (const client of paused) client.send('3');
  }, 5000);
  onTestFinished(() => clearInterval(alive));
  const all = { room, since: 0 };
  const unread = listener.received;
  await listener.request('room:sync', all);
  const answer = listener.received - unread;
  const answers = Math.floor(ahead / answer);
  for (const client of paused)
    for (let n = 0; n < answers; n++) client.send(`428${n}${JSON.stringify(['room:sync', all])}`);
  const waiting = (client: RawClient) => kernelQueues(port).get(client.socket.localPort ?? 0)?.bytes ?? 0;
  // A paused socket reads one more piece of at most 64 KB.
  for (const client of paused)
    await expect.poll(() => waiting(client), { interval: 20 }).toBeGreaterThan(answers * answer - 100_000);

  const memory = watchRss(site.chat.pid);
  const before = live[0]?.received as number;
  const published = () => listener.received - before;
  /** By paused client: the bytes published when its queue in the server first exceeded the limit. */
  const passed = new Map<RawClient, number>();
  const closed: number[] = [];
  while (sent < promised || (Math.min(closed.length, passed.size) < slow && sent < most)) {
    await say();
    const count = await slowReaders();
    while (closed.length < count) closed.push(published());
    const queues = kernelQueues(port);
    for (const client of paused) {
      const inKernel = queues.get(client.socket.localPort ?? 0)?.bytes ?? 0;
      if (answers * answer + published() - inKernel > cap && !passed.has(client))
        passed.set(client, published());
    }
  }
  memory.stop();
  const crossings = [...passed.values()].sort((a, b) => a - b);
  const after = closed.map((at, n) => Math.round((at - (crossings[n] ?? Number.NaN)) / 1000));
  console.log(
    `slow readers: ${closed.length} closed, KB after passing the cap: ${after.join(' ')}; ${sent} messages, ` +
      `+${megabytes(memory.most())} MB`,
  );
  expect(closed).toHaveLength(slow);
  // No client was closed long before or after it exceeded the limit, as far as visible from outside. A write counts as
  // queued until the kernel has taken all of it, and a busy server writes more at once.
  expect(crossings.length).toBe(slow);
  for (const [n, at] of crossings.entries()) expect(Math.abs((closed[n] as number) - at)).toBeLessThan(grace);
  expect(megabytes(memory.most())).toBeLessThan(mostMemory);
  expect(live.filter((client) => client.closed)).toEqual([]);
  for (const client of [...live, ...paused]) client.socket.destroy();
});
