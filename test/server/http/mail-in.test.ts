import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createMailIn, type MailInRoute } from '../../../server/http/mail-in.ts';

/** Starts a server with the route. @returns a function that posts a mail, and returns status and body */
async function route(over: Partial<MailInRoute>) {
  const handle = createMailIn({
    ...{ keys: ['key'], maxBytes: 10, draining: () => false, take: async () => 'posted' },
    ...over,
  });
  const server = createServer((req, res) => void handle(req, res));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return async (body = 'mail', { query = '', method = 'POST', key = 'key' } = {}) => {
    const answer = await fetch(`http://127.0.0.1:${port}/mail${query}`, {
      method,
      ...(method === 'POST' && { body }),
      headers: { authorization: `Bearer ${key}` },
    });
    const { outcome, error } = (await answer.json()) as { outcome?: string; error?: { code: string } };
    return [answer.status, outcome ?? error?.code, answer.headers.get('retry-after')];
  };
}

test('takes a mail and the recipient of its envelope', async () => {
  const taken: unknown[] = [];
  const post = await route({
    async take(bytes, recipient) {
      taken.push([bytes.toString(), recipient]);
      return 'posted';
    },
  });
  expect(await post()).toEqual([200, 'posted', null]);
  expect(await post('mail', { query: '?recipient=a%2Bb%40c.example' })).toEqual([200, 'posted', null]);
  expect(taken).toEqual([
    ['mail', undefined],
    ['mail', 'a+b@c.example'],
  ]);
});

test('rejects a mail without the key, one that is too large, a long recipient, and any while it drains', async () => {
  const post = await route({});
  expect(await post('mail', { key: 'other' })).toEqual([401, 'unauthorized', null]);
  expect(await post('x'.repeat(11))).toEqual([413, 'too_large', null]);
  expect(await post('mail', { query: `?recipient=${'x'.repeat(321)}` })).toEqual([400, 'bad_request', null]);
  expect(await post('', { method: 'GET' })).toEqual([405, 'method_not_allowed', null]);
  const draining = await route({ draining: () => true });
  expect((await draining()).slice(0, 2)).toEqual([503, 'server_draining']);
});

test('takes 16 mails at a time, and lets the others come again', async () => {
  const gate = Promise.withResolvers<string>();
  let taken = 0;
  const post = await route({
    take() {
      taken++;
      return gate.promise;
    },
  });
  const first = Array.from({ length: 16 }, () => post());
  await expect.poll(() => taken).toBe(16);
  expect(await post()).toEqual([429, 'rate_limited', '5']);
  gate.resolve('posted');
  expect(await Promise.all(first)).toEqual(Array(16).fill([200, 'posted', null]));
  expect(await post()).toEqual([200, 'posted', null]);
});
