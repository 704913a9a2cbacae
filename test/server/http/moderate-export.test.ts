import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { unzipSync } from 'fflate';
import { expect, onTestFinished, test } from 'vitest';
import { createModerateExport, type ModerateExportRoute } from '../../../server/http/moderate-export.ts';
import { RequestError } from '../../../server/wire/errors.ts';

type Who = Awaited<ReturnType<ModerateExportRoute<{ id: string }>['who']>>;

/**
 * Serves an archive of two files.
 * @param between runs after the first file is sent
 * @returns a function that requests the archive
 */
async function serve(between: (now: { who: Who; may: boolean }) => void = () => {}) {
  const now: { who: Who; may: boolean } = { who: { id: 'boss' }, may: true };
  const answer = createModerateExport({
    who: async () => now.who,
    stranger: () => () => {},
    draining: () => false,
    grace: 60_000,
    async may() {
      if (!now.may) throw new RequestError('forbidden');
    },
    archive: async () =>
      (async function* () {
        for (const name of ['first', 'second']) {
          yield { name, bytes: (async function* () {})() };
          between(now);
        }
      })(),
  });
  const server = createServer((req, res) => {
    answer(req, res).catch((error: RequestError) => {
      if (!res.headersSent) res.writeHead(error.code === 'rate_limited' ? 429 : 500).end();
    });
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/moderate/export?user=ben`;
  return () => fetch(url, { headers: { 'sec-fetch-site': 'same-origin' } });
}
const names = async (answer: Response) =>
  Object.keys(unzipSync(new Uint8Array(await buffer(answer.body as never))));

test.each<[string, (now: { who: Who; may: boolean }) => void]>([
  ['is logged out', (now) => Object.assign(now, { who: 'unauthorized' })],
  ['is banned', (now) => Object.assign(now, { who: 'banned' })],
  ['becomes another user', (now) => Object.assign(now, { who: { id: 'ann' } })],
  ['loses the right to export', (now) => Object.assign(now, { may: false })],
])('cuts off the archive of an admin who %s before its end', async (_, happens) => {
  const get = await serve(happens);
  await expect(get().then(names)).rejects.toThrow();
});

test('does not cut off an archive if the session store is briefly unavailable', async () => {
  const get = await serve((now) => {
    now.who = 'session_store_unavailable';
    setTimeout(() => Object.assign(now, { who: { id: 'boss' } }), 10);
  });
  expect(await get().then(names)).toEqual(['first', 'second']);
});

test('rejects more than ten archives per minute', async () => {
  const get = await serve();
  const statuses = await Promise.all(Array.from({ length: 12 }, async () => (await get()).status));
  expect(statuses.filter((status) => status === 429)).toHaveLength(2);
});
