import { afterEach, expect, test, vi } from 'vitest';
import type { History, StoredMailReply } from '../../../../server/history/history.ts';
import { readRepliesAddress, tokensIn } from '../../../../server/mail/replies/reply-address.ts';
import { ReplyTokens } from '../../../../server/mail/replies/tokens.ts';

afterEach(() => void vi.useRealTimers());

const day = 24 * 60 * 60 * 1000;
const address = { local: 'chat.replies', domain: 'garden.example' };

/** Stores tokens in memory. */
function memory() {
  const stored = new Map<string, StoredMailReply>();
  const history = {
    read: { mailReply: async ({ id }: { id: string }) => stored.get(id) ?? null },
    write: { addMailReply: async (reply: StoredMailReply) => void stored.set(reply.id, reply) },
  } as unknown as Pick<History, 'read' | 'write'>;
  return { stored, tokens: new ReplyTokens(history, address) };
}

test('stores only the digest of a token, which works for 90 days', async () => {
  const { stored, tokens } = memory();
  vi.setSystemTime('2030-05-06T12:00Z');
  const to = await tokens.address({ user: 'ben', room: 'lobby', seq: 7 });
  const [token = ''] = tokensIn(address, [to]);
  expect(token).toHaveLength(26);
  expect(JSON.stringify([...stored])).not.toContain(token);
  const reply = { user: 'ben', roomId: 'lobby', seq: 7, at: Date.now() };
  expect(await tokens.find(token)).toMatchObject({ ...reply, expired: false });
  vi.setSystemTime(Date.now() + 90 * day - 1);
  expect(await tokens.find(token)).toMatchObject({ expired: false });
  vi.setSystemTime(Date.now() + 1);
  expect(await tokens.find(token)).toMatchObject({ expired: true });
  expect(await tokens.find(token.replace(/^./, (c) => (c === 'a' ? 'b' : 'a')))).toBeUndefined();
});

test('the local part of an address with a token has at most 64 characters', async () => {
  const longest = readRepliesAddress(`${'x'.repeat(37)}@garden.example`);
  expect(longest).toBeDefined();
  const { tokens } = memory();
  const [local = ''] = (await tokens.address({ user: 'ben', room: 'lobby' })).split('@');
  expect(local.length - address.local.length + 37).toBe(64);
});

test.each([
  ['Our garden <chat.replies+abcdefghijklmnopqrstuvwxyz@garden.example>', true],
  ['"a" <b@c.example>, CHAT.REPLIES+ABCDEFGHIJKLMNOPQRSTUVWXYZ@other.example', true],
  ['chatxreplies+abcdefghijklmnopqrstuvwxyz@garden.example', false],
  ['mychat.replies+abcdefghijklmnopqrstuvwxyz@garden.example', false],
  ['chat.replies+abcdefghijklmnopqrstuvwxy@garden.example', false],
  ['chat.replies@garden.example', false],
])('finds a token in %s: %s', (header, isFound) => {
  expect(tokensIn(address, [header])).toEqual(isFound ? ['abcdefghijklmnopqrstuvwxyz'] : []);
});
