import { afterAll, beforeAll, describe, test } from 'vitest';
import { databases, readsOf } from '../../helpers/hidden.ts';
import { type PeopleSite, say, startPeopleSite } from '../../helpers/people.ts';
import { connectRaw, type RawClient } from '../../helpers/raw-client.ts';
import { takesAsLong } from '../../helpers/takes-as-long.ts';

const hiddenMessages = 5000;
const hiddenUsers = 1000;
const bounds = { answers: 1000, most: 0.1, share: 0.1 };

/** Two sites that look the same to Eve. The second also contains many other rooms, users and messages. */
describe.each(Object.entries(databases))('%s', (_, start) => {
  const open: (() => Promise<unknown>)[] = [];
  const askers: { client: RawClient; own: string }[] = [];
  beforeAll(async () => {
    for (const isFull of [false, true]) {
      const database = await start();
      open.unshift(() => database.close());
      const site = await startPeopleSite({ ...database.env, CHAT_CREATE_ROOMS: 'all' });
      open.unshift(() => site.close());
      const [eve, mia] = [await site.person({}, 'eve'), await site.person({}, 'mia')];
      const own = (await site.den(eve, [mia])).id;
      for (const client of [eve, mia]) await client.request('room:join', { room: own });
      for (const text of ['my code', 'other words', 'your code']) await say(mia, own, text);
      if (isFull) await hide(site);
      await database.tidy();
      askers.push({ client: await connectRaw(site.chat.port, eve.cookie), own });
    }
  }, 300_000);
  afterAll(async () => {
    for (const close of open) await close();
  }, 60_000);

  test.each(readsOf('').map(([event, payload]) => [event, payload] as const))(
    `%s %j takes as long with ${hiddenMessages} hidden messages and ${hiddenUsers} hidden users as without (medians of ${bounds.answers} answers within ${100 * bounds.share} % or ${bounds.most} ms)`,
    async (event, payload) => {
      const [without, beside] = askers.map(
        ({ client, own }) =>
          () =>
            client.request(event, 'room' in payload ? { ...payload, room: own } : payload),
      );
      await takesAsLong([without as () => Promise<string>, beside as () => Promise<string>], bounds);
    },
    600_000,
  );

  test('takes as long to forward from a hidden room as from a missing one', async () => {
    let forwards = 0;
    const [without, beside] = askers.map(({ client, own }) => () => {
      const from = { room: 'den-1', seq: 7 };
      return client.request('message:forward', { room: own, from, clientId: `c${forwards++}` });
    });
    await takesAsLong([without as () => Promise<string>, beside as () => Promise<string>], bounds);
  }, 600_000);
});

/** Creates private rooms of other users, with words and names similar to those in the requests. */
async function hide({ api }: PeopleSite): Promise<void> {
  for (const room of ['den-1', 'den-2']) {
    await api('PUT', `/rooms/${room}`, { name: 'Den', kind: 'private' });
    const add = Array.from({ length: hiddenUsers / 2 }, (_, n) => ({
      id: `${room}-${n}`,
      name: `Name of ${n}`,
    }));
    await api('PATCH', `/rooms/${room}/members`, { add });
    for (let n = 0; n < hiddenMessages / 2; n += 20) {
      await Promise.all(
        Array.from({ length: 20 }, (_, of) =>
          api('POST', `/rooms/${room}/messages`, {
            user: add[(n + of) % add.length],
            text: `the code is ${n + of}`,
            clientId: `c${n + of}`,
          }),
        ),
      );
    }
  }
}
