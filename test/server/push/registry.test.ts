import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Logins } from '../../../packages/php-session/src/login.ts';
import { openSite } from '../../../packages/php-session/src/logins/applications.ts';
import { readOptions } from '../../../packages/php-session/src/options.ts';
import type { Connection } from '../../../server/chat/model.ts';
import type { StoredDevice } from '../../../server/history/history.ts';
import { FileAccess } from '../../../server/logins/file-access.ts';
import { noSiteLogins, TicketLogins, withTickets } from '../../../server/logins/ticket-logins.ts';
import { digestOf, openVerifier } from '../../../server/logins/tickets.ts';
import { DeviceRegistry } from '../../../server/push/registry.ts';
import { Sealing } from '../../../server/push/sealing.ts';
import { roundcubeSite } from '../../helpers/account-sites.ts';
import { loginsOf, siteDatabases, stopClock } from '../../helpers/application-site.ts';
import { mybbSite } from '../../helpers/mybb.ts';
import { ownHistory } from '../../helpers/own-history.ts';
import { now, ticketKeys } from '../../helpers/tickets.ts';

const [db, mysql] = await siteDatabases(['sqlite', 'mysql']);

const [id, user] = ['phone', 'ben'];
/** Creates a user whose phone can be registered, and the registry of a server with these logins. */
async function phone(logins: Partial<Logins>, named = user) {
  const history = await ownHistory();
  const sealing = new Sealing([Buffer.alloc(32, 1)]);
  await history.write.arrive({ user: { id: named, name: 'Ben' }, at: Date.now() });
  const registryWith = (own: Sealing) =>
    new DeviceRegistry({ history, logins: logins as Logins, sealing: own, origins: [], apps: true });
  const registry = registryWith(sealing);
  const device = async () => (await history.read.devices({ user: named }))[0] as StoredDevice;
  return {
    history,
    registryWith,
    registry,
    device,
    async register(credentials: object) {
      const sealed = sealing.seal(`${id} ${named}`, { address: { token: 'app' }, credentials });
      await history.write.registerDevice({ id, user: named, kind: 'app', sealed, at: Date.now() });
    },
    state: async () => (await registry.check(await device())).is,
  };
}
const refused = (code: 'unauthorized' | 'session_invalid') => ({
  code,
  reason: 'a reason',
  kind: 'a reason',
});

test('keeps a device that a renewed session registers while its former session is checked', async () => {
  const { register, state, device } = await phone({
    async identify() {
      await register({ session: 'renewed' });
      return refused('unauthorized');
    },
  });
  await register({ session: 'former' });
  expect(await state()).toBe('ended');
  expect(await device()).toMatchObject({ id, user });
});

test('does not use a device that it has no key for, but keeps it', async () => {
  const { register, registryWith, state, device } = await phone({
    identify: async () => ({ user: { id: user, name: 'Ben' } }) as never,
    ttl: async () => null,
  });
  await register({ session: 'x' });
  const { sealed } = await device();
  const without = registryWith(new Sealing([Buffer.alloc(32, 2)]));
  await without.check(await device());
  // If the key never returns, the device is deleted like an expired one.
  expect(await device()).toMatchObject({ id, sealed, since: expect.any(Number) });
  expect(without.addressOf(await device())).toBeUndefined();
  expect(await state()).toBe('live');
  expect((await device()).since).toBeUndefined();
});

test('keeps a device while the settings of the server do not fit its session', async () => {
  const { register, state, device } = await phone({ identify: async () => refused('session_invalid') });
  await register({ session: 'x' });
  const before = await device();
  expect(await state()).toBe('unknown');
  // If they never fit, the device is deleted eventually.
  expect(await device()).toEqual({ ...before, since: expect.any(Number) });
});

test('treats a device as expired after a logout from MyBB, although MyBB’s key stays valid', async () => {
  if (db === undefined) throw new Error('no database');
  const site = await mybbSite(db);
  onTestFinished(site.remove);
  const { register, state, device } = await phone(await loginsOf(site.folder), '7');
  const { cookies, logOut, sid } = await site.logIn('7');
  await register({ cookies });
  expect(await state()).toBe('live');
  await logOut();
  expect(await state()).toBe('expired');
  expect(await state()).toBe('expired');
  expect(await device()).toMatchObject({ since: expect.any(Number) });
  // As if MyBB had only cleaned up the session.
  await site.insert('sessions', { sid, uid: 7, time: Math.floor(Date.now() / 1000) });
  expect(await state()).toBe('live');
  expect((await device()).since).toBeUndefined();
  // The browser was restarted and opened only the chat.
  await register({ cookies: cookies.replace(/sid=[^;]*/, '') });
  expect(await state()).toBe('expired');
});

test('keeps a device of Roundcube, though its second cookie is valid only for minutes', async () => {
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
  // The cookie no longer admits a connection.
  expect(await logins.identify({ cookies: site.cookies })).toMatchObject({ code: 'unauthorized' });
  const another = Buffer.from('user_id|i:7;username|s:3:"ann";auth_secret|s:3:"Xy2";').toString('base64');
  await mysql.run('UPDATE rc_session SET vars = ?', [another]);
  expect((await registry.check(await device())).is).toBe('ended');
});

describe('a device of a login by ticket', () => {
  /** Two connections of one user with different logins, and a device of each. */
  async function devices() {
    const { keys, ticket, remove } = ticketKeys();
    onTestFinished(remove);
    const limits = { audience: 'chat.example', maxAgeMs: 900_000, admins: [], moderators: [], team: [] };
    const tickets = new TicketLogins(await openVerifier({ keys, ...limits }), new FileAccess(keys));
    const { registry, history } = await phone(withTickets(noSiteLogins, tickets), '7');
    const connect = async (sid: string, token: string) => {
      const connection = { person: { user: { id: '7' } } } as Connection;
      // A client may send a session too, which does not count.
      const credentials = { ticket: ticket({ sid }), session: 'x' };
      registry.accepted(connection, { credentials, origin: undefined });
      await registry.register(connection, { token });
      return connection;
    };
    const [first] = [await connect('first', 'a'), await connect('second', 'b')];
    const list = () => history.read.devices({ user: '7' });
    return { registry, tickets, ticket, first, list };
  }

  test('is removed at the logout, also after a renewal, in contrast to devices of other logins', async () => {
    const { registry, ticket, first, list } = await devices();
    registry.renewed(first, ticket({ sid: 'first', iat: now() + 1 }));
    await registry.loggedOut(first);
    const left = await list();
    expect(left.map((device) => registry.addressOf(device))).toEqual([{ token: 'b' }]);
  });

  test('is removed by a check after the site ended the login', async () => {
    const { registry, tickets, list } = await devices();
    tickets.end({ id: digestOf('first'), until: Date.now() + 1e6 });
    const states = await Promise.all((await list()).map(async (device) => (await registry.check(device)).is));
    expect(states.sort()).toEqual(['ended', 'live']);
    expect(await list()).toHaveLength(1);
  });

  test('counts as expired after the end of its ticket', async () => {
    const { registry, list } = await devices();
    const [device] = await list();
    stopClock();
    vi.setSystemTime(Date.now() + 640_000);
    expect((await registry.check(device as StoredDevice)).is).toBe('expired');
  });
});
