import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { connectChat, newClientId } from '../../helpers/chat-client.ts';
import { startChatServer } from '../../helpers/chat-server.ts';
import { startChatSite } from '../../helpers/chat-site.ts';
import { origin, upload } from '../../helpers/files.ts';
import { watchRss } from '../../helpers/server-figures.ts';

const size = 10 * 1024 * 1024;
const piece = Buffer.alloc(64 * 1024, 'x');

/** Sends a file in small pieces with pauses, and resolves with the status of the answer. */
async function slowUpload(port: number, cookie: string): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text;
  });
  const ended = once(socket, 'close');
  const head = [
    'POST /files?room=lobby&name=x HTTP/1.1',
    'Host: x',
    `Origin: ${origin}`,
    `Cookie: ${cookie}`,
  ];
  socket.write(`${[...head, `Content-Length: ${size}`].join('\r\n')}\r\n\r\n`);
  for (let sent = 0; sent < size; sent += piece.length) {
    if (!socket.write(piece)) await once(socket, 'drain');
    await pause(30);
  }
  await ended;
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
}

test('20 slow uploads of 10 MB at once: at most 60 MB more memory, and messages of others within 250 ms', async () => {
  const site = await startChatSite({ CHAT_ORIGINS: origin, CHAT_LIMIT_FILES_USER: '0' }, startChatServer);
  const { chat } = site;
  const cookies = await Promise.all(Array.from({ length: 20 }, (_, n) => site.session(100 + n)));
  // What the first upload loads is no matter of the number.
  await upload(chat.url, cookies[0] ?? '', 'first');
  const ann = await connectChat(chat.url, await site.session(1));
  await ann.request('room:join', { room: 'lobby' });
  const memory = watchRss(chat.pid);
  const times: number[] = [];
  let isOver = false;
  const talk = (async () => {
    while (!isOver) {
      const at = performance.now();
      await ann.request('message:send', { room: 'lobby', text: 'x', clientId: newClientId() });
      times.push(performance.now() - at);
      await pause(10);
    }
  })();
  const statuses = await Promise.all(cookies.map((cookie) => slowUpload(chat.port, cookie)));
  isOver = true;
  await talk;
  expect(statuses).toEqual(Array(20).fill(201));
  const p99 = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] as number;
  expect(memory.most()).toBeLessThan(60 * 1024 * 1024);
  expect(p99).toBeLessThan(250);
  memory.stop();
  ann.close();
  await site.close();
});
