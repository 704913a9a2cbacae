/**
 * An attacker in a separate process: `node flood.ts KIND PORT MILLISECONDS ADDRESSES COUNT COOKIE`. It attacks from
 * these loopback addresses for that time, or until SIGTERM. It prints each kind of outcome when it first occurs, and
 * the result. Without a cookie it is not logged in.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import { fragments, frame, opcode, openRaw, type RawClient, upgradeRequest } from './raw-client.ts';
import { RawClient as HttpClient } from './raw-http.ts';

const [kind = '', port = '', time = '', addresses = '', count = '0', cookie = ''] = process.argv.slice(2);
const until = performance.now() + Number(time);
const isOver = () => performance.now() > until;
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
const nextAddress = () => from[next++ % from.length] as string;
function tcp(): Socket {
  const socket = connect({
    port: Number(port),
    host: '127.0.0.1',
    localAddress: nextAddress(),
    noDelay: true,
  });
  socket.on('connect', () => seen('opened'));
  socket.on('error', () => seen('error'));
  return socket;
}
/** Waits for the next event of this name, regardless of errors before it. */
const heard = (socket: Socket, event: string) => new Promise((resolve) => socket.once(event, resolve));
const unknown = () => `PHPSESSID=${next++}${Math.random().toString(36).slice(2)}`;

/** Opens a WebSocket connection, logged in as the cookie's user if there is one. */
async function enter(): Promise<RawClient | null> {
  const client = await openRaw(Number(port), {
    cookie: cookie || unknown(),
    localAddress: nextAddress(),
  }).catch(() => null);
  if (client === null) {
    seen('refused');
    // Without this delay it would only be a flood of handshakes.
    await pause(1000);
    return null;
  }
  seen('opened');
  if (cookie === '') return client;
  const ready = client.packet((packet) => packet.startsWith('42') || packet.startsWith('44'));
  client.send('40');
  if ((await ready.catch(() => '')).startsWith('42')) return client;
  seen('closed');
  client.socket.destroy();
  return null;
}

/** Writes the bytes repeatedly, as fast as they are accepted, until the server closes the connection or time is up. */
async function pour(bytes: Buffer, first?: Buffer): Promise<void> {
  const client = await enter();
  if (client === null) return;
  if (first !== undefined) client.socket.write(first);
  while (!client.closed && !isOver()) {
    seen('written');
    if (client.socket.write(bytes)) await turn();
    else await Promise.race([heard(client.socket, 'drain'), heard(client.socket, 'close')]);
  }
  if (client.closed) seen('closed');
  client.socket.destroy();
}
/** Repeats the bytes up to the size of one read of the server. */
const filled = (bytes: Buffer) => Buffer.alloc(65_536 - (65_536 % bytes.length), bytes);
/** Sends fragments of a message that never ends. */
const pourParts = (part: string) => {
  const [size, parts] = [frame(part).length, fragments(part, part, '')];
  return pour(filled(parts.subarray(size, 2 * size)), parts.subarray(0, size));
};

const get = (target: string, more = '') => `GET ${target} HTTP/1.1\r\nHost: chat.example\r\n${more}\r\n`;
const polling = '/socket.io/?EIO=4&transport=polling';
const script = get('/php-chat.js');
/** Returns a request with many headers, from which the server makes many objects. */
const stuffed = (headers: number) =>
  get('/php-chat.js', Array.from({ length: headers }, (_, n) => `x${n}: ${n}x\r\n`).join(''));

/**
 * Sends plain HTTP on an open connection. It writes again after `every` milliseconds, or when the number of `answers`
 * has arrived. Without `answers`, it does not read.
 */
async function keepWriting(
  write: (nth: number) => string,
  { every, answers }: { every?: number; answers?: number },
): Promise<void> {
  const socket = tcp();
  let nth = 0;
  // Waits until the kernel has taken the bytes, so that this process stays small too.
  const writeNext = () => void (socket.writableLength === 0 && socket.write(write(nth++)));
  let open = answers ?? 0;
  if (answers !== undefined)
    socket.setEncoding('latin1').on('data', (piece: string) => {
      for (const [, status = ''] of piece.matchAll(/HTTP\/1\.1 (\d+) /g)) {
        seen(status);
        open--;
      }
      if (open > 0) return;
      open = answers;
      writeNext();
    });
  writeNext();
  const timer = every === undefined ? undefined : setInterval(writeNext, every);
  const ends = setTimeout(() => socket.destroy(), until - performance.now());
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(timer);
  clearTimeout(ends);
  seen('closed');
}

