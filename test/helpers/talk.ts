import { newClientId } from './chat-client.ts';
import { connectRaw, type RawClient } from './raw-client.ts';

export interface Talk {
  /** From the sending of a message to its arrival at another, in milliseconds. */
  readonly latencies: number[];
  /** How many were sent so far, and how many of them were acknowledged. */
  readonly count: { readonly sent: number; readonly acknowledged: number };
  /** How many clients are no longer connected. */
  gone(): number;
  /** Stops sending, and waits until everything sent has been acknowledged. */
  stop(): Promise<void>;
}

/** Users in one room who keep talking, each so rarely that no limit applies, and measure the delays. */
export async function startTalk(
  port: number,
  options: { cookies: readonly string[]; room: string; every: number },
): Promise<Talk> {
  const { cookies, room, every } = options;
  const latencies: number[] = [];
  const count = { sent: 0, acknowledged: 0 };
  const clients: RawClient[] = [];
  for (const [n, cookie] of cookies.entries()) {
    const client = await connectRaw(port, cookie, room);
    client.onPacket((packet) => {
      const said = /^42\["message:new",.*"text":"(\d+) ([\d.]+)"/.exec(packet);
      if (said !== null && Number(said[1]) !== n) latencies.push(performance.now() - Number(said[2]));
    });
    clients.push(client);
  }
  const under = new Set<Promise<unknown>>();
  const failures: string[] = [];
  const say = (client: RawClient, n: number) => {
    const message = { room, text: `${n} ${performance.now().toFixed(3)}`, clientId: newClientId() };
    count.sent++;
    const one = client
      .request('message:send', message)
      .then(
        (answer) => {
          if (answer.includes('"ok":true')) count.acknowledged++;
          else failures.push(answer);
        },
        (error: unknown) => void failures.push(String(error)),
      )
      .finally(() => under.delete(one));
    under.add(one);
  };
  const timers = clients.map((client, n) => setInterval(() => say(client, n), every));
  return {
    latencies,
    count,
    gone: () => clients.filter(({ closed }) => closed).length,
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await Promise.all(under);
      for (const client of clients) client.socket.destroy();
      if (failures.length > 0) throw new Error(`messages were not taken: ${failures.slice(0, 3).join(', ')}`);
    },
  };
}
