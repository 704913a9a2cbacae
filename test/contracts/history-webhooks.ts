import { expect, test } from 'vitest';
import type { EventType, NewEvent, StoredEvent, Writes } from '../../server/history/history.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { at, callsOf, type Now } from './history-tested.ts';

const until = at + 60_000;
let n = 0;

/** Tests events for the site in every history. */
export function webhooksContract(now: Now) {
  const { write, read } = callsOf(now);

  /** Stores events like the consumer of the change log. @returns their IDs */
  const store = async (...some: Partial<NewEvent>[]): Promise<string[]> => {
    const consumer = { name: 'webhooks', by: 'me', types: ['room'], lease: 60_000, most: 9 } as const;
    const taken = await write.consume(consumer);
    if ('leasedForMs' in taken) throw new Error('another server has the lease');
    const events = some.map((one) => ({
      id: `e${n++}`,
      type: 'message.created' as EventType,
      at,
      due: at,
      tries: 0,
      roomId: 'lobby',
      seq: 1,
      ...one,
    }));
    await write.consume({ ...consumer, done: taken.upTo, rows: { events } });
    return events.map(({ id }) => id);
  };
  const claim = (over: Partial<Writes['claimEvents']['in']> = {}) =>
    write.claimEvents({ sent: [], failed: [], at, until, most: 9, mostRetries: 9, ...over });
  const ids = ({ events }: { events: readonly StoredEvent[] }) => events.map(({ id }) => id).sort();

  /** Sends a message as this user. @returns the fields of an event about it */
  const say = async (id: string) => {
    const { message } = await write.send({
      ...{ room: 'lobby', user: { id, name: id }, sentAt: at, asMember: false },
      ...{ text: 'hello', clientId: `m${n++}` },
    });
    return { seq: message.seq, messageId: message.id };
  };

  /** Claims and accepts all events, one after the other. @returns their IDs in this order */
  const inTurn = async (): Promise<string[]> => {
    const order: string[] = [];
    for (let sent: string[] = []; ; order.push(...sent)) {
      const { events } = await claim({ sent, most: 1 });
      if (events.length === 0) return order;
      sent = ids({ events });
    }
  };

  test('dispatches a due event once, or again if its server crashed', async () => {
    const [first = '', second = ''] = await store({}, {});
    const claimed = await claim();
    expect(ids(claimed)).toEqual([first, second]);
    expect(claimed.events[0]).toMatchObject({
      type: 'message.created',
      at,
      tries: 1,
      roomId: 'lobby',
      seq: 1,
    });
    expect(claimed.retries).toEqual([]);
    expect(await claim()).toEqual({ events: [], retries: [], next: until });
    const [later = ''] = await store({});
    await now().reload();
    expect(await claim({ at: until - 1, most: 0 })).toMatchObject({ events: [] });
    const again = await claim({ at: until });
    expect(ids(again)).toEqual([first, second, later]);
    expect(again.retries.toSorted()).toEqual([first, second]);
    expect(again.events.map(({ tries }) => tries).sort()).toEqual([1, 2, 2]);
    await claim({ sent: ids(again), most: 0 });
    expect(await claim({ at: 2 * until })).toEqual({ events: [], retries: [] });
  });

  test('lets accounts take turns, each type apart, reports and mails first', async () => {
    await write.publicRooms({ rooms: [{ id: 'lobby', name: 'Lobby' }], at });
    const created = async (author: string) => ({ ...(await say(author)), roomId: 'lobby' });
    await write.arrive({ user: { id: '3', name: '3' } });
    const flood = await Promise.all(Array.from({ length: 6 }, () => created('1')));
    const [a1 = '', a2 = '', a3 = '', a4 = ''] = await store(...flood.slice(0, 4));
    const mine = await created('2');
    const [b1 = '', b2 = '', edit = ''] = await store(
      { ...mine, at: at + 1, due: at + 1 },
      { ...(await created('2')), at: at + 2, due: at + 2 },
      { ...mine, type: 'message.changed', at: at + 3, due: at + 3 },
    );
    const [added1 = '', added2 = '', mail = '', report = ''] = await store(
      { type: 'room.member_added', user: '3', at: at + 4, due: at + 4 },
      { type: 'room.member_added', user: '3', at: at + 5, due: at + 5 },
      { type: 'notify.due', user: '1', at: at + 6, due: at + 6 },
      { type: 'message.reported', at: at + 7, due: at + 7 },
    );
    const [a5 = '', a6 = ''] = await store(...flood.slice(4));
    await now().reload();
    expect(await inTurn()).toEqual(
      [[mail, report], [a1, b1, edit, added1], [a2, b2, added2], a3, a4, a5, a6].flat(),
    );
  });

  test('starts a new account in the round of the first queued event', async () => {
    await write.publicRooms({ rooms: [{ id: 'lobby', name: 'Lobby' }], at });
    const [first, second, third] = [await say('1'), await say('1'), await say('1')];
    const [a1 = '', a2 = '', a3 = ''] = await store(first, second, third);
    const { events } = await claim({ most: 1 });
    expect(ids({ events })).toEqual([a1]);
    const [b1 = '', b2 = ''] = await store(
      { ...(await say('2')), due: at + 1 },
      { ...(await say('2')), due: at + 1 },
    );
    await claim({ sent: [a1], most: 0 });
    expect(await inTurn()).toEqual([a2, b1, a3, b2]);
  });

  test('queues one message.changed event for each message, in the earliest turn', async () => {
    await write.publicRooms({ rooms: [{ id: 'lobby', name: 'Lobby' }], at });
    const change = async (author: string) => ({
      ...(await say(author)),
      type: 'message.changed' as const,
    });
    const changes = [await change('1'), await change('1'), await change('1')];
    const made = await store(...changes, ...changes);
    await store({ ...changes[1] }, { ...changes[2], by: 'another user' });
    const [a1 = '', a2 = '', a3 = ''] = made;
    const { events } = await claim({ most: 2 });
    // The third one is now due in the first turn of another user.
    expect(events.map(({ id }) => id).sort()).toEqual([a1, a3].sort());
    const [again = ''] = await store({ ...changes[0], due: at + 1 });
    await claim({ sent: [a1, a3], most: 0 });
    expect((await inTurn()).sort()).toEqual([a2, again].sort());
  });

  test('claims retries up to a limit before new events, and the others after them', async () => {
    const retries = await store({}, {}, {});
    await claim();
    await claim({ failed: retries.map((id) => ({ id, due: at + 5 })), most: 0 });
    const fresh = await store({ by: '1' }, { by: '2' });
    const some = await claim({ at: at + 5, most: 2, mostRetries: 1 });
    expect(some.retries).toHaveLength(1);
    expect(some.events.filter(({ id }) => fresh.includes(id))).toHaveLength(1);
    const others = await claim({ at: at + 5, mostRetries: 0 });
    expect(fresh).toContain(others.events[0]?.id);
    expect(others.events.slice(1).map(({ id }) => id)).toEqual(others.retries);
    expect([...ids(some), ...ids(others)].sort()).toEqual([...retries, ...fresh].sort());
    await claim({ sent: [...retries, ...fresh], most: 0 });
  });

  test('retries a failed event later, then only on request', async () => {
    const [one = ''] = await store({});
    await claim();
    const failed = [{ id: one, due: at + 9 }];
    expect(await claim({ failed })).toEqual({ events: [], retries: [], next: at + 9 });
    expect(ids(await claim({ at: at + 9 }))).toEqual([one]);
    expect(await claim({ failed: [{ id: one }], at: 2 * until })).toEqual({ events: [], retries: [] });
    expect(await read.events({ limit: 9 })).toMatchObject({ waiting: 0, failed: [{ id: one, tries: 2 }] });
    expect(await write.retryEvents({ at })).toEqual({ events: 1 });
    expect(await read.events({ limit: 9 })).toEqual({ waiting: 1, failed: [] });
    const { events } = await claim();
    expect(events).toMatchObject([{ id: one, tries: 1 }]);
    await claim({ sent: [one] });
  });

  test('drops the oldest events of the least important type beyond the limit', async () => {
    const made = await store(
      { type: 'message.reported' },
      { type: 'message.changed', at: at - 3 },
      { type: 'message.changed', at: at - 1 },
      { type: 'message.changed', at: at - 2 },
      { at: at - 9 },
      // Important, because otherwise a user is not notified of missed messages.
      { type: 'notify.due', at: at - 9 },
    );
    expect(await write.dropEvents({ most: 9 })).toEqual({ dropped: 0 });
    expect(await write.dropEvents({ most: 4 })).toEqual({ dropped: 2 });
    const left = [0, 2, 4, 5].map((place) => made[place]);
    expect(ids(await claim())).toEqual(left.sort());
    expect(await write.dropEvents({ most: 2 })).toEqual({ dropped: 2 });
    expect(ids(await claim({ at: until, until: 2 * until }))).toEqual([made[0], made[5]].sort());
    expect(await write.dropEvents({ most: 0 })).toEqual({ dropped: 2 });
  });

  test('deletes events of an erased user and does not store later ones', async () => {
    for (const id of ['8', '9']) await write.arrive({ user: { id, name: id } });
    await store({ type: 'room.member_added', user: '9' });
    const by = { id: '8', name: '8' };
    for (const other of ['9', 'never seen']) await write.openDirect({ id: `d-${other}`, by, other });
    const others = await store(
      { type: 'room.member_added', user: '8' },
      { type: 'room.member_removed', user: '8' },
      { type: 'room.member_added', user: 'never seen', roomId: 'd-never seen' },
    );
    await write.erase({ user: '9' });
    for (const type of ['room.member_added', 'room.member_removed'] as const)
      await store({ type, user: '9' });
    await carryOutErasures(now().history);
    for (const type of ['room.member_added', 'room.member_removed'] as const)
      for (const roomId of ['den', 'd-9']) await store({ type, user: '9', roomId });
    expect(ids(await claim())).toEqual([...others].sort());
  });

  test('returns the messages at the given positions', async () => {
    await write.publicRooms({ rooms: [{ id: 'lobby', name: 'Lobby' }], at });
    const user = { id: '1', name: 'N1' };
    const sent = { room: 'lobby', user, sentAt: at, asMember: false };
    await write.send({ ...sent, text: 'one', clientId: `m${n++}` });
    await write.send({ ...sent, text: 'two', clientId: `m${n++}` });
    const places = [
      { room: 'lobby', seq: 2 },
      { room: 'lobby', seq: 7 },
      { room: 'nowhere', seq: 1 },
    ];
    expect(await read.messages({ places })).toMatchObject([{ room: 'lobby', seq: 2, text: 'two' }]);
    expect(await read.messages({ places: [] })).toEqual([]);
  });
}
