import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createFileRoutes } from '../../../server/http/files.ts';

const hour = 60 * 60 * 1000;

/** The routes of files, with every file refused. Resolves with the answers to the uploads. */
async function uploads(
  rate: { count: number; ms: number },
  sizes: readonly number[],
  examined: () => Promise<void> = async () => {},
): Promise<Response[]> {
  const answer = createFileRoutes({
    limit: 1024,
    rate,
    admission: {
      mayUpload: () => true,
      mayDownload: () => true,
      allowReading: () => {},
      stranger: () => () => {},
    },
    who: async () => ({ id: '1' }),
    draining: () => false,
    check: async () => {},
    async add({ bytes }) {
      for await (const _ of bytes);
      await examined();
      return 'unusable';
    },
    find: async () => null,
    open: async () => null,
  });
  const server = createServer((req, res) => void answer(req, res)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const answers: Response[] = [];
  for (const size of sizes) {
    const url = `http://127.0.0.1:${port}/files?room=lobby&name=x`;
    const one = await fetch(url, { method: 'POST', body: 'x'.repeat(size) });
    await one.text();
    answers.push(one);
  }
  server.close();
  return answers;
}
const statuses = (answers: readonly Response[]) => [...new Set(answers.map(({ status }) => status))];

test('with a limit of bytes, a user uploads at most 1,000 nearly empty files in an hour', async () => {
  const sizes = Array.from({ length: 1001 }, () => 1);
  const answers = await uploads({ count: 1_000_000, ms: hour }, sizes);
  const last = answers.pop();
  expect([statuses(answers), last?.status]).toEqual([[415], 429]);
  expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(statuses(await uploads({ count: 0, ms: hour }, sizes))).toEqual([415]);
});

test('a client that has sent its file is waited for, however long the file is examined', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const longer = async () => {
    await vi.advanceTimersByTimeAsync(hour);
  };
  expect(statuses(await uploads({ count: 0, ms: hour }, [1], longer))).toEqual([415]);
});
