import { expect, test } from 'vitest';
import { chatProgram, startChatServer } from '../helpers/chat-server.ts';
import { startChild } from '../helpers/child.ts';

const root = new URL('../..', import.meta.url).pathname;

test('a misspelt setting: the server does not start, and names the one that was meant', async () => {
  const child = startChild(process.execPath, chatProgram, {
    cwd: root,
    env: { PATH: process.env.PATH, CHAT_SESSION_STORE: 'file:///tmp', CHAT_USER_BANED: 'geheim' },
  });
  const code = await new Promise<number>((resolve) => child.process.on('close', resolve));
  expect(child.output()).toMatch(
    /^ {2}CHAT_USER_BANED: there is no such setting; the nearest is CHAT_USER_BANNED$/m,
  );
  expect(child.output()).not.toContain('geheim');
  expect(code).toBe(78);
});

test('another name that is no setting: the server starts, and its log says that it has no effect', async () => {
  const chat = await startChatServer({ CHAT_SESSION_STORE: 'file:///tmp', CHAT_STORE: 'geheim' });
  try {
    expect(chat.output()).toMatch(
      /"settings":\["CHAT_STORE: .*CHAT_SESSION_STORE"\],"msg":"unknown settings/,
    );
    expect(chat.output()).not.toContain('geheim');
  } finally {
    await chat.stop();
  }
});
