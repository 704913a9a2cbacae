import { expect, test } from 'vitest';
import { mostDevices, type StoredDevice } from '../../server/history/history.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { at, callsOf, type Now } from './history-tested.ts';

/** Tests the devices of users and the chat's keys for push services, in every history. */
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

  test('assigns a device to the user who registered it last', async () => {
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
    // Ann can no longer remove or change the device, because it is Ben's.
    await write.removeDevice({ id: 'pc', user: 'ann' });
    await write.noteDevice({ id: 'pc', user: 'ann', since: at });
    // An outdated registration cannot remove or change a newer one.
    await write.removeDevice({ id: 'pc', user: 'ben', sealed: first.sealed });
    await write.noteDevice({ id: 'pc', user: 'ben', sealed: first.sealed, since: at });
    expect(await read.devices({ user: 'ben' })).toEqual([device('pc', 'ben')]);
    await write.removeDevice({ id: 'pc', user: 'ben', sealed: device('pc', 'ben').sealed });
    await write.removeDevice({ id: 'pc', user: 'ben' });
    expect(await idsOf('ben')).toEqual([]);
  });

  test('drops the oldest registration beyond ten devices', async () => {
    await arrive('cat');
    for (let n = 0; n <= mostDevices; n++) await write.registerDevice(device(`m${n}`, 'cat', { at: at + n }));
    expect(await idsOf('cat')).toEqual(Array.from({ length: mostDevices }, (_, n) => `m${mostDevices - n}`));
    await write.registerDevice(device('m3', 'cat', { at: at + 99 }));
    expect((await idsOf('cat')).slice(0, 2)).toEqual(['m3', `m${mostDevices}`]);
  });

  test('deletes a device some time after its login expires, unless it is registered again', async () => {
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
    await write.forgetDevices({ before: at + 6, most: 9 });
    expect(await idsOf('dan')).toEqual(['live', 'new']);
    await write.registerDevice(device('new', 'dan'));
    await write.forgetDevices({ before: at + 99, most: 9 });
    expect(await idsOf('dan')).toEqual(['live', 'new']);
  });

  test('does not store a device registered after its user was erased', async () => {
    await arrive('eve');
    await write.erase({ user: 'eve' });
    await carryOutErasures(now().history);
    await write.registerDevice(device('late', 'eve'));
    expect(await idsOf('eve')).toEqual([]);
    // A later user with the same ID.
    await arrive('eve');
    await write.registerDevice(device('later', 'eve'));
    expect(await idsOf('eve')).toEqual(['later']);
  });

  test('returns the keys for push services, oldest first', async () => {
    expect(await read.vapidKeys(null)).toEqual([]);
    await write.addVapidKey({ id: 'second', sealed: 'b', at: at + 1 });
    await write.addVapidKey({ id: 'first', sealed: 'a', at });
    expect(await read.vapidKeys(null)).toEqual([
      { id: 'first', sealed: 'a', at },
      { id: 'second', sealed: 'b', at: at + 1 },
    ]);
  });
}
