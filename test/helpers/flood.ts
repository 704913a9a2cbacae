/**
 * An attacker in a process of its own: `node flood.ts KIND PORT MILLISECONDS ADDRESSES COUNT COOKIE`. It comes from
 * the loopback addresses that are named, does what it can for that time, and prints what came of it.
 */
import { connect, type Socket } from 'node:net';
import { frame, opcode, openRaw, type RawClient, upgradeRequest } from './raw-client.ts';

const [kind = '', port = '', time = '', addresses = '', count = '0', cookie = ''] = process.argv.slice(2);
const until = performance.now() + Number(time);
const from = addresses.split(',');
const outcomes: Record<string, number> = {};
const seen = (what: string) => {
  outcomes[what] = (outcomes[what] ?? 0) + 1;
};

let next = 0;
function tcp(): Socket {
  const localAddress = from[next++ % from.length] as string;
  const socket = connect({ port: Number(port), host: '127.0.0.1', localAddress, noDelay: true });
  socket.on('error', () => seen('error'));
  return socket;
}

/** Writes once and resolves with the status of the answer; the connection is closed then. */
function ask(text: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = tcp();
    socket.write(text);
    socket.once('data', (piece: Buffer) => {
      seen(piece.toString('latin1', 9, 12));
      socket.destroy();
    });
    socket.on('close', () => resolve());
  });
}

const unknown = () =>
  `PHPSESSID=${next++}${Math.random().toString(36).slice(2)}`.replace(/[^A-Za-z0-9=]/g, '');
const open = (as: string): Promise<RawClient | null> =>
  openRaw(Number(port), { cookie: as, localAddress: from[next++ % from.length] as string }).then(
    (client) => {
      seen('opened');
      return client;
    },
    () => {
      seen('refused');
      return null;
    },
  );

/** Writes the bytes again and again, as fast as they are taken, until the server has closed the connection. */
async function pour(client: RawClient | null, bytes: Buffer): Promise<void> {
  if (client === null) return;
  while (!client.closed && performance.now() < until) {
    seen('written');
    if (!client.socket.write(bytes)) {
      await new Promise<void>((resolve) => {
        client.socket.once('drain', resolve);
        client.socket.once('close', () => resolve());
      });
    } else await turn();
  }
  if (client.closed) seen('closed');
  client.socket.destroy();
}
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const many = (packet: string, n: number, op?: number) =>
  Buffer.concat(Array.from({ length: n }, () => frame(packet, op)));

const nearLimit = frame(`420["room:list",{"pad":"${'x'.repeat(65_000)}"}]`);
const tooLarge = frame(`420["room:list",{"pad":"${'x'.repeat(70_000)}"}]`);
const partialRequest = 'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: chat.example\r\n';

/** What one of the parallel attackers does once; it is done over and over. */
const floods: Record<string, (n: number) => Promise<void>> = {
  handshakes: () => ask(upgradeRequest()),
  polling: () =>
    ask(
      'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: chat.example\r\nConnection: close\r\n\r\n',
    ),
  async pings(n) {
    const client = await open(unknown());
    // Half of them do not even read the answers.
    if (n % 2 === 0) client?.socket.pause();
    await pour(client, n % 4 < 2 ? many('', 1000, opcode.ping) : many('3', 1000));
  },
  async connects(n) {
    const client = await open(unknown());
    if (client === null) return;
    if (n % 10 === 0) return pour(client, many('40', 1000));
    client.send('40');
    await client
      .packet((packet) => packet.startsWith('44'))
      .then(
        () => seen('told'),
        () => seen('closed'),
      );
    client.socket.destroy();
  },
  async packets(n) {
    // Somebody who is logged in, so that the large packets are looked at.
    const client = await open(cookie);
    if (client === null) return;
    const ready = client.packet((packet) => packet.startsWith('42') || packet.startsWith('44'));
    client.send('40');
    await ready.catch(() => null);
    client.onPacket((packet) => {
      if (packet.startsWith('43')) seen(/"code":"(\w+)"/.exec(packet)?.[1] ?? 'ok');
    });
    await pour(client, n % 2 === 0 ? nearLimit : tooLarge);
  },
  slowloris: () =>
    new Promise((resolve) => {
      const socket = tcp();
      let sent = 0;
      const timer = setInterval(() => {
        if (performance.now() > until) return socket.destroy();
        socket.write(partialRequest[sent] ?? 'x');
        sent++;
      }, 100);
      socket.once('data', (piece: Buffer) => seen(piece.toString('latin1', 9, 12)));
      socket.on('close', () => {
        clearInterval(timer);
        seen('closed');
        resolve();
      });
    }),
  halfOpen: () =>
    new Promise((resolve) => {
      const socket = tcp();
      socket.on('connect', () => seen('opened'));
      socket.write(partialRequest);
      socket.once('data', (piece: Buffer) => seen(piece.toString('latin1', 9, 12)));
      const timer = setTimeout(() => socket.destroy(), until - performance.now());
      socket.on('close', () => {
        clearTimeout(timer);
        resolve();
      });
    }),
};

const flood = floods[kind];
if (flood === undefined) throw new Error(`no such flood: ${kind}`);
await Promise.all(
  Array.from({ length: Number(count) }, async (_, n) => {
    while (performance.now() < until) {
      await flood(n);
      // Refused at once, a loop without this would let nothing else happen in this process.
      await turn();
    }
  }),
);
console.log(JSON.stringify({ done: outcomes }));
process.exit(0);
