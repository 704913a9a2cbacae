import { expect, onTestFinished, test } from 'vitest';
import { newClientId } from '../helpers/chat-client.ts';
import { startChatServer } from '../helpers/chat-server.ts';
import { startChatSite } from '../helpers/chat-site.ts';
import { connectRaw, type RawClient } from '../helpers/raw-client.ts';
import { connectPolling, type PollingClient } from '../helpers/raw-polling.ts';
import { kernelQueues, megabytes, metrics, percentile, watchRss } from '../helpers/server-figures.ts';
import { size, within } from './size.ts';

const cap = 1024 * 1024;
const room = 'lobby';
const perSecond = size(400, 500);
const listening = size(100, 20);
const promised = 2000;
/** The kernel takes some 4 MB for each connection before anything waits in the server. */
const most = 8000;

/** Of those by polling, who go on asking without reading; the others ask no more. */
const asking = size(4, 0);

test.for<[name: string, webSockets: number, polls: number]>([
  ['WebSocket', 20, 0],
  ['polling', 0, 20],
])(
  `%s: 20 paused and ${listening} live connections, 1 KB messages: the paused are closed, nobody else notices`,
  async ([name, webSockets, polls]) => {
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
    while (paused.length < webSockets) paused.push(await connectRaw(port, await cookie(), room));
    const polling: PollingClient[] = [];
    while (polling.length < polls) polling.push(await connectPolling(port, await cookie(), room));

    const latencies: number[] = [];
    const heard = new Map<RawClient, number>(live.map((client) => [client, 0]));
    for (const client of live) {
      client.onPacket((packet) => {
        if (!packet.startsWith('42["message:new"')) return;
        // Not by a pattern: this is where the test is as busy as the server.
        const at = packet.indexOf('"text":"') + '"text":"'.length;
        latencies.push(performance.now() - Number.parseFloat(packet.slice(at, at + 20)));
        heard.set(client, (heard.get(client) as number) + 1);
      });
    }
    const pad = 'x'.repeat(1000);
    const say = (n: number) => {
      const text = `${performance.now().toFixed(3)} ${pad}`;
      const message = { room, clientId: newClientId(), text };
      // Its ack is not looked at: what everybody hears is counted.
      live[n % live.length]?.send(`42999${JSON.stringify(['message:send', message])}`);
    };
    const allHeard = (count: number) =>
      expect.poll(() => Math.min(...heard.values()), { timeout: 30_000 }).toBe(count);
    // What is compiled with the first messages is no growth.
    const first = 100;
    for (let n = 0; n < first; n++) say(n);
    await allHeard(first);
    latencies.length = 0;

    for (const { socket } of paused) socket.pause();
    const memory = watchRss(site.chat.pid);
    const before = live[0]?.received as number;
    const began = performance.now();
    /** When each of the paused had, for the first time, more than the cap waiting for it in the server. */
    const passed = new Map<object, number>();
    const published = () => (live[0]?.received as number) - before;
    const look = () => {
      const queues = kernelQueues(port);
      for (const client of [...paused, ...polling]) {
        const inKernel = queues.get(client.socket?.localPort ?? 0)?.bytes ?? 0;
        if (published() - inKernel > cap && !passed.has(client)) passed.set(client, performance.now());
      }
    };
    const closed: number[] = [];
    let sent = 0;
    let askedAt = 0;
    let nextLook = began;
    while (sent < promised || (closed.length < 20 && sent < most)) {
      const now = performance.now();
      const due = Math.min(most, Math.floor(((now - began) / 1000) * perSecond));
      for (; sent < due; sent++) say(sent);
      // Never without anything to be had: a second question while one is open breaks Engine.IO's rules.
      if (published() - askedAt > 200_000) {
        askedAt = published();
        for (const client of polling.slice(0, asking)) client.askWithoutReading();
      }
      if (now >= nextLook) {
        // Not so often that looking is what the server is busy with.
        nextLook = now + 100;
        look();
        const count = await slowReaders();
        while (closed.length < count) closed.push(performance.now());
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await allHeard(first + sent);
    memory.stop();
    const p99 = percentile(latencies, 0.99);
    const crossings = [...passed.values()].sort((a, b) => a - b);
    const took = closed.map((at, n) => Math.round(at - (crossings[n] ?? Number.NaN)));
    console.log(
      `slow readers, ${name}: ${closed.length} closed, ms after passing the cap: ${took.join(' ')}; ${sent} messages, ` +
        `+${megabytes(memory.most())} MB, p99 ${p99.toFixed(1)} ms, median ${percentile(latencies, 0.5).toFixed(1)} ms`,
    );
    expect(closed).toHaveLength(20);
    // Nobody before he was over it (as far as can be seen from outside), and nobody long after.
    expect(crossings.length).toBe(20);
    for (const [n, at] of crossings.entries()) expect((closed[n] as number) - at).toBeLessThan(within(1000));
    expect(memory.most()).toBeLessThan(within(50e6));
    expect(p99).toBeLessThan(within(250));
    expect(live.filter((client) => client.closed)).toEqual([]);
    for (const client of [...live, ...paused]) client.socket.destroy();
    for (const client of polling) client.close();
  },
);
