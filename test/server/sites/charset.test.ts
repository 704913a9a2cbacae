import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { doctor as examine } from '../../../server/doctor/report.ts';
import { connectChat, refusalOf } from '../../helpers/chat-client.ts';
import { nextChatServer } from '../../helpers/chat-server.ts';
import { phpUserSession } from '../../helpers/php-request.ts';

const folder = mkdtempSync(join(tmpdir(), 'charset-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('explains a name or ID outside the character set in the log and the doctor', async () => {
  const env = { CHAT_SESSION_STORE: `file://${folder}`, CHAT_USER_ROOMS: 'rooms' };
  const chat = await nextChatServer(env);
  onTestFinished(async () => void (await chat.stop()));
  const said = async (id: string) => {
    const lines: string[] = [];
    const say = (line: string) => void lines.push(line);
    await examine(['--settings=', '--cookie', id], env, { finding: say, problem: say });
    return lines.join('\n');
  };
  const reason = (line: RegExpExecArray) => JSON.parse(line[0]).reason as string;

  const named = phpUserSession(folder, '7', 'Zo\\xeb', 'Caf\\xe9');
  const client = await connectChat(chat.url, `PHPSESSID=${named}`);
  expect(client.ready.user).toMatchObject({ id: '7', name: '7' });
  client.close();
  const ofName = reason(await chat.until(/^.*could not decode a text in a session.*$/m));
  expect(ofName).toMatch(
    /^the name at firstname is not UTF-8 \(CHAT_SESSION_CHARSET .*so others see the id$/,
  );
  expect(await said(named)).toContain(`✗ It belongs to the user 7, called 7: ${ofName}.`);
  const ofRoom = reason(await chat.until(/^.*ignoring some rooms in a session.*$/m));
  expect(ofRoom).toMatch(/^1 names are not UTF-8/);

  const unknown = phpUserSession(folder, 'M\\xfcller', 'Ann');
  const refusal = await refusalOf(connectChat(chat.url, `PHPSESSID=${unknown}`));
  expect(refusal.data?.code).toBe('session_invalid');
  const ofId = reason(await chat.until(/^.*rejected a connection.*$/m));
  expect(ofId).toMatch(/^user_id is not a user id but a string that is not UTF-8 \(CHAT_SESSION_CHARSET/);
  expect(await said(unknown)).toContain(`✗ This login is rejected: ${ofId}.`);
});

test('rejects an ID that the character set usually writes with other bytes, and explains it', async () => {
  const env = {
    CHAT_SESSION_STORE: `file://${folder}`,
    CHAT_SESSION_CHARSET: 'shift_jis',
    CHAT_ADMINS: '髙橋',
  };
  const chat = await nextChatServer(env);
  onTestFinished(async () => void (await chat.stop()));
  const connect = (id: string) =>
    connectChat(chat.url, `PHPSESSID=${phpUserSession(folder, id, 'Takahashi')}`);
  const client = await connect('\\xfb\\xfc\\x8b\\xb4');
  expect(client.ready).toMatchObject({ user: { id: '髙橋' }, roles: ['admin'] });
  client.close();

  const refusal = await refusalOf(connect('\\xee\\xe0\\x8b\\xb4'));
  expect(refusal.data?.code).toBe('session_invalid');
  const { reason } = JSON.parse((await chat.until(/^.*rejected a connection.*$/m))[0]);
  expect(reason).toMatch(/^user_id is not in the canonical form of shift_jis \(CHAT_SESSION_CHARSET\)/);
});
