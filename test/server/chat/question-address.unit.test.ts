import { expect, test } from 'vitest';
import type { Chat } from '../../../server/chat/chat.ts';
import type { Connection } from '../../../server/chat/model.ts';
import { setAddress } from '../../../server/chat/questions/address.ts';

/** Sets the address of one of the guests who connect from the same network address. */
async function set(guest: string, mail: string | null) {
  const history = {
    write: {
      setQuestionAddress: async ({ address }: { address: string | null }) => ({
        room: { question: { address: address === null ? undefined : 'given' } },
      }),
    },
  };
  const connection = { id: 'c', account: '192.0.2.7', person: { user: { id: guest, name: guest } } };
  const code = ({ code }: { code: string }) => code;
  return setAddress({ history } as unknown as Chat, connection as unknown as Connection, { mail }).then(
    ({ address }) => address,
    code,
  );
}

test('a guest can delete the mail address after the guests of the network used up the changes of an hour', async () => {
  for (const n of [1, 2, 3, 4, 5]) expect(await set(`g${n}`, 'eve@mail.example')).toBe('given');
  expect(await set('g6', 'eve@mail.example')).toBe('rate_limited');
  expect(await set('g1', null)).toBeUndefined();
  expect(await set('g1', 'eve@mail.example')).toBe('rate_limited');
});
