/**
 * An attacker over plain HTTP in a separate process: `node http-flood.ts KIND PORT MILLISECONDS ADDRESS CONNECTIONS`.
 * It keeps that many connections open from a loopback address for that time, or until SIGTERM, and prints the result.
 */
import { connect } from 'node:net';

const [kind = '', port = '', time = '', localAddress = '', connections = '0'] = process.argv.slice(2);
const until = performance.now() + Number(time);
const outcomes: Record<string, number> = {};
const seen = (what: string) => {
  outcomes[what] = (outcomes[what] ?? 0) + 1;
};
function end(): never {
  console.log(JSON.stringify({ done: outcomes }));
  process.exit(0);
}
process.on('SIGTERM', end);

const get = (target: string, more = '') => `GET ${target} HTTP/1.1\r\nHost: chat.example\r\n${more}\r\n`;
const script = get('/php-chat.js');
const handshake = get('/socket.io/?EIO=4&transport=polling', 'Sec-Fetch-Site: cross-site\r\n');
const pipelined = Buffer.from(script.repeat(2000));
/** As many objects as the server makes from so few bytes. */
const stuffed = (headers: number) =>
  get('/php-chat.js', Array.from({ length: headers }, (_, n) => `x${n}: ${n}x\r\n`).join(''));
const hoard = stuffed(99) + stuffed(24).repeat(7);

interface Flood {
  write(nth: number): string | Buffer;
  /** Milliseconds after which it writes again. */
  pause?: number;
  /** Answers after which it writes again. Without it, answers are not read. */
  answers?: number;
}

const floods: Record<string, Flood> = {
  /** Far more than the server accepts. */
  unread: { write: () => pipelined, pause: 100 },
  /** As much as the server accepts, and no more. */
  hoarded: { write: (nth) => (nth === 0 ? hoard : '\r\n'), pause: 1000 },
  head: { write: () => get('/').replace('GET', 'HEAD').repeat(8), answers: 8 },
  files: { write: () => script.repeat(8), answers: 8 },
  health: { write: () => get('/healthz'), answers: 1 },
  errors: { write: () => get('/nothing', 'Expect: 100-continue\r\n').repeat(8), answers: 16 },
  garbage: { write: () => 'garbage\r\n\r\n', answers: 1 },
  trickle: {
    write: (nth) => (nth === 0 ? get('/healthz') : '\r\n'),
    pause: 1000,
    answers: Number.POSITIVE_INFINITY,
  },
  unfinished: {
    write: (nth) => (nth === 0 ? get('/healthz', 'Content-Length: 1000\r\n').replace('GET', 'POST') : 'x'),
    pause: 100,
    answers: Number.POSITIVE_INFINITY,
  },
  /** As if a browser loaded 300 images in a foreign page. */
  images: { write: () => handshake, answers: 1 },
};

const flood = floods[kind];
if (flood === undefined) throw new Error(`no such flood: ${kind}`);

function attack({ write, pause, answers }: Flood): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port: Number(port), host: '127.0.0.1', localAddress, noDelay: true });
    let nth = 0;
    const next = () => {
      // Waits until the kernel has taken the bytes, so that this process stays small too.
      if (socket.writableLength === 0) socket.write(write(nth++));
    };
    socket.on('connect', () => seen('opened'));
    socket.on('error', () => {});
    if (answers !== undefined) {
      let rest = '';
      let open = answers;
      socket.setEncoding('latin1').on('data', (piece: string) => {
        const text = rest + piece;
        for (const [, status = ''] of text.matchAll(/HTTP\/1\.1 (\d+) /g)) {
          seen(status);
          open--;
        }
        // Too short to have been counted before.
        rest = text.slice(-12);
        if (open !== 0) return;
        open = answers;
        next();
      });
    }
    next();
    const timer = pause === undefined ? undefined : setInterval(next, pause);
    const end = setTimeout(() => socket.destroy(), until - performance.now());
    socket.on('close', () => {
      clearInterval(timer);
      clearTimeout(end);
      seen('closed');
      resolve();
    });
  });
}

await Promise.all(
  Array.from({ length: Number(connections) }, async () => {
    while (performance.now() < until) await attack(flood);
  }),
);
end();
