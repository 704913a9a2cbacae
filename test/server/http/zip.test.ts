import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { unzipSync } from 'fflate';
import { expect, onTestFinished, test, vi } from 'vitest';
import { answerZip } from '../../../server/http/zip.ts';
import { hanging } from '../../helpers/hanging.ts';

const halfMinute = 30_000;

/** Requests an archive with this file, without reading it yet. The test advances the timers. */
async function asked(
  bytes: () => AsyncIterable<Buffer>,
): Promise<{ answer: IncomingMessage; res: ServerResponse }> {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const server = createServer((req, res) => {
    const parts = (async function* () {
      yield { name: 'a', bytes: bytes() };
    })();
    answerZip(req, res, 'archive.zip', parts).catch((error: Error) => expect.unreachable(error.message));
    server.emit('asked', res);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const request = get({ port: (server.address() as AddressInfo).port });
  const [[res], [answer]] = await Promise.all([once(server, 'asked'), once(request, 'response')]);
  return { answer, res };
}

test('does not cut off an archive whose bytes arrive slowly', async () => {
  const ready = Promise.withResolvers<void>();
  const { answer, res } = await asked(async function* () {
    yield Buffer.from('before ');
    await ready.promise;
    yield Buffer.from('and after');
  });
  const whole = buffer(answer);
  await vi.waitFor(() => expect(res.writableLength).toBe(0), hanging);
  for (let n = 0; n < 4; n++) vi.advanceTimersByTime(halfMinute);
  ready.resolve();
  expect(Buffer.from(unzipSync(new Uint8Array(await whole)).a ?? []).toString()).toBe('before and after');
});

test('cuts off a client that stops reading', async () => {
  const { answer, res } = await asked(async function* () {
    for (;;) yield randomBytes(64 * 1024);
  });
  const cut = once(answer, 'error');
  await vi.waitFor(() => {
    vi.advanceTimersByTime(halfMinute);
    expect(res.destroyed).toBe(true);
  }, hanging);
  answer.resume();
  await cut;
});
