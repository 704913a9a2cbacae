import { expect, test } from 'vitest';
import type { Change, History, Writes } from '../../server/history/history.ts';

const ann = { id: '1', name: 'Ann' };
const ben = { id: '2', name: 'Ben' };
const at = 1_700_000_000_000;
let n = 0;

/** What every history must do about order among people. `now`: the history of this test, with the public room `lobby`. */
export function moderationContract(
  now: () => { history: History; changes: Change[]; reopen(): Promise<History> },
) {
  const write = <Op extends keyof Writes>(op: Op, input: Writes[Op]['in']) => now().history.write(op, input);
  const join = (...users: (typeof ann)[]) =>
    Promise.all(users.map((user) => write('join', { room: 'lobby', user, at })));
  const send = async (user: typeof ann, over: Partial<Writes['send']['in']> = {}) =>
    (
      await write('send', {
        room: 'lobby',
        clientId: `m${n++}`,
        user,
        text: 'hello',
        sentAt: at,
        asMember: true,
        ...over,
      })
    ).message;
  const refused = (code: string, more = {}) => expect.objectContaining({ code, ...more });

  test('a room says who may write and how often, also after reopening; what is so already changes nothing', async () => {
    const { room } = await write('updateRoom', { room: 'lobby', write: 'moderators', slow: 30 });
    expect(room).toMatchObject({ name: 'lobby', write: 'moderators', slow: 30 });
    expect(now().changes).toMatchObject([{ type: 'room', is: 'changed', room: { slow: 30 } }]);
    await write('updateRoom', { room: 'lobby', write: 'moderators', slow: 30, name: 'lobby' });
    expect(now().changes).toHaveLength(1);
    const history = await now().reopen();
    expect(await history.read('room', { room: 'lobby' })).toMatchObject({ write: 'moderators', slow: 30 });
    await history.write('updateRoom', { room: 'lobby', write: 'all', slow: 0 });
    const after = await history.read('room', { room: 'lobby' });
    expect([after?.write, after?.slow]).toEqual([undefined, undefined]);
  });

  test('where moderators alone write, others are refused; a repeat is not, and the site is free', async () => {
    await join(ann, ben);
    const before = { clientId: 'once' };
    const first = await send(ben, before);
    await write('setRole', { room: 'lobby', user: ann.id, role: 'moderator' });
    await write('updateRoom', { room: 'lobby', write: 'moderators' });
    await expect(send(ben, { replyTo: 99 })).rejects.toEqual(refused('forbidden'));
    expect(await send(ben, before)).toEqual(first);
    await send(ben, { siteModerator: true });
    await send(ben, { asMember: false });
    await send(ann);
    // Whoever is no moderator any more, whatever the server that asks knows of it.
    await write('setRole', { room: 'lobby', user: ann.id, role: 'member' });
    await expect(send(ann)).rejects.toEqual(refused('forbidden'));
  });

  test('slow mode counts from the last message that is stored, also after reopening; moderators are free', async () => {
    await join(ann, ben);
    await send(ben);
    await write('updateRoom', { room: 'lobby', slow: 10 });
    const soon = (over = {}) => send(ben, { sentAt: at + 4000, ...over });
    await expect(soon()).rejects.toEqual(refused('rate_limited', { retryAfterMs: 6000 }));
    const history = await now().reopen();
    const sent = {
      room: 'lobby',
      user: ben,
      text: 'x',
      asMember: true,
      clientId: 'later',
      sentAt: at + 9999,
    };
    await expect(history.write('send', sent)).rejects.toEqual(refused('rate_limited', { retryAfterMs: 1 }));
    expect(await history.write('send', { ...sent, sentAt: at + 10_000 })).toMatchObject({ repeated: false });
    expect(await history.write('send', sent)).toMatchObject({ repeated: true });
    await history.write('send', { ...sent, clientId: 'site', siteModerator: true });
    await history.write('setRole', { room: 'lobby', user: ben.id, role: 'moderator' });
    await history.write('send', { ...sent, clientId: 'moderator' });
  });

  test('slow mode: of several at once the first one is stored, and a reply to nothing is refused before', async () => {
    await join(ben);
    await write('updateRoom', { room: 'lobby', slow: 10 });
    const all = await Promise.allSettled([send(ben), send(ben), send(ben, { replyTo: 9 })]);
    expect(all.map((one) => (one.status === 'fulfilled' ? one.value.seq : one.reason.code))).toEqual([
      1,
      'rate_limited',
      'unknown_message',
    ]);
  });

  test('slow mode by a clock that was set: what a server has measured counts, and nobody is locked out', async () => {
    await join(ben);
    await write('updateRoom', { room: 'lobby', slow: 10 });
    await send(ben);
    const hour = 3_600_000;
    const measured = (ms: number) => ({ lastOwn: { sentAt: at, ms } });
    // Set forward, and back.
    await expect(send(ben, { sentAt: at + hour, ...measured(3000) })).rejects.toEqual(
      refused('rate_limited', { retryAfterMs: 7000 }),
    );
    await expect(send(ben, { sentAt: at - hour, ...measured(3000) })).rejects.toEqual(
      refused('rate_limited', { retryAfterMs: 7000 }),
    );
    await send(ben, { sentAt: at - hour, ...measured(10_000) });
    // What it has measured is about an earlier message than the last one.
    await expect(send(ben, { sentAt: at - hour, ...measured(60_000) })).rejects.toEqual(
      refused('rate_limited', { retryAfterMs: 10_000 }),
    );
    // Nothing was measured: one message is let through.
    await send(ben, { sentAt: at - 2 * hour });
  });
}
