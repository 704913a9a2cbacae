import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { size } from '../../guarantees/size.ts';
import { type ChatClient, connectChat } from '../../helpers/chat-client.ts';
import { type ChatServer, nextChatServer } from '../../helpers/chat-server.ts';
import { phpRequest } from '../../helpers/php-request.ts';

let folder: string;
let chat: ChatServer;
beforeAll(async () => {
  // In memory, because disk waits would leave pauses in which the session can be read.
  folder = mkdtempSync(join('/dev/shm', 'php-sessions-'));
  chat = await nextChatServer({ CHAT_SESSION_STORE: `file://${folder}` });
});
afterAll(async () => {
  await chat.stop();
  rmSync(folder, { recursive: true, force: true });
});

const request = (code: string, id?: string) =>
  phpRequest({ 'session.save_handler': 'files', 'session.save_path': folder }, code, id);

/** Sends endless requests of one visitor, three at a time, which run the code in the same session. */
async function busy(id: string, code: string): Promise<void> {
  const program = `while (true) { session_id('${id}'); session_start(); ${code}; session_write_close(); fwrite(STDOUT, '.'); usleep(2000); }`;
  const options = ['-d', `session.save_path=${folder}`, '-d', 'session.use_cookies=0', '-r', program];
  const pages = Array.from({ length: 3 }, () => spawn('php', options));
  onTestFinished(() => {
    for (const page of pages) page.kill();
  });
  await Promise.all(pages.map((page) => once(page.stdout, 'data')));
  for (const page of pages) page.stdout.resume();
}

test('notices another user in a session that changes constantly', async () => {
  const id = request('$_SESSION["user_id"] = 7');
  const client = await connectChat(chat.url, `PHPSESSID=${id}`);
  await busy(id, '$_SESSION["n"] = ($_SESSION["n"] ?? 0) + 1');
  request('$_SESSION["user_id"] = 8', id);
  expect((await client.ended).reason).toBe('user_changed');
});

const seconds = size(10, 0.4);
test(`keeps connections until the logout while the session constantly changes in size for ${seconds} s`, async () => {
  const id = request('$_SESSION["user_id"] = 7');
  const clients: ChatClient[] = [await connectChat(chat.url, `PHPSESSID=${id}`)];
  await busy(id, '$_SESSION["pad"] = str_repeat("x", random_int(0, 50000))');
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until || clients.length === 1) {
    const tried = await connectChat(chat.url, `PHPSESSID=${id}`).catch((error: unknown) => error);
    // If the session cannot be read at the moment, the client gets this code only.
    if (tried instanceof Error) expect(tried.message).toBe('session_store_unavailable');
    else clients.push(tried as ChatClient);
  }
  for (const client of clients) {
    expect(client.ready.user.id).toBe('7');
    const ended = await Promise.race([client.ended, undefined]);
    expect(ended).toBeUndefined();
  }
  request('unset($_SESSION["user_id"])', id);
  for (const client of clients) expect((await client.ended).reason).toBe('logout');
});
