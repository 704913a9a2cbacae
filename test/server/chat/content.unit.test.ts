import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { toScheduled } from '../../../server/chat/later.ts';
import { messageOf } from '../../../server/chat/messages/mentions.ts';
import { newMessage } from '../../../server/chat/messages/messages.ts';
import type { Connection, Room } from '../../../server/chat/model.ts';
import { toHeld } from '../../../server/chat/moderation/shown-held.ts';
import type { Reads } from '../../../server/history/history.ts';
import { bodies } from '../../../server/http/api.ts';
import { lineFrom } from '../../../server/import/lines.ts';
import { type ContentField, content } from '../../../server/wire/content.ts';
import { requests } from '../../../server/wire/events.ts';
import { author, samples } from '../../helpers/content-samples.ts';

const chatClient = readFileSync(new URL('../../../php/src/ChatClient.php', import.meta.url), 'utf8');
const file = 'f'.repeat(16);
const room = { record: { id: 'lobby', settings: {} } } as Room;
const connectionOf = (roles: string[]) => {
  const user = roles.includes('guest') ? { ...author, id: `g-${'0'.repeat(32)}` } : author;
  return { identity: { ...user, roles }, person: { user } } as unknown as Connection;
};
const sent = { room: 'lobby', text: 'hello', clientId: 'c1' };

/** Returns the parsed field of a request; undefined if the request is rejected. */
const parsed = (name: 'message:send' | 'scheduled:add' | 'message:edit', payload: object) =>
  requests[name].safeParse({ ...sent, seq: 1, at: 1, ...payload }).data as
    | Record<string, unknown>
    | undefined;

describe.each(Object.keys(content) as ContentField[])('the field %s', (field) => {
  const { waiting, sent: sendable, imported, guests, api, edit } = content[field];
  const sample = samples[field](file, file);
  const { payload = { [field]: sample.shown } } = sample;
  const value = (payload as Record<string, unknown>)[field];

  test('is accepted by the requests of its declaration', () => {
    const shown = (is: boolean) => (is ? value : undefined);
    expect(parsed('message:send', payload)?.[field]).toEqual(shown(sendable !== null));
    expect(parsed('scheduled:add', payload)?.[field]).toEqual(shown(sendable !== null && waiting !== null));
    expect(parsed('message:edit', payload)?.[field]).toEqual(shown(edit === 'replaced'));
    const { room: _, ...body } = sent;
    expect(bodies.message.safeParse({ ...body, user: author, ...payload }).success).toBe(api);
  });

  test('is a parameter of postMessage() in PHP if the API accepts it', () => {
    const parameters = /function postMessage\(([^)]*)\)/.exec(chatClient)?.[1];
    expect([field, new RegExp(`\\$${field}\\b`).test(parameters ?? '')]).toEqual([field, api]);
  });

  test('is read from a line of an import if its declaration says so', () => {
    const line = { type: 'message', id: 'm2', room: 'c1', user: 'u1', at: 1, text: 'hello' };
    expect(lineFrom({ ...line, [field]: sample.imported ?? value }, 'line 1')).toEqual({
      ...line,
      ...(imported === null ? {} : { [field]: sample.imported }),
    });
  });

  test('reaches the history from users, and from guests if its declaration says so', () => {
    const stored = (roles: string[]) => {
      const message = requests['message:send'].parse({ ...sent, ...payload });
      return newMessage(connectionOf(roles), room, message, { previews: {} as never });
    };
    const given = sample.sent?.[field as 'text'];
    if (given !== undefined) expect(stored([])).toHaveProperty(field, given);
    expect(stored(['guest'])[field as 'text']).toEqual(guests ? given : undefined);
  });

  if (waiting !== null) {
    test('is shown to the author and the moderators while its message waits', async () => {
      const value = sample.waiting ?? sample.shown;
      const row = { id: 'i', room: 'lobby', user: author.id, clientId: 'c', at: 1, digest: '' };
      const stored = { ...row, content: { text: 'hello', [field]: value } };
      const history = { read: { users: async () => [] } as unknown as { [Name in keyof Reads]: never } };
      const [held] = await toHeld(history, [{ ...stored, why: 'all' }]);
      expect(held).toHaveProperty(field, value);
      expect(toScheduled({ ...stored, rev: 1 })).toHaveProperty(field, value);
    });
  }
});

test('test/vectors/content.json has a message with each field', async () => {
  const vectors = (Object.keys(content) as ContentField[]).map((field) => {
    const { payload, shown } = samples[field](file, file);
    const envelope = { id: 'm2', room: 'lobby', seq: 2, rev: 2, clientId: 'c2', user: author, sentAt: 2 };
    const message = messageOf({ ...envelope, text: 'other', ...payload, [field]: shown }, () => false);
    return JSON.stringify({ field, message });
  });
  await expect(`[\n${vectors.join(',\n')}\n]\n`).toMatchFileSnapshot('../../vectors/content.json');
});
