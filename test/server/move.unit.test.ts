import { expect, test } from 'vitest';
import { run as move } from '../../server/command/move.ts';
import { commandHere } from '../helpers/command-here.ts';

test.each([
  ['postgres://chat:secret@database.example/chat', 'postgres://database.example:5432/chat'],
  ['sqlite:/nowhere/chat.db', '/nowhere/chat.db'],
])('rejects to move %s to itself, without its password', async (url, name) => {
  const { code, said } = await commandHere(move, ['--to', url, '--settings='], { CHAT_HISTORY: url });
  expect([code, said]).toEqual([78, expect.stringContaining(`CHAT_HISTORY is already ${name}: `)]);
});
