import { expect, test } from 'vitest';
import { mostDevices, type StoredDevice } from '../../server/history/history.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { callsOf, type Now } from './history-tested.ts';

const at = 1_700_000_000_000;

/** The contract of every history for the devices of users, and for the keys by which push services know the chat. */
export function devicesContract(now: Now) {
  const { write, read } = callsOf(now);
  const device = (id: string, user: string, over: Partial<StoredDevice> = {}): StoredDevice => ({
    id,
    user,
    kind: 'browser',
    sealed: `sealed ${id} ${user}`,
    at,
    ...over,
  });
  const arrive = (id: string) => write.arrive({ user: { id, name: id } });
  const idsOf = async (user: string) => (await read.devices({ user })).map(({ id }) => id);

  test('a device is of one user: of the one who has registered it last', async () => {
    for (const user of ['ann', 'ben']) await arrive(user);
    const first = device('pc', 'ann', { name: 'Firefox', until: at + 9 });
    await write.registerDevice(first);
    await write.registerDevice(device('phone', 'ann', { kind: 'app', at: at + 1 }));
    await now().reload();
    expect(await read.devices({ user: 'ann' })).toEqual([
      device('phone', 'ann', { kind: 'app', at: at + 1 }),
      first,
    ]);
    await write.registerDevice(device('pc', 'ben'));
    expect(await idsOf('ann')).toEqual(['phone']);
    expect(await read.devices({ user: 'ben' })).toEqual([device('pc', 'ben')]);
    // Neither removes nor changes what is another's by now.
    await write.removeDevice({ id: 'pc', user: 'ann' });
    await write.noteDevice({ id: 'pc', user: 'ann', since: at });
    // Nor what was registered again since.
    await write.removeDevice({ id: 'pc', user: 'ben', sealed: first.sealed });
    await write.noteDevice({ id: 'pc', user: 'ben', sealed: first.sealed, since: at });
    expect(await read.devices({ user: 'ben' })).toEqual([device('pc', 'ben')]);
    await write.removeDevice({ id: 'pc', user: 'ben', sealed: device('pc', 'ben').sealed });
    await write.removeDevice({ id: 'pc', user: 'ben' });
    expect(await idsOf('ben')).toEqual([]);
  });

  test('beyond ten devices the one goes that was registered the longest ago', async () => {
    await arrive('cat');
    for (let n = 0; n <= mostDevices; n++) await write.registerDevice(device(`m${n}`, 'cat', { at: at + n }));
    expect(await idsOf('cat')).toEqual(Array.from({ length: mostDevices }, (_, n) => `m${mostDevices - n}`));
    await write.registerDevice(device('m3', 'cat', { at: at + 99 }));
    expect((await idsOf('cat')).slice(0, 2)).toEqual(['m3', `m${mostDevices}`]);
  });

  test('a device is forgotten a while after its login has expired, unless it is registered again', async () => {
    await arrive('dan');
    for (const id of ['old', 'new', 'live']) await write.registerDevice(device(id, 'dan', { until: at + 5 }));
    await write.noteDevice({ id: 'old', user: 'dan', since: at + 5 });
    await write.noteDevice({ id: 'new', user: 'dan', until: at + 5, since: at + 7 });
    await write.noteDevice({ id: 'live', user: 'dan', until: at + 50 });
    expect(await read.devices({ user: 'dan' })).toEqual([
      device('live', 'dan', { until: at + 50 }),
      device('new', 'dan', { until: at + 5, since: at + 7 }),
      device('old', 'dan', { since: at + 5 }),
    ]);
    await write.forgetDevices({ before: at + 6 });
    expect(await idsOf('dan')).toEqual(['live', 'new']);
    await write.registerDevice(device('new', 'dan'));
    await write.forgetDevices({ before: at + 99 });
    expect(await idsOf('dan')).toEqual(['live', 'new']);
  });

  test('a device that is registered after its user was erased is not stored', async () => {
    await arrive('eve');
    await write.erase({ user: 'eve' });
    await carryOutErasures(now().history);
    await write.registerDevice(device('late', 'eve'));
    expect(await idsOf('eve')).toEqual([]);
    // A later user of that id.
    await arrive('eve');
    await write.registerDevice(device('later', 'eve'));
    expect(await idsOf('eve')).toEqual(['later']);
  });

  test('keys for push services, the oldest first', async () => {
    expect(await read.vapidKeys(null)).toEqual([]);
    await write.addVapidKey({ id: 'second', sealed: 'b', at: at + 1 });
    await write.addVapidKey({ id: 'first', sealed: 'a', at });
    expect(await read.vapidKeys(null)).toEqual([
      { id: 'first', sealed: 'a', at },
      { id: 'second', sealed: 'b', at: at + 1 },
    ]);
  });
}
