import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createFileRoutes, type FileParts } from '../../../server/http/files.ts';
import { FileBudget } from '../../../server/limits/file-budget.ts';
import { RequestError } from '../../../server/wire/errors.ts';
import { hanging } from '../../helpers/hanging.ts';

const hour = 60 * 60 * 1000;

const admission = {
  mayUpload: () => true,
  mayDownload: () => true,
  allowReading: () => {},
  stranger: () => () => {},
};

/** Serves the file routes, which reject every file. @returns the port */
async function serve(parts: Partial<FileParts<{ id: string }>>): Promise<number> {
  const answer = createFileRoutes({
    limit: 1024,
    admission,
    who: async () => ({ id: '1' }),
    draining: () => false,
    check: async () => {},
    async add({ bytes }) {
      for await (const _ of bytes);
      return { code: 'file_type' as const };
    },
    onUpload: () => {},
    find: async () => null,
    open: async () => null,
    ...parts,
  });
  const server = createServer((req, res) => void answer(req, res)).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Resolves with the responses to the uploads. */
async function uploads(
  parts: Partial<FileParts<{ id: string }>>,
  sizes: readonly number[],
): Promise<Response[]> {
  const port = await serve(parts);
  const answers: Response[] = [];
  for (const size of sizes) {
    const url = `http://127.0.0.1:${port}/files?room=lobby&name=x`;
    const response = await fetch(url, { method: 'POST', body: 'x'.repeat(size) });
    await response.text();
    answers.push(response);
  }
  return answers;
}
/**
 * Resolves with the responses to `count` uploads of one byte over one connection, ten times as fast as with `fetch`.
 */
async function nearlyEmpty(parts: Partial<FileParts<{ id: string }>>, count: number): Promise<string[]> {
  const socket = connect(await serve(parts), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
  });
  const upload = 'POST /files?room=lobby&name=x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx';
  socket.write(upload.repeat(count));
  const heads = () => text.match(/HTTP\/1\.1 \d+ [\s\S]*?\r\n\r\n/g) ?? [];
  await vi.waitUntil(() => heads().length === count, { timeout: hanging });
  return heads();
}
const statusOf = (head: string) => Number(head.split(' ')[1]);
const statuses = (answers: readonly Response[]) => [...new Set(answers.map(({ status }) => status))];

test('limits a user to 1,000 nearly empty files per hour', async () => {
  const budget = new FileBudget({ count: 1_000_000, ms: hour });
  const add: FileParts<{ id: string }>['add'] = async ({ user, length, bytes }) => {
    for await (const _ of bytes);
    budget.charge(user, length);
    return { code: 'file_type' as const };
  };
  const answers = await nearlyEmpty({ add }, 1001);
  const last = answers.pop() ?? '';
  expect([[...new Set(answers.map(statusOf))], statusOf(last)]).toEqual([[415], 429]);
  expect(last).toMatch(/^Retry-After: [1-9]/im);
});

test('does not cut off a client while its file is examined', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const add = async ({ bytes }: { bytes: AsyncIterable<Buffer> }) => {
    for await (const _ of bytes);
    await vi.advanceTimersByTimeAsync(hour);
    return { code: 'file_type' as const };
  };
  expect(statuses(await uploads({ add }, [1]))).toEqual([415]);
});

test('does not count uploads that fail because the history is unavailable', async () => {
  let fails = true;
  const check = async () => {
    throw new RequestError(fails ? 'storage_unavailable' : 'unknown_room');
  };
  const port = await serve({ check });
  const attempt = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/files?room=den&name=x`, {
      method: 'POST',
      body: 'x',
    });
    await answer.text();
    return answer.status;
  };
  for (let n = 0; n < 61; n++) expect(await attempt()).toBe(503);
  fails = false;
  expect(await attempt()).toBe(404);
});

test('rejects an invalid room ID without a query of the history', async () => {
  const queried: string[] = [];
  const check = async (_: unknown, room: string) => {
    queried.push(room);
    throw new RequestError('storage_unavailable');
  };
  const port = await serve({ check });
  // PostgreSQL would fail at a NUL character.
  for (const room of ['\0', 'lobby\0', 'gone/1', 'lobby ', 'x'.repeat(65)]) {
    const url = `http://127.0.0.1:${port}/files?room=${encodeURIComponent(room)}&name=x`;
    const answer = await fetch(url, { method: 'POST', body: 'x' });
    expect([room, answer.status, await answer.json()]).toMatchObject([
      room,
      400,
      { error: { code: 'bad_request' } },
    ]);
  }
  expect(queried).toEqual([]);
});

