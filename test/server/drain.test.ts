import { afterEach, expect, test } from 'vitest';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { historyFolder } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { startChild } from '../helpers/child.ts';

let site: ChatSite;
afterEach(() => site.close());

test('SIGTERM: what is under way is finished, clients are told, exit 0 within 10 s', async () => {
  site = await startChatSite();
  const writer = await connectChat(site.chat.url, await site.session(1));
  const reader = await connectChat(site.chat.url, await site.session(2));
  const polling = await connectChat(site.chat.url, await site.session(3), { transports: ['polling'] });
  for (const client of [writer, reader, polling]) await client.request('room:join', { room: 'lobby' });
  const outcomes: string[] = [];
  const writing = setInterval(() => {
    if (!writer.socket.connected) return;
    writer.raw('message:send', { room: 'lobby', text: 'x', clientId: newClientId() }).then(
      (answer) => outcomes.push(answer.ok ? 'ok' : answer.error.code),
      () => {},
    );
  }, 5);
  await expect.poll(() => reader.messages().length).toBeGreaterThan(20);
  const began = performance.now();
  const exit = site.chat.stop('SIGTERM');
  expect(await writer.disconnected).toBe('transport close');
  expect(await reader.disconnected).toBe('transport close');
  expect(await exit).toBe(0);
  expect(performance.now() - began).toBeLessThan(10_000);
  clearInterval(writing);
  // What was acknowledged was published before the end; what was not, the client sends again.
  const acknowledged = outcomes.filter((outcome) => outcome === 'ok').length;
  expect(reader.messages().length).toBeGreaterThanOrEqual(acknowledged);
  expect(outcomes.filter((outcome) => !['ok', 'server_draining'].includes(outcome))).toEqual([]);
});

test('npm run server passes SIGTERM on, and the exit code back', async () => {
  site = await startChatSite();
  const history = historyFolder();
  const npm = startChild('npm', ['run', 'server'], {
    cwd: new URL('../../', import.meta.url).pathname,
    env: { ...process.env, CHAT_HOST: '127.0.0.1', CHAT_PORT: '0', CHAT_HISTORY: history.url },
  });
  await npm.until(/"msg":"listening"/);
  process.kill(npm.pid, 'SIGTERM');
  await npm.until(/"msg":"stopped"/);
  await new Promise((resolve) => npm.process.on('close', resolve));
  expect(npm.process.exitCode).toBe(0);
  history.remove();
});
