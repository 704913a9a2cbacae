import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';
import { frame, upgradeRequest } from '../../helpers/raw-client.ts';

let site: ChatSite<RunningChat>;
beforeAll(async () => {
  site = await startChatSite({ CHAT_ROOMS: 'lobby' }, chatServerHere);
});
afterAll(() => site.close());

/** Returns the first TCP data after the write that matches. On loopback, it is one write of the server. */
async function firstAfter(socket: Socket, bytes: string | Buffer, fits = /(?:)/): Promise<string> {
  socket.write(bytes);
  for (;;) {
    const [piece] = await once(socket, 'data');
    if (fits.test(String(piece))) return String(piece);
  }
}

test('opens a connection with two writes of the server', async () => {
  const socket = connect({ port: site.chat.port, host: '127.0.0.1', noDelay: true });
  const upgraded = await firstAfter(socket, upgradeRequest(await site.session(1, 'Alice')));
  expect(upgraded).toContain('HTTP/1.1 101');
  expect(upgraded).toContain('0{"sid"');
  const connected = await firstAfter(socket, frame('40'));
  expect(connected).toMatch(/40\{"sid".*42\["session:ready"/s);
  socket.destroy();
});

test('sends the responses to simultaneous requests in a single write, in request order', async () => {
  const socket = connect({ port: site.chat.port, host: '127.0.0.1', noDelay: true });
  await firstAfter(socket, upgradeRequest(await site.session(2, 'Ben')));
  await firstAfter(socket, frame('40'));
  const typing = (id: number, on: boolean) =>
    frame(`42${id}${JSON.stringify(['typing:set', { room: 'lobby', typing: on }])}`);
  await firstAfter(socket, frame('420["room:join",{"room":"lobby"}]'));
  const answers = await firstAfter(
    socket,
    Buffer.concat([typing(1, true), typing(2, false), typing(3, true)]),
    // The presence event follows a moment after the join.
    /43\d\[\{"ok"/,
  );
  expect([...answers.matchAll(/43(\d)\[\{"ok":true/g)].map(([, id]) => id)).toEqual(['1', '2', '3']);
  socket.destroy();
});