/** By kind of attack, one attempt of one of the parallel attackers, who repeat it. */
const floods: Record<string, (n: number) => Promise<void>> = {
  events: () => pour(filled(frame('421["a"]'))),
  async posts(n) {
    const address = nextAddress();
    const [asking, posting] = [
      await HttpClient.connect(Number(port), address),
      await HttpClient.connect(Number(port), address),
    ];
    const headers = { Cookie: cookie || unknown() };
    const sid = /"sid":"([^"]+)"/.exec(await asking.get(polling, headers))?.[1];
    if (sid === undefined) {
      seen('refused');
      await pause(1000);
    } else {
      seen('opened');
      const post = (body: string) => posting.post(`${polling}&sid=${sid}`, body, headers);
      const ask = () => asking.get(`${polling}&sid=${sid}`, headers);
      // As many packets as fit, or as many as the server accepts.
      const body = Array.from({ length: n % 4 < 2 ? 7281 : 500 }, () => '421["a"]').join('\x1e');
      try {
        if (cookie !== '') {
          await post('40');
          while (!(await ask()).includes('session:ready'));
        }
        while (!isOver()) {
          seen('written');
          if ((await post(body)) !== 'ok') break;
        }
      } catch {
        seen('closed');
      }
    }
    asking.close();
    posting.close();
  },
  /** Requests as much history as allowed, repeatedly. Half of the attackers send many requests at once. */
  async reads(n) {
    const client = await enter();
    if (client === null) return;
    while (!client.closed && !isOver()) {
      const asked = Array.from({ length: n % 2 === 0 ? 50 : 1 }, () =>
        client.request('room:sync', { room: 'lobby', since: 0, limit: 500 }).then(
          (answer) => seen(/"code":"(\w+)"/.exec(answer)?.[1] ?? 'ok'),
          () => seen('closed'),
        ),
      );
      await Promise.all(asked);
    }
    client.socket.destroy();
  },
  /** Sends frames that need no login. */
  frames(n) {
    if (n % 4 < 2) return pourParts(n % 4 === 0 ? 'x' : '');
    return pour(filled(frame('', n % 4 === 2 ? opcode.pong : opcode.ping)));
  },
  async handshakes() {
    const socket = tcp();
    socket.write(upgradeRequest());
    const piece = await Promise.race([heard(socket, 'data'), heard(socket, 'close')]);
    if (Buffer.isBuffer(piece)) seen(piece.toString('latin1', 9, 12));
    socket.destroy();
  },
  async connects(n) {
    if (n % 10 === 0) return pour(filled(frame('40')));
    const client = await enter();
    client?.send('40');
    await client
      ?.packet((packet) => packet.startsWith('44'))
      .then(
        () => seen('told'),
        () => seen('closed'),
      );
    client?.socket.destroy();
  },
  /** Sends packets that are nearly too large, or too large. */
  packets: (n) => pour(frame(`420["room:list",{"pad":"${'x'.repeat(n % 2 === 0 ? 65_000 : 70_000)}"}]`)),
  halfOpen: () =>
    keepWriting(() => `GET ${polling} HTTP/1.1\r\nHost: chat.example\r\n`, {
      answers: Number.POSITIVE_INFINITY,
    }),
  /** Sends far more than the server accepts, without reading. */
  unread: () => keepWriting(() => script.repeat(2000), { every: 100 }),
  /** Sends as much as the server accepts, and no more. */
  hoarded: () =>
    keepWriting((nth) => (nth === 0 ? stuffed(99) + stuffed(24).repeat(7) : '\r\n'), { every: 1000 }),
  errors: () => keepWriting(() => get('/nothing', 'Expect: 100-continue\r\n').repeat(8), { answers: 16 }),
  trickle: () =>
    keepWriting((nth) => (nth === 0 ? get('/healthz') : '\r\n'), {
      every: 1000,
      answers: Number.POSITIVE_INFINITY,
    }),
  /** Like a browser that loads many images in a page of another site. */
  images: () => keepWriting(() => get(polling, 'Sec-Fetch-Site: cross-site\r\n'), { answers: 1 }),
};

const flood = floods[kind];
if (flood === undefined) throw new Error(`no such flood: ${kind}`);
const all = Promise.all(
  Array.from({ length: Number(count) }, async (_, n) => {
    while (!isOver()) {
      await flood(n);
      // Without this, an attempt that is rejected at once would block the process.
      await turn();
    }
  }),
);
// Attackers that wait for the server may take longer, so they are cut off.
await Promise.race([all, pause(until - performance.now() + 1000)]);
end();
