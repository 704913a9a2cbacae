import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Fetcher } from '../../server/previews/fetcher.ts';

/*
 * Run this in namespaces in which 127.0.0.1 is the name server. Names in `slow.test` get no response. All other names
 * resolve to this machine. First, 16 users fetch 32 pages whose names get no response. Then another user fetches a
 * page. Prints that page, or null, and the number of pages that the 16 users got.
 */
const asked = new Set<string>();
const server = createSocket('udp4');
server.on('message', (query, from) => {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  asked.add(labels.join('.'));
  server.emit('asked');
  if (labels.at(-2) === 'slow') return;
  const isIpv4 = query.readUInt16BE(at + 1) === 1;
  // The response repeats the question (RFC 1035, 4.1), and for IPv4 contains an address.
  const answer = Buffer.concat([query.subarray(0, at + 5), isIpv4 ? address : Buffer.alloc(0)]);
  answer.writeUInt16BE(0x8180, 2);
  answer.writeUInt16BE(isIpv4 ? 1 : 0, 6);
  answer.writeUInt32BE(0, 8);
  server.send(answer, from.port, from.address);
});
const address = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
server.bind(53, '127.0.0.1');
const site = createServer((_, res) =>
  res.writeHead(200, { 'content-type': 'text/html' }).end('<title>Fast</title>'),
).listen(80, '127.0.0.1');
await Promise.all([once(server, 'listening'), once(site, 'listening')]);

const fetcher = new Fetcher((error) => {
  throw error;
});
const fetched = (user: string, host: string) =>
  fetcher.fetch(user, { url: `http://${host}/`, allowed: ['fast.test'], picture: false });
const lookedFor = async (names: readonly string[]) => {
  while (!names.every((name) => asked.has(name))) await once(server, 'asked');
};

const names = Array.from({ length: 32 }, (_, n) => `n${n}.slow.test`);
const pages = names.map((name, n) => fetched(`slow${n % 16}`, name));
await lookedFor(names);
const none = (await Promise.all(pages)).filter((page) => page === undefined).length;
console.log(`became ${JSON.stringify([(await fetched('other', 'fast.test')) ?? null, 32 - none])}`);
process.exit();
