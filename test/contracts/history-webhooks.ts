import { expect, test } from 'vitest';
import type { EventType, StoredEvent, Writes } from '../../server/history/history.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { callsOf, type Now } from './history-tested.ts';

const at = 1_700_000_000_000;
const until = at + 60_000;
let n = 0;

/** Tests events for the site in every history. */
export function webhooksContract(now: Now) {
  const { write, read } = callsOf(now);

  /** Stores events like the consumer of the change log. @returns their IDs */
  const store = async (...some: Partial<StoredEvent>[]): Promise<string[]> => {
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
    write.claimEvents({ sent: [], failed: [], at, until, most: 9, ...over });
  const ids = ({ events }: { events: readonly StoredEvent[] }) => events.map(({ id }) => id).sort();

  test('dispatches a due event once, or again if its server crashed', async () => {
    const [first = '', second = '', later = ''] = await store({}, {}, { due: at + 5 });
    expect(await claim({ most: 1, at: at - 1 })).toEqual({ events: [], next: at });
    const claimed = await claim();
    expect(ids(claimed)).toEqual([first, second]);
    expect(claimed.events[0]).toMatchObject({
      type: 'message.created',
      at,
      tries: 1,
      roomId: 'lobby',
      seq: 1,
    });
    expect(claimed.next).toBe(at + 5);
    expect(await claim()).toEqual({ events: [], next: at + 5 });
    await now().reload();
    const again = await claim({ at: until });
    expect(ids(again)).toEqual([first, second, later]);
    expect(again.events.map(({ tries }) => tries).sort()).toEqual([1, 2, 2]);
    await claim({ sent: ids(again), most: 0 });
    expect(await claim({ at: 2 * until })).toEqual({ events: [] });
  });

  test('retries a failed event later, then only on request', async () => {
    const [one = ''] = await store({});
    await claim();
    expect(await claim({ failed: [{ id: one, due: at + 9 }] })).toEqual({ events: [], next: at + 9 });
    expect(ids(await claim({ at: at + 9 }))).toEqual([one]);
    expect(await claim({ failed: [{ id: one }], at: 2 * until })).toEqual({ events: [] });
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
