import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';

let site: ChatSite<RunningChat>;
let client: ChatClient;
beforeAll(async () => {
  site = await startChatSite({ CHAT_LIMIT_TEXT: '10' }, chatServerHere);
});
afterAll(() => site.close());
beforeEach(async () => {
  client = await connectChat(site.chat.url, await site.session(1));
  await client.request('room:join', { room: 'lobby' });
});
afterEach(() => client.close());

const code = async (event: string, ...args: unknown[]) => {
  const answer = await client.raw(event, ...args);
  return answer.ok ? 'ok' : answer.error.code;
};
const send = (over: object = {}) => ({ room: 'lobby', text: 'hello', clientId: newClientId(), ...over });

describe('bad_request', () => {
  test.each<[string, string, ...unknown[]]>([
    ['no payload', 'room:list'],
    ['a list', 'room:join', ['lobby']],
    ['a string', 'room:join', 'lobby'],
    ['no room', 'room:join', {}],
    ['a room that is not an ID', 'room:join', { room: 'a b' }],
    ['a room of 65 characters', 'room:join', { room: 'a'.repeat(65) }],
    ['null for an optional field', 'room:join', { room: 'lobby', since: null }],
    ['a cursor with a fraction', 'room:sync', { room: 'lobby', since: 1.5 }],
    ['a cursor that is not a number', 'room:sync', { room: 'lobby', since: '1' }],
    ['a cursor beyond exact numbers', 'room:sync', { room: 'lobby', since: 2 ** 53 }],
    ['no cursor', 'room:sync', { room: 'lobby' }],
    ['limit 0', 'message:history', { room: 'lobby', limit: 0 }],
    ['a negative before', 'message:history', { room: 'lobby', before: -1 }],
    ['no text', 'message:send', { room: 'lobby', clientId: 'a' }],
    ['a text that is not a string', 'message:send', { room: 'lobby', text: {}, clientId: 'a' }],
    ['an empty text', 'message:send', send({ text: '' })],
    ['a text of invisible characters', 'message:send', send({ text: '\u200b\u200d\u2060\u00ad' })],
    ['a NUL', 'message:send', send({ text: 'a\0b' })],
    ['another control character', 'message:send', send({ text: 'a\u001bb' })],
    ['a carriage return', 'message:send', send({ text: 'a\rb' })],
    ['no clientId', 'message:send', { room: 'lobby', text: 'a' }],
    ['an empty clientId', 'message:send', send({ clientId: '' })],
    ['a clientId with a blank', 'message:send', send({ clientId: 'a b' })],
    ['a clientId of 65 characters', 'message:send', send({ clientId: 'a'.repeat(65) })],
    ['replyTo 0', 'message:send', send({ replyTo: 0 })],
    ['1,001 values', 'room:list', { a: Array(1000).fill(0) }],
    ['1,001 nested values', 'room:list', { a: [{ b: Array(998).fill({}) }] }],
    ['bytes instead of text', 'message:send', send({ text: Buffer.from('a') })],
    ['a nested __proto__', 'room:list', JSON.parse('{"a":[{"__proto__":1}]}')],
    ...['report:context', 'held:approve', 'held:reject', 'held:discard', 'device:remove'].map(
      (event): [string, string, object] => [`${event} of an ID with a NUL`, event, { id: 'a\0' }],
    ),
    ['report:close of an ID with a NUL', 'report:close', { id: '\0', done: 'nothing' }],
    ['invite:revoke of an ID with a NUL', 'invite:revoke', { room: 'lobby', id: '\0' }],
  ])('is the answer to %s', async (_, event, ...args) => {
    expect(await code(event, ...args)).toBe('bad_request');
  });
});

