import { expect, test } from 'vitest';
import type { Reads } from '../../../server/history/history.ts';
import { SeenAddresses } from '../../../server/mail/seen-addresses.ts';
import { ownHistory, unexpectedFailure } from '../../helpers/own-history.ts';

test.each<[string, (addresses: SeenAddresses) => void, string | undefined]>([
  ['a ban', (addresses) => addresses.forget('ben'), undefined],
  ['a removed address', (addresses) => addresses.note('ben', ''), undefined],
  ['an invalid address', (addresses) => addresses.note('ben', 'ben at home'), undefined],
  ['another address', (addresses) => addresses.note('ben', 'ben@site.example'), 'ben@site.example'],
])('applies %s right after the address of another session', async (_, see, address) => {
  const history = await ownHistory();
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
  const addresses = new SeenAddresses({ read, write: history.write }, unexpectedFailure);
  addresses.note('ben', 'former@site.example');
  see(addresses);
  await expect.poll(() => looks.length).toBe(2);
  await Promise.all(looks);
  // This write is queued behind those that followed the reads.
  await history.write.arrive({ user, at: 2 });
  expect((await history.read.mailAddress({ user: 'ben' })).address).toBe(address);
});
