import { expect, test } from 'vitest';
import { type History, methods, type Writes } from '../../server/history/history.ts';

const ann = { id: '1', name: 'Ann' };
const day = 24 * 60 * 60 * 1000;
const today = 20_000;
const at = today * day;
let n = 0;

/** The contract of every history for the moderators' page: each list and number has the rooms alone that are asked for. */
export function moderatorsContract(now: () => { history: History }) {
  const write = methods<History['write']>((op, input) => now().history.write[op](input));
  const read = methods<History['read']>((op, input) => now().history.read[op](input));
  const send = async (over: Partial<Writes['send']['in']> = {}) => {
    const sent = {
      room: 'lobby',
      clientId: `p${n++}`,
      user: ann,
      text: 'hello',
      sentAt: at,
      asMember: false,
    };
    return (await write.send({ ...sent, ...over })).message;
  };
  const den = (id = 'den') => write.putRoom({ id, kind: 'private', name: id, at });

  test('messages are counted by day, a repeat once, and a deleted one still', async () => {
    await den();
    const byDay = (rooms: readonly string[], over = {}) =>
      read.messagesByDay({ rooms, except: [], from: today - 2, ...over });
    expect(await byDay([])).toEqual([]);
    const first = await send({ sentAt: at - 1 });
    await Promise.all([
      send({ sentAt: at - 1 }),
      send(),
      send({ sentAt: at + day - 1 }),
      send({ room: 'garden' }),
    ]);
    await send({ clientId: first.clientId, sentAt: at });
    // By a clock that was set back.
    await send({ room: 'garden', sentAt: at - day });
    for (let sent = 0; sent < 4; sent++) await send({ room: 'den', sentAt: at + sent * day });
    await write.delete({ room: 'lobby', seq: first.seq, user: ann.id, moderator: true, anywhere: true, at });
    const open = [
      { day: today - 1, messages: 2 },
      { day: today, messages: 4 },
    ];
    expect(await byDay([])).toEqual(open);
    expect(await byDay(['nowhere'])).toEqual(open);
    expect(await byDay(['den'], { from: today, except: ['garden'] })).toEqual([
      { day: today, messages: 3 },
      { day: today + 1, messages: 1 },
      { day: today + 2, messages: 1 },
      { day: today + 3, messages: 1 },
    ]);
    await write.forgetDays({ before: at + 5 });
    expect(await byDay([])).toEqual([{ day: today, messages: 4 }]);
    await write.deleteRoom({ room: 'garden' });
    expect(await byDay([])).toEqual([{ day: today, messages: 2 }]);
  });
}
