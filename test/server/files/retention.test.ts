import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { MessageFile } from '../../../server/wire/events.ts';
import { type ChatClient, connectChat, newClientId } from '../../helpers/chat-client.ts';
import { download, origin, upload } from '../../helpers/files.ts';
import { serverOverTime } from '../../helpers/server-over-time.ts';

const day = 24 * 60 * 60;
const cookie = 'PHPSESSID=ann';

test('a forwarded message and its copy go each by its own age and room, with its file; the bytes go with the last one', async () => {
  const { history, start } = await serverOverTime('ann');
  const startAfter = async (days: number, uploads = false): Promise<{ ann: ChatClient; url: string }> => {
    const server = await start(
      {
        CHAT_FILES: history.files,
        CHAT_ORIGINS: origin,
        CHAT_ROOMS: 'lobby,garden',
        CHAT_RETENTION: '30d',
        // How often the server looks for bytes that nobody needs any more.
        CHAT_FILES_ORPHANS: uploads ? '' : '1s',
      },
      { at: days * day },
    );
    const ann = await connectChat(server.url, cookie);
    for (const room of ['lobby', 'garden']) await ann.request('room:join', { room });
    return { ann, url: server.url };
  };
  const stored = (): string[] =>
    readdirSync(history.files.slice('dir:'.length), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
  const read = async (url: string, file: MessageFile | undefined) => {
    const answer = await download(url, cookie, file as MessageFile);
    return answer.status === 200 ? await answer.text() : answer.status;
  };

  const first = await startAfter(0, true);
  const direct = (await first.ann.request('direct:open', { user: 'ben' })).room.id;
  const send = async (room: string, text: string) => {
    const { file } = await upload(first.url, cookie, `bytes of ${text}`, { name: `${text}.txt`, room });
    const sent = { room, text, files: [{ id: file.id }], clientId: newClientId() };
    await first.ann.request('room:join', { room });
    return (await first.ann.request('message:send', sent)).message;
  };
  const [old, kept] = [await send('lobby', 'old'), await send(direct, 'kept')];

  const second = await startAfter(20);
  const forward = async ({ room, seq }: { room: string; seq: number }, to: string) => {
    const asked = { room: to, from: { room, seq }, clientId: newClientId() };
    return (await second.ann.request('message:forward', asked)).message;
  };
  const [copyOfOld, copyOfKept] = [await forward(old, 'garden'), await forward(kept, 'lobby')];
  const fileOf = ({ files }: { files?: MessageFile[] }) => files?.[0];
  const textsIn = async ({ ann }: { ann: ChatClient }, room: string) =>
    (await ann.request('message:history', { room })).messages.map(({ text }) => text);
  expect(await textsIn(second, 'lobby')).toEqual(['old', 'kept']);

  // The original is older than the retention, its copy is not.
  const third = await startAfter(31);
  await expect.poll(() => textsIn(third, 'lobby')).toEqual(['kept']);
  expect(await textsIn(third, 'garden')).toEqual(['old']);
  expect(await read(third.url, fileOf(old))).toBe(404);
  expect(await read(third.url, fileOf(copyOfOld))).toBe('bytes of old');
  const search = await third.ann.request('message:search', { query: 'old' });
  expect(search.messages).toMatchObject([{ room: 'garden', seq: copyOfOld.seq }]);

  // Both copies are, and the original is in a room that keeps its messages.
  const last = await startAfter(51);
  await expect.poll(() => Promise.all([textsIn(last, 'lobby'), textsIn(last, 'garden')])).toEqual([[], []]);
  expect(await textsIn(last, direct)).toEqual(['kept']);
  for (const copy of [copyOfOld, copyOfKept]) expect(await read(last.url, fileOf(copy))).toBe(404);
  await expect.poll(stored).not.toContain(fileOf(old)?.id);
  expect(await read(last.url, fileOf(kept))).toBe('bytes of kept');
  expect(stored()).toContain(fileOf(kept)?.id);
  last.ann.close();
});
