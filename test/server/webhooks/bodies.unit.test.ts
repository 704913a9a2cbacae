import { expect, test } from 'vitest';
import { messageOf } from '../../../server/chat/messages/mentions.ts';
import type { History, StoredEvent } from '../../../server/history/history.ts';
import { bodiesOf } from '../../../server/webhooks/bodies.ts';

const at = 1_700_000_000_000;
const user = { id: '7', name: 'Ann' };
const room = { id: 'den', kind: 'private', name: 'Den', members: 2 };

/** Returns the data of an event about a message with this text, which is stored, reported and pending approval. */
async function dataOf(event: Partial<StoredEvent>, text: string, over: object = {}) {
  const message = { id: 'm', room: 'den', seq: 1, rev: 1, clientId: 'c', user, text, sentAt: at, ...over };
  const read = {
    room: async () => room,
    users: async () => [user],
    messages: async () => [message],
    report: async () => ({ id: 'r', by: '8', reason: 'spam', at, message }),
    pendingMessage: async () => ({ id: 'h', user: '7', why: 'words', at, content: message }),
  } as unknown as History['read'];
  const whole = { id: 'e', at, due: at, tries: 1, roomId: 'den', ...event } as StoredEvent;
  const [body] = await bodiesOf(
    [whole],
    { read },
    (stored) => messageOf(stored, () => true),
    async () => null,
  );
  return (JSON.parse(String(body)) as { data: Record<string, { text?: string }> }).data;
}

const events: [event: Partial<StoredEvent>, of: string][] = [
  [{ type: 'message.created', seq: 1, messageId: 'm' }, 'message'],
  [{ type: 'message.reported', report: 'r' }, 'message'],
  [{ type: 'message.held', held: 'h' }, 'held'],
];

test.each(events)(
  'cuts a text of more than 16 KB between characters and marks the event: %o',
  async (event, of) => {
    const most = `${'€'.repeat(5461)}x`;
    const whole = await dataOf(event, most);
    expect([whole[of]?.text, whole.truncated]).toEqual([most, undefined]);
    const cut = await dataOf(event, `${'€'.repeat(5461)}€`);
    expect([cut[of]?.text, cut.truncated]).toEqual(['€'.repeat(5461), true]);
    const pair = await dataOf(event, `${'x'.repeat(16_382)}😀`);
    expect(pair[of]?.text).toBe('x'.repeat(16_382));
  },
);

test('omits mentions after the end of a cut text', async () => {
  const mentions = [
    { user: '8', start: 0, length: 2 },
    { user: '9', start: 16_383, length: 2 },
  ];
  const { message } = await dataOf({ type: 'message.created', seq: 1, messageId: 'm' }, 'x'.repeat(16_385), {
    mentions,
  });
  expect(message).toMatchObject({ mentions: [{ start: 0, length: 2 }] });
});