/** Starts uploads without their bodies. */
function unfinished(port: number, users: readonly string[]) {
  return users.map((user) => {
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    socket.write(
      `POST /files?room=lobby&name=x HTTP/1.1\r\nHost: a\r\nX-User: ${user}\r\nContent-Length: 1000000\r\n\r\n`,
    );
    return socket;
  });
}
/** Serves uploads of the users in `X-User`. */
async function serveUsers() {
  const started: string[] = [];
  /** The users whose uploads were cut off. */
  const cut: string[] = [];
  const received = { bytes: 0 };
  const port = await serve({
    limit: 1_000_000,
    who: async (req) => ({ id: String(req.headers['x-user']) }),
    async add({ user, bytes }) {
      started.push(user);
      try {
        for await (const piece of bytes) received.bytes += piece.length;
      } catch (error) {
        cut.push(user);
        throw error;
      }
      return { code: 'file_type' as const };
    },
  });
  const begin = async (...users: string[]) => {
    const before = started.length;
    const sockets = unfinished(port, users);
    await expect.poll(() => started.length, { timeout: hanging }).toBe(before + users.length);
    return sockets;
  };
  const attempt = async (user: string) => {
    const headers = { 'X-User': user };
    const answer = await fetch(`http://127.0.0.1:${port}/files?room=lobby&name=x`, {
      method: 'POST',
      body: 'x',
      headers,
    });
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    return error.code === 'file_type' ? 'ok' : `${answer.status} ${error.message}`;
  };
  return { begin, attempt, cut, received };
}
const each = (count: number, name: string) => Array.from({ length: count }, (_, n) => `${name}${n}`);

test('names the reached limit of simultaneous uploads, and leaves each user one while half of the slots are taken', async () => {
  const { begin, attempt } = await serveUsers();
  const four = Array.from({ length: 4 }, () => 'ann');
  await begin(...four);
  expect(await attempt('ann')).toBe(
    '429 This user has reached the limit of 4 simultaneous uploads. Try again later.',
  );
  // 24 other users have four uploads each.
  await begin(...each(24, 'user').flatMap((user) => [user, user, user, user]));
  await begin('ben');
  expect(await attempt('ben')).toBe(
    '429 This user has reached the limit of one upload at a time, while all users together have 100 or more. Try again later.',
  );
  await begin(...each(98, 'other'));
  expect(await attempt('eve')).toBe('ok');
  await begin('last');
  expect(await attempt('eve')).toBe(
    '429 All users together have reached the limit of 200 simultaneous uploads. Try again later.',
  );
});

test('cuts off slow uploads while half of the slots are taken', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const { begin, cut, received } = await serveUsers();
  const send = async (sockets: readonly Socket[], bytes: number) => {
    const after = received.bytes + sockets.length * bytes;
    for (const socket of sockets) socket.write('x'.repeat(bytes));
    // `vi.waitUntil` would advance the clock.
    await expect.poll(() => received.bytes, { timeout: hanging }).toBe(after);
  };
  const slow = await begin(...each(99, 'slow'));
  await send(slow, 16 * 1024);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(cut).toEqual([]);
  await send(await begin('fast'), 300 * 1024);
  await send(slow, 16 * 1024);
  await vi.advanceTimersByTimeAsync(30_000);
  await expect.poll(() => cut.length, { timeout: hanging }).toBeGreaterThan(0);
  expect(cut).not.toContain('fast');
});
