import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { connectChat, newClientId } from '../../helpers/chat-client.ts';
import { startChatServer } from '../../helpers/chat-server.ts';
import { startChatSite } from '../../helpers/chat-site.ts';
import { origin, upload } from '../../helpers/files.ts';
import { megabytes, watchRss } from '../../helpers/server-figures.ts';

const size = 10 * 1024 * 1024;
const piece = Buffer.alloc(64 * 1024, 'x');

/** Sends the first half of a file in small pieces; `rest` sends the other half and resolves with the status of the answer. */
async function halfUpload(port: number, cookie: string): Promise<{ rest(): Promise<number> }> {
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
  const half = async () => {
    for (let sent = 0; sent < size / 2; sent += piece.length) {
      if (!socket.write(piece)) await once(socket, 'drain');
    }
  };
  await half();
  return {
    async rest() {
      await half();
      await ended;
      return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
    },
  };
}

test('20 uploads of 10 MB stand still half-way: messages of others are answered, and all of it takes less than the 100 MB of the halves', async () => {
  const site = await startChatSite({ CHAT_ORIGINS: origin, CHAT_LIMIT_FILES_USER: '0' }, startChatServer);
  onTestFinished(() => site.close());
  const { chat } = site;
  const cookies = await Promise.all(Array.from({ length: 20 }, (_, n) => site.session(100 + n)));
  // The first upload loads modules that do not depend on the number.
  await upload(chat.url, cookies[0] ?? '', 'first');
  const ann = await connectChat(chat.url, await site.session(1));
  await ann.request('room:join', { room: 'lobby' });
  const say = async () => {
    for (let n = 0; n < 20; n++) {
      await ann.request('message:send', { room: 'lobby', text: 'x', clientId: newClientId() });
    }
  };
  await say();
  const memory = watchRss(chat.pid);
  onTestFinished(() => memory.stop());
  const uploads = await Promise.all(cookies.map((cookie) => halfUpload(chat.port, cookie)));
  await say();
  expect(await Promise.all(uploads.map(({ rest }) => rest()))).toEqual(Array(20).fill(201));
  expect(megabytes(memory.most())).toBeLessThan(90);
  ann.close();
});
