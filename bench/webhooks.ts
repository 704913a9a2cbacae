/**
 * The cost of a message whose event is sent to the site, or that may need notifications for offline users, compared
 * with a message without either. 1,000 connections in 10 rooms of 100; CPU of all threads of the server.
 * Run: npm run bench webhooks
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { percentile } from '../test/helpers/server-figures.ts';
import { Crowd, compare, root, startChat, startSessions } from './load.ts';

const rooms = Array.from({ length: 10 }, (_, n) => `room-${n}`);

let events = 0;
const site = createServer((request, response) => {
  request.resume().on('end', () => {
    events++;
    response.writeHead(204).end();
  });
});
await once(site.listen(0, '127.0.0.1'), 'listening');
const folder = mkdtempSync(join(tmpdir(), 'bench-webhooks-'));
const keyFile = join(folder, 'key');
writeFileSync(keyFile, `whsec_${Buffer.alloc(32, 'k').toString('base64')}\n`);
const sessions = await startSessions();
const crowds: Crowd[] = [];
try {
  const notifying = {
    CHAT_WEBHOOK_URL: `http://127.0.0.1:${(site.address() as AddressInfo).port}/events`,
    CHAT_WEBHOOK_KEY_FILE: keyFile,
    CHAT_WEBHOOK_EVENTS: 'message.created',
  };
  for (const [name, settings] of [
    ['without events', {}],
    ['with events', notifying],
    ['with notices', { ...notifying, CHAT_WEBHOOK_EVENTS: 'notify.due' }],
  ] as const) {
    crowds.push(await Crowd.gather(await startChat(name, root, sessions.url, rooms, settings), rooms));
  }
  for (const rate of [20, 200]) {
    console.log(`${rate} a second`);
    const slices = await compare(crowds, rate);
    const medians = slices.map((own) =>
      percentile(
        own.map(({ cpu }) => cpu),
        0.5,
      ),
    );
    for (const [n, { server }] of crowds.entries()) {
      const [median = 0, without = 0] = [medians[n], medians[0]];
      console.log(
        `  ${server.name}: ${median.toFixed(3)} ms of CPU a message, ${(median / without).toFixed(2)}`,
      );
    }
  }
  console.log(`${events} events received`);
} finally {
  for (const crowd of crowds) await crowd.leave();
  site.closeAllConnections();
  site.close();
  rmSync(folder, { recursive: true });
  await sessions.stop();
}
