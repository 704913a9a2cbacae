import { expect, test } from 'vitest';
import { DeviceRegistry } from '../../../server/push/registry.ts';
import { Sealing } from '../../../server/push/sealing.ts';
import type { Logins } from '../../../server/session/login.ts';
import { ownHistory } from '../../helpers/own-history.ts';

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
