import { once } from 'node:events';
import { createServer } from 'node:http';
import { Fetcher } from '../../server/previews/fetcher.ts';

/*
 * Run it in a namespace whose loopback has the address 8.8.4.4, and whose local route makes the kernel accept 9.9.9.9
 * as its own. Prints the pages of both addresses, first without and then with their hosts allowed. null: no page.
 */
const site = createServer((_, res) =>
  res.writeHead(200, { 'content-type': 'text/html' }).end('<title>Inside</title>'),
).listen(80, '0.0.0.0');
await once(site, 'listening');
const fetcher = new Fetcher((error) => {
  throw error;
});
const fetched = async (host: string, ...allowed: string[]) =>
  (await fetcher.fetch('u', { url: `http://${host}/`, allowed, picture: false })) ?? null;
const hosts = ['8.8.4.4', '9.9.9.9'];
const links = [...hosts.map((host) => fetched(host)), ...hosts.map((host) => fetched(host, ...hosts))];
const became = await Promise.all(links);
console.log(`became ${JSON.stringify(became)}`);
process.exit();
