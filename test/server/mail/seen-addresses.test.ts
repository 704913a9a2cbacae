import { expect, onTestFinished, test } from 'vitest';
import type { Reads } from '../../../server/history/history.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { SeenAddresses } from '../../../server/mail/seen-addresses.ts';
import { historyFolder } from '../../helpers/chat-server.ts';

test.each<[string, (addresses: SeenAddresses) => void, string | undefined]>([
  ['a ban', (addresses) => addresses.forget('ben'), undefined],
  ['another address', (addresses) => addresses.note('ben', 'ben@site.example'), 'ben@site.example'],
])('right after a former session %s counts', async (_, see, address) => {
  const kept = historyFolder();
  const onFailure = ({ message }: Error) => expect.unreachable(message);
  const history = await openSqliteHistory({ path: kept.path, onFailure });
  onTestFinished(async () => {
    await history.close();
    kept.remove();
  });
  const user = { id: 'ben', name: 'Ben' };
  await history.write.arrive({ user, at: 1 });
  if (address !== undefined) await history.write.noteMailAddress({ user: 'ben', address });
  const looks: Promise<unknown>[] = [];
  const mailAddress = (input: Reads['mailAddress']['in']) => {
    const look = history.read.mailAddress(input);
    looks.push(look);
    return look;
  };
  const read = Object.assign(Object.create(history.read) as typeof history.read, { mailAddress });
  const addresses = new SeenAddresses({ read, write: history.write }, onFailure);
  addresses.note('ben', 'former@site.example');
  see(addresses);
  await expect.poll(() => looks.length).toBe(2);
  await Promise.all(looks);
  // Stored behind what these looks have led to.
  await history.write.arrive({ user, at: 2 });
  expect((await history.read.mailAddress({ user: 'ben' })).address).toBe(address);
});
