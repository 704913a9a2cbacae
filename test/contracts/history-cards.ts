import { expect, test } from 'vitest';
import { carryOutErasures } from '../helpers/erasures.ts';
import { at, callsOf, expectRefusal, type Now } from './history-tested.ts';

const [ann, ben] = [
  { id: '1', name: 'Ann' },
  { id: '2', name: 'Ben' },
];
const room = 'lobby';
const card = 'order:4711';
let n = 0;

/** Tests the references of cards in every history. */
export function cardsContract(now: Now) {
  const { write, read } = callsOf(now);
  const send = async (over = {}) => {
    for (const user of [ann, ben]) await write.join({ room, user });
    const message = { room, user: ann, text: 'Where?', clientId: `c${n++}`, sentAt: at, card, ...over };
    return (await write.send({ ...message, asMember: true })).message;
  };
  const stored = async (seq: number) => {
    await now().reload();
    return (await read.newest({ room, upTo: seq, limit: 1 })).messages[0];
  };
  const forward = async (seq: number) => {
    const copy = { room, from: { room, seq }, user: ben, clientId: `f${n++}`, sentAt: at, asMember: true };
    return (await write.forward(copy)).message;
  };

  test('keeps the reference of a card in edits, reactions and copies, until the message is deleted', async () => {
    const { seq } = await send();
    expect(await stored(seq)).toMatchObject({ text: 'Where?', card });
    await write.react({ room, seq, reactions: [{ user: ben.id, emoji: '👍', on: true }] });
    await write.edit({ room, seq, user: ann.id, text: 'Where is it?', at });
    expect(await stored(seq)).toMatchObject({ text: 'Where is it?', card, reactions: [{ emoji: '👍' }] });
    const copy = await forward(seq);
    expect(await stored(copy.seq)).toMatchObject({ text: 'Where is it?', card, forwarded: {} });
    await write.delete({ room, seq, user: ann.id, moderator: false, at });
    const { messages } = await read.after({ room, after: seq - 1, upTo: seq, limit: 1 });
    expect(messages[0]).not.toHaveProperty('card', expect.anything());
  });

  test('distinguishes a repeat from a message with another card and the same clientId', async () => {
    const first = await send({ clientId: 'same' });
    expect(await send({ clientId: 'same', sentAt: at + 9 })).toEqual(first);
    await expectRefusal(send({ clientId: 'same', card: 'order:1' }), 'conflict');
  });

  test('keeps the reference while a message waits for approval', async () => {
    await send();
    const waits = {
      room,
      user: ben,
      text: 'And this?',
      clientId: `h${n++}`,
      sentAt: at,
      card,
      asMember: true,
    };
    const held = await write.hold({ ...waits, why: 'all' });
    if (!('held' in held)) throw new Error('the message is not pending');
    const { id } = held.held;
    const approved = { room, id, user: ben.id, by: ann.id, siteModerator: true, at: at + 1 };
    const { message } = await write.approvePending(approved);
    expect(await stored(message.seq)).toMatchObject({ text: 'And this?', card });
  });

  test('removes the references of an erased user, also from copies', async () => {
    const { seq } = await send();
    const copy = await forward(seq);
    await write.erase({ user: ann.id, messages: 'anonymise' });
    await carryOutErasures(now().history, 'one', at);
    for (const one of [seq, copy.seq]) {
      const { messages } = await read.after({ room, after: one - 1, upTo: one, limit: 1 });
      expect(messages[0]).toMatchObject({ text: 'Where?' });
      expect(messages[0]).not.toHaveProperty('card', expect.anything());
    }
  });
}