test.each<[string, string, ...unknown[]]>([
  ['unknown_event', 'room:explode', {}],
  ['unknown_event', '__proto__', {}],
  ['unknown_event', 'constructor', {}],
  ['unknown_event', 'read:everything', { room: 'lobby' }],
  ['unknown_room', 'room:join', { room: 'cellar' }],
  ['unknown_room', 'room:sync', { room: 'cellar', since: 0 }],
  ['unknown_room', 'room:leave', { room: 'cellar' }],
  ['unknown_room', 'message:history', { room: 'cellar' }],
  ['unknown_room', 'message:send', send({ room: 'cellar' })],
  ['unknown_room', 'room:join', { room: 'constructor' }],
  ['unknown_message', 'message:send', send({ replyTo: 1_000_000 })],
  ['too_long', 'message:send', send({ text: 'x'.repeat(11) })],
  ['ok', 'message:send', send({ text: '😀'.repeat(10) })],
  ['too_long', 'message:send', send({ text: '😀'.repeat(11) })],
  ['ok', 'message:send', send({ text: '\t a\n' })],
  ['ok', 'room:list', { unknown: ['fields', { are: 'ignored' }] }],
  ['ok', 'room:list', { unknown: Array(999).fill({}) }],
])('%s: %s %j', async (expected, ...request) => {
  expect(await code(...request)).toBe(expected);
});

test('takes the sender from the session, whatever the payload contains', async () => {
  const { message } = await client.request(
    'message:send',
    send({ user: { id: '2', name: 'Bob' }, userId: 2, name: 'Bob', seq: 99, id: 'x', sentAt: 1 }) as never,
  );
  expect(message).toMatchObject({ user: { id: '1', name: 'User 1' } });
  expect(message.sentAt).toBeGreaterThan(1_600_000_000_000);
});

test('counts a request without an ack, but does not run it', async () => {
  client.socket.emit('message:send', send({ text: 'unasked' }) as never, undefined as never);
  (client.socket as unknown as { emit(...args: unknown[]): void }).emit(
    'message:send',
    send({ text: 'unasked' }),
  );
  await client.request('message:send', send({ text: 'asked' }));
  const { messages } = await client.request('message:history', { room: 'lobby' });
  expect(messages.map(({ text }) => text)).not.toContain('unasked');
  expect(await (await fetch(`${site.chat.url}/metrics`)).text()).toContain(
    'chat_requests_total{event="message:send",code="no_ack"}',
  );
});

test('runs the requests of one connection in the order in which they were sent', async () => {
  const other = await connectChat(site.chat.url, await site.session(2));
  const answers = await Promise.all([
    other.raw('message:send', send()),
    other.raw('room:join', { room: 'lobby' }),
    other.raw('message:send', send({ text: 'one' })),
    other.raw('message:send', send({ text: 'two' })),
    other.raw('message:history', { room: 'lobby', limit: 2 }),
    other.raw('room:leave', { room: 'lobby' }),
    other.raw('message:send', send()),
    other.raw('room:join', { room: 'lobby' }),
    other.raw('message:send', send({ text: 'three' })),
  ]);
  expect(answers.map((answer) => (answer.ok ? 'ok' : answer.error.code))).toEqual([
    'not_joined',
    'ok',
    'ok',
    'ok',
    'ok',
    'ok',
    'not_joined',
    'ok',
    'ok',
  ]);
  expect(answers[4]).toMatchObject({ data: { messages: [{ text: 'one' }, { text: 'two' }] } });
  other.close();
});

test.each([
  ['an event without a name', '2[]'],
  ['a reserved event', '2["disconnecting"]'],
  ['broken JSON', '2["room:list",'],
  ['too many attachments', '511-["a",{"_placeholder":true,"num":0}]'],
  ['70 KB', `2["room:list",{"a":"${'x'.repeat(70_000)}"}]`],
])('closes only the connection of a packet that breaks Socket.IO: %s', async (_, packet) => {
  const other = await connectChat(site.chat.url, await site.session(3));
  other.socket.io.engine.write(packet);
  await other.disconnected;
  expect(await code('room:list', {})).toBe('ok');
});
