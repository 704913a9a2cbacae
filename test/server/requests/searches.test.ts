import { expect, onTestFinished, test } from 'vitest';
import { methods } from '../../../server/history/history.ts';
import { askedDirectly } from '../../helpers/asked-directly.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';

test('runs searches of one user one after another, without delaying other requests', async () => {
  const started: string[] = [];
  const waiting: (() => void)[] = [];
  const { chat, close } = await openChatOver((stored) => ({
    read: methods(async (query, input) => {
      if (query === 'search') {
        started.push(JSON.stringify(input).includes('mine') ? 'ann' : 'ben');
        await new Promise<void>((go) => waiting.push(go));
      }
      return stored.read[query](input);
    }),
  }));
  onTestFinished(close);
  const connect = askedDirectly(chat);
  const [ann, ben] = [await connect('ann'), await connect('ben')];
  const mine = Array.from({ length: 4 }, () => ann.ask('message:search', { query: 'mine' }));
  await expect.poll(() => started).toEqual(['ann']);
  const other = ben.ask('message:search', { query: 'other' });
  await expect.poll(() => started).toEqual(['ann', 'ben']);
  expect(await ann.ask('room:list', {})).toMatchObject({ ok: true });
  expect(started).toEqual(['ann', 'ben']);
  waiting.pop()?.();
  expect(await other).toMatchObject({ ok: true });
  for (const search of mine) {
    await expect.poll(() => waiting.length).toBe(1);
    waiting.pop()?.();
    expect(await search).toMatchObject({ ok: true });
  }
});
