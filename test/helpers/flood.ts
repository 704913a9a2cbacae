/**
 * An attacker in a separate process: `node flood.ts KIND PORT MILLISECONDS ADDRESSES COUNT COOKIE`. It attacks from the
 * given loopback addresses for that time, or until SIGTERM, and prints each kind of outcome when it is first seen, and
 * the result. Without a cookie it is not logged in.
 */
import { connect, type Socket } from 'node:net';
import { fragments, frame, opcode, openRaw, type RawClient, upgradeRequest } from './raw-client.ts';
import { RawClient as HttpClient } from './raw-http.ts';

const [kind = '', port = '', time = '', addresses = '', count = '0', cookie = ''] = process.argv.slice(2);
const until = performance.now() + Number(time);
const from = addresses.split(',');
const outcomes: Record<string, number> = {};
const seen = (what: string) => {
  if (outcomes[what] === undefined) console.log(JSON.stringify({ first: what }));
  outcomes[what] = (outcomes[what] ?? 0) + 1;
};
function end(): never {
  console.log(JSON.stringify({ done: outcomes }));
  process.exit(0);
}
process.on('SIGTERM', end);

let next = 0;
function tcp(): Socket {
  const localAddress = from[next++ % from.length] as string;
  const socket = connect({ port: Number(port), host: '127.0.0.1', localAddress, noDelay: true });
  socket.on('error', () => seen('error'));
  return socket;
}

/** Writes once and resolves with the status of the answer; then the connection is closed. */
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
    async () => {
      seen('refused');
      // Without this pause it would only be a flood of handshakes.
      await pause(1000);
      return null;
    },
  );
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Writes the bytes again and again, as fast as they are accepted, until the server has closed the connection. */
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

/** As large as one read of the server. */
const filled = (bytes: Buffer) => Buffer.alloc(65_536 - (65_536 % bytes.length), bytes);
/** Fragments of a message that never ends. */
const endless = (part: string) => {
  const parts = fragments(part, part, '');
  const size = frame(part).length;
  return { first: parts.subarray(0, size), next: filled(parts.subarray(size, 2 * size)) };
};

/** A WebSocket connection, logged in as the cookie's user if there is one. */
async function enter(): Promise<RawClient | null> {
  if (cookie === '') return open(unknown());
  const client = await open(cookie);
  if (client === null) return null;
  const ready = client.packet((packet) => packet.startsWith('42') || packet.startsWith('44'));
  client.send('40');
  const answer = await ready.catch(() => '');
  if (answer.startsWith('42')) return client;
  seen(answer.startsWith('44') ? 'told' : 'closed');
  client.socket.destroy();
  return null;
}

/** The same by long-polling, before CONNECT: functions that post a body and that poll. */
async function enterByPolling() {
  const address = from[next++ % from.length] as string;
  const [asking, posting] = [
    await HttpClient.connect(Number(port), address),
    await HttpClient.connect(Number(port), address),
  ];
  const headers = { Cookie: cookie === '' ? unknown() : cookie };
  const path = '/socket.io/?EIO=4&transport=polling';
  const close = () => {
    asking.close();
    posting.close();
  };
  const opened = await asking.get(path, headers);
  const sid = /"sid":"([^"]+)"/.exec(opened)?.[1];
  if (sid === undefined) {
    seen('refused');
    close();
    await pause(1000);
    return null;
  }
  seen('opened');
  return {
    post: (body: string) => posting.post(`${path}&sid=${sid}`, body, headers),
    ask: () => asking.get(`${path}&sid=${sid}`, headers),
    close,
  };
}

async function pourParts(part: string): Promise<void> {
  const client = await enter();
  client?.socket.write(endless(part).first);
  await pour(client, endless(part).next);
}

type Flood = (n: number) => Promise<void>;

/** A single act of a parallel attacker, who repeats it. */
const floods: Record<string, Flood> = {
  async events() {
    await pour(await enter(), filled(frame('421["a"]')));
  },
  /** Each time as much as one read takes, then a pause as long as a penalty may last. */
  async bursts() {
    const client = await enter();
    while (client !== null && !client.closed && performance.now() < until) {
      seen('written');
      client.socket.write(filled(frame('421["a"]')));
      await pause(Math.min(8000, until - performance.now()));
    }
    if (client?.closed) seen('closed');
    client?.socket.destroy();
  },
  async posts(n) {
    const client = await enterByPolling();
    if (client === null) return;
    // As many packets as fit, or as many as are accepted.
    const body = Array.from({ length: n % 4 < 2 ? 7281 : 500 }, () => '421["a"]').join('\x1e');
    let over = false;
    const asking = async () => {
      while (!over && performance.now() < until) await client.ask();
    };
    try {
      if (cookie !== '') {
        await client.post('40');
        while (!(await client.ask()).includes('session:ready'));
        // Half of them do not even read the answers.
        if (n % 2 === 0) void asking().catch(() => {});
      }
      while (performance.now() < until) {
        seen('written');
        if ((await client.post(body)) !== 'ok') break;
      }
    } catch {
      seen('closed');
    }
    over = true;
    client.close();
  },
  /** Requests for as much history as allowed, again and again. */
  async reads(n) {
    const client = await enter();
    if (client === null) return;
    const all = { room: 'lobby', since: 0, limit: 500 };
    // Half of them send many requests at once, the others the next one after each answer.
    const atOnce = n % 2 === 0 ? 50 : 1;
    const closed = new Promise((resolve) => client.socket.once('close', resolve));
    while (!client.closed && performance.now() < until) {
      const asked = Array.from({ length: atOnce }, () =>
        client.request('room:sync', all).then(
          (answer) => seen(/"code":"(\w+)"/.exec(answer)?.[1] ?? 'ok'),
          () => seen('closed'),
        ),
      );
      await Promise.race([Promise.all(asked), closed]);
    }
    client.socket.destroy();
  },
  fragments: () => pourParts('x'),
  emptyFragments: () => pourParts(''),
  async pongs() {
    await pour(await enter(), filled(frame('', opcode.pong)));
  },
  async webSocketPings() {
    await pour(await enter(), filled(frame('', opcode.ping)));
  },
  /** All frames that need no login, at once. */
  frames: (n) =>
    (floods[['fragments', 'emptyFragments', 'pongs', 'webSocketPings'][n % 4] as string] as Flood)(n),
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
    // A logged-in client, so that the server processes the large packets.
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
const all = Promise.all(
  Array.from({ length: Number(count) }, async (_, n) => {
    while (performance.now() < until) {
      await flood(n);
      // If it is refused at once, this loop would otherwise block the process.
      await turn();
    }
  }),
);
// Some attackers have to wait longer.
await Promise.race([all, pause(until - performance.now() + 1000)]);
end();
