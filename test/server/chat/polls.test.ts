import { expect, test } from 'vitest';
import type { Message } from '../../../server/wire/events.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { closedAfterEach, codeOf, eventsOf, type Person, sharedSite } from '../../helpers/people.ts';
import { startPeopleHere } from '../../helpers/people-here.ts';

const site = sharedSite(() => startPeopleHere({ CHAT_ROOMS: 'lobby', CHAT_HOLD_WORDS: 'pallets' }));
const closing = closedAfterEach();

const ask = async (person: Person, room: string, poll: object): Promise<Message> => {
  const sent = await person.request('message:send', {
    room,
    text: 'Lunch?',
    clientId: newClientId(),
    poll: poll as never,
  });
  return (sent as { message: Message }).message;
};
async function talk() {
  const [ann, ben, cat] = await site.people(3, closing);
  const { id: room } = await site.den(ann, [ben, cat]);
  for (const one of [ann, ben, cat]) await one.request('room:join', { room });
  return { ann, ben, cat, room };
}
const votesOf = ({ reactions = [] }: Message) => reactions.map(({ emoji, count }) => `${emoji} ${count}`);

test('replaces a vote everywhere and names the voters', async () => {
  const { ann, ben, cat, room } = await talk();
  const { seq } = await ask(ann, room, { options: ['pizza', 'soup'] });
  // Two tabs of Ben choose different options at the same time.
  const tab = closing(await site.again(ben));
  await tab.request('room:join', { room });
  await Promise.all([ben, tab].map((one, n) => one.request('poll:vote', { room, seq, choice: [n + 1] })));
  const { message } = await cat.request('poll:vote', { room, seq, choice: [2] });
  expect(message.reactions?.reduce((sum, { count }) => sum + count, 0)).toBe(2);
  await tab.request('poll:vote', { room, seq, choice: [1] });
  const { messages } = await ben.request('message:history', { room });
  expect(messages.at(-1)?.reactions).toEqual([
    { emoji: '1', count: 1, users: [ben.id], mine: true },
    { emoji: '2', count: 1, users: [cat.id] },
  ]);
  const { users } = await ann.request('message:reactions', { room, seq, emoji: '1' });
  expect(users).toEqual([ben.ready.user]);
});

test('names no voter of an anonymous poll in any event or answer', async () => {
  const { ann, ben, cat, room } = await talk();
  const tab = closing(await site.again(ben));
  await tab.request('room:join', { room });
  const { seq } = await ask(ann, room, { options: ['yes', 'no'], anonymous: true });
  const { message } = await ben.request('poll:vote', { room, seq, choice: [2] });
  expect(message.reactions).toEqual([{ emoji: '?2', count: 1, users: [], mine: true }]);
  await cat.request('poll:vote', { room, seq, choice: [1] });
  await expect.poll(() => eventsOf(ann, 'message:reacted').length).toBe(2);
  await expect
    .poll(() => eventsOf(tab, 'push'))
    .toEqual([{ name: 'voted', data: { room, seq, choice: [2] } }]);
  for (const one of [ann, cat])
    expect(eventsOf(one, 'push').filter(({ data }) => data !== undefined)).toHaveLength(one === cat ? 1 : 0);
  expect(eventsOf(ann, 'message:reacted').flatMap(({ changes }) => changes)).toEqual([
    { emoji: '?2', count: 1 },
    { emoji: '?1', count: 1 },
  ]);
  const { messages } = await ann.request('message:history', { room });
  expect(messages.at(-1)?.reactions).toEqual([
    { emoji: '?1', count: 1, users: [] },
    { emoji: '?2', count: 1, users: [] },
  ]);
  expect(await codeOf(ann, 'message:reactions', { room, seq, emoji: '?1' })).toBe('bad_request');
  expect(await ann.request('message:reactions', { room, seq, emoji: '1' })).toEqual({ users: [] });
});

test('lets moderators, but not other members, end a poll, and counts the votes sent before', async () => {
  const { ann, ben, cat, room } = await talk();
  const { seq } = await ask(ben, room, { options: ['a', 'b'] });
  const vote = cat.request('poll:vote', { room, seq, choice: [1] });
  expect(await codeOf(cat, 'poll:end', { room, seq })).toBe('forbidden');
  const { message } = await ann.request('poll:end', { room, seq });
  await vote;
  expect(message).toMatchObject({ poll: { endedAt: expect.any(Number) } });
  expect(votesOf(message)).toEqual(['1 1']);
  expect(await codeOf(cat, 'poll:vote', { room, seq, choice: [2] })).toBe('forbidden');
  await expect.poll(() => eventsOf(cat, 'message:changed').at(-1)).toMatchObject({ seq, poll: message.poll });
  await ben.request('message:delete', { room, seq });
  const { messages } = await cat.request('message:history', { room });
  expect(messages.at(-1)).not.toHaveProperty('poll');
  expect(await codeOf(ben, 'poll:end', { room, seq })).toBe('unknown_message');
});

test('rejects a poll whose options need approval', async () => {
  const { ann, ben, room } = await talk();
  const poll = { options: ['cheap pallets', 'none'] };
  const send = (one: Person) =>
    codeOf(one, 'message:send', { room, text: 'Which?', clientId: newClientId(), poll });
  expect(await send(ben)).toBe('forbidden');
  expect(await send(ann)).toBe('ok');
  const event = { event: { start: 1, place: 'the pallets' } };
  expect(await codeOf(ben, 'message:send', { room, text: 'x', clientId: newClientId(), poll: event })).toBe(
    'forbidden',
  );
});

test('finds a poll by its question, and forwards only the question', async () => {
  const { ann, ben, room } = await talk();
  const { seq } = await ask(ann, room, { options: ['pizza', 'soup'] });
  const { messages } = await ben.request('message:search', { room, query: 'lunch' });
  expect(messages).toMatchObject([{ seq, poll: { options: ['pizza', 'soup'] } }]);
  const copy = await ben.request('message:forward', { room, from: { room, seq }, clientId: newClientId() });
  expect(copy.message).toMatchObject({ text: 'Lunch?', forwarded: {} });
  expect(copy.message).not.toHaveProperty('poll');
});
