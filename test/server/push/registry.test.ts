import { expect, onTestFinished, test, vi } from 'vitest';
import type { Connection } from '../../../server/chat/model.ts';
import type { StoredDevice } from '../../../server/history/history.ts';
import { DeviceRegistry } from '../../../server/push/registry.ts';
import { Sealing } from '../../../server/push/sealing.ts';
import type { Logins } from '../../../server/session/login.ts';
import { openSite } from '../../../server/session/logins/applications.ts';
import { readOptions } from '../../../server/session/options.ts';
import { roundcubeSite } from '../../helpers/account-sites.ts';
import { loginsOf, siteDatabases, stopClock } from '../../helpers/application-site.ts';
import { mybbSite } from '../../helpers/mybb.ts';
import { ownHistory } from '../../helpers/own-history.ts';

const [db, mysql] = await siteDatabases(['sqlite', 'mysql']);

test('a device that is registered again by a renewed session stays, though the former one is being looked at', async () => {
  const history = await ownHistory();
  const sealing = new Sealing([Buffer.alloc(32)]);
  const [id, user] = ['phone', 'ben'];
  await history.write.arrive({ user: { id: user, name: 'Ben' }, at: Date.now() });
  const register = (session: string) => {
    const sealed = sealing.seal(`${id} ${user}`, { address: { token: 'app' }, credentials: { session } });
    return history.write.registerDevice({ id, user, kind: 'app', sealed, at: Date.now() });
  };
  const logins = {
    async identify() {
      await register('renewed');
      return { code: 'unauthorized', reason: 'no such session', kind: 'no such session' };
    },
  } as unknown as Logins;
  const registry = new DeviceRegistry({ history, logins, sealing, origins: [], apps: true });
  await register('former');
  const [device] = await history.read.devices({ user });
  expect(device && (await registry.check(device))).toEqual({ is: 'ended' });
  expect(await history.read.devices({ user })).toMatchObject([{ id, user }]);
});

test('a device that a server has no key for is not sent to, and is as before where the key is there', async () => {
  const history = await ownHistory();
  const sealing = new Sealing([Buffer.alloc(32, 1)]);
  const [id, user] = ['phone', 'ben'];
  await history.write.arrive({ user: { id: user, name: 'Ben' }, at: Date.now() });
  const sealed = sealing.seal(`${id} ${user}`, { address: { token: 'app' }, credentials: { session: 'x' } });
  await history.write.registerDevice({ id, user, kind: 'app', sealed, at: Date.now() });
  const logins = {
    identify: async () => ({ user: { id: user, name: 'Ben' } }),
    ttl: async () => null,
  } as unknown as Logins;
  const registryWith = (own: Sealing) =>
    new DeviceRegistry({ history, logins, sealing: own, origins: [], apps: true });
  const device = async () => (await history.read.devices({ user }))[0] as StoredDevice;
  const without = registryWith(new Sealing([Buffer.alloc(32, 2)]));
  await without.check(await device());
  // If the key never comes back, the device is forgotten as an expired one.
  expect(await device()).toMatchObject({ id, sealed, since: expect.any(Number) });
  expect(without.addressOf(await device())).toBeUndefined();
  expect((await registryWith(sealing).check(await device())).is).toBe('live');
  expect((await device()).since).toBeUndefined();
});

test('a device stays while the settings of the server do not fit its session', async () => {
  const history = await ownHistory();
  const sealing = new Sealing([Buffer.alloc(32)]);
  const [id, user] = ['phone', 'ben'];
  await history.write.arrive({ user: { id: user, name: 'Ben' }, at: Date.now() });
  const sealed = sealing.seal(`${id} ${user}`, { address: { token: 'app' }, credentials: { session: 'x' } });
  await history.write.registerDevice({ id, user, kind: 'app', sealed, at: Date.now() });
  const reason = 'another format';
  const logins = {
    identify: async () => ({ code: 'session_invalid', reason, kind: reason }),
  } as unknown as Logins;
  const registry = new DeviceRegistry({ history, logins, sealing, origins: [], apps: true });
  const [device] = await history.read.devices({ user });
  expect(device && (await registry.check(device))).toEqual({ is: 'unknown' });
  // If it never fits, the device is forgotten some day.
  expect(await history.read.devices({ user })).toEqual([{ ...device, since: expect.any(Number) }]);
});

test('after a logout from MyBB, whose key outlives it, a device gets no names any more', async () => {
  if (db === undefined) throw new Error('no database');
  const site = await mybbSite(db);
  onTestFinished(site.remove);
  const [history, logins] = [await ownHistory(), await loginsOf(site.folder)];
  const sealing = new Sealing([Buffer.alloc(32)]);
  const registry = new DeviceRegistry({ history, logins, sealing, origins: [], apps: true });
  const [id, user] = ['phone', '7'];
  await history.write.arrive({ user: { id: user, name: 'Ann' }, at: Date.now() });
  const { cookies, logOut, sid } = await site.logIn(user);
  const register = async (cookies: string) => {
    const sealed = sealing.seal(`${id} ${user}`, { address: { token: 'app' }, credentials: { cookies } });
    await history.write.registerDevice({ id, user, kind: 'app', sealed, at: Date.now() });
  };
  await register(cookies);
  const device = async () => (await history.read.devices({ user }))[0] as StoredDevice;
  const state = async () => (await registry.check(await device())).is;
  expect(await state()).toBe('live');
  await logOut();
  expect(await state()).toBe('expired');
  expect(await state()).toBe('expired');
  expect(await device()).toMatchObject({ since: expect.any(Number) });
  // MyBB had cleared the session away.
  await site.insert('sessions', { sid, uid: 7, time: Math.floor(Date.now() / 1000) });
  expect(await state()).toBe('live');
  expect((await device()).since).toBeUndefined();
  // The browser was started again, and has opened the chat alone.
  await register(cookies.replace(/sid=[^;]*/, ''));
  expect(await state()).toBe('expired');
});

test('a device of Roundcube stays, though its second cookie counts for some minutes only', async () => {
  if (mysql === undefined) throw new Error('no database');
  stopClock();
  const site = await roundcubeSite(mysql);
  onTestFinished(site.remove);
  const settings = readOptions({ site: site.folder }, (name) => name);
  if (!('site' in settings)) throw new Error('no site');
  const { logins } = await openSite(settings.site);
  onTestFinished(() => logins.close());
  const history = await ownHistory();
  const sealing = new Sealing([Buffer.alloc(32)]);
  const registry = new DeviceRegistry({ history, logins, sealing, origins: [], apps: true });
  const user = { id: '7', name: 'ann' };
  await history.write.arrive({ user, at: Date.now() });
  const connection = { person: { user } } as Connection;
  registry.accepted(connection, { credentials: { cookies: site.cookies }, origin: undefined });
  const later = () => vi.setSystemTime(Date.now() + 20 * 60_000);
  const device = async () => (await history.read.devices({ user: user.id }))[0] as StoredDevice;
  later();
  await registry.register(connection, { token: 'app' });
  later();
  expect((await registry.check(await device())).is).toBe('live');
  // Nobody comes by that cookie now.
  expect(await logins.identify({ cookies: site.cookies })).toMatchObject({ code: 'unauthorized' });
  const another = Buffer.from('user_id|i:7;username|s:3:"ann";auth_secret|s:3:"Xy2";').toString('base64');
  await mysql.run('UPDATE rc_session SET vars = ?', [another]);
  expect((await registry.check(await device())).is).toBe('ended');
});
