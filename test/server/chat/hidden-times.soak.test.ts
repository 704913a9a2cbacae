import { afterAll, beforeAll, describe, test } from 'vitest';
import { databases, readsOf } from '../../helpers/hidden.ts';
import { type PeopleSite, say, startPeopleSite } from '../../helpers/people.ts';
import { connectRaw, type RawClient } from '../../helpers/raw-client.ts';
import { takesAsLong } from '../../helpers/takes-as-long.ts';

const hiddenMessages = 5000;
const hiddenUsers = 1000;
const bounds = { answers: 1000, most: 0.1, share: 0.1 };

/** Eve's connection to one of the sites, and the room that she owns there. */
interface Asker {
  client: RawClient;
  own: string;
}

/**
 * Two sites that look the same to Eve. The second also contains many other rooms, users and messages. With PostgreSQL
 * the first contains a tenth of them, because it reads tables of a few rows in another way.
 */
describe.each(Object.entries(databases))('%s', (name, start) => {
  const sites: (Awaited<ReturnType<typeof start>> & { site?: PeopleSite })[] = [];
  const askers: Asker[] = [];
  beforeAll(async () => {
    for (const share of [name === 'PostgreSQL' ? 0.1 : 0, 1]) {
      const database = await start();
      sites.push(database);
      if (share > 0) await hide(database.env, share);
    }
    await restart();
  }, 300_000);
  afterAll(async () => {
    for (const { site, close } of sites) {
      await site?.close();
      await close();
    }
  }, 60_000);

  /**
   * Starts both chat servers anew, so that neither has done more work than the other. Their connections also get new
   * database processes, which the system may place on other CPUs: the distance to this process's CPU counts.
   */
  async function restart(): Promise<void> {
    for (const [n, database] of sites.entries()) {
      await database.site?.close();
      const site = await startPeopleSite({ ...database.env, CHAT_CREATE_ROOMS: 'all' });
      database.site = site;
      const [eve, mia] = [await site.person({}, 'eve'), await site.person({}, 'mia')];
      const own = (await site.den(eve, [mia])).id;
      for (const client of [eve, mia]) await client.request('room:join', { room: own });
      for (const text of ['my code', 'other words', 'your code']) await say(mia, own, text);
      await database.tidy();
      askers[n] = { client: await connectRaw(site.chat.port, eve.cookie), own };
    }
  }

  /** Expects both sites to answer equally fast. */
  async function takeAsLong(ask: (asker: Asker) => Promise<string>): Promise<void> {
    const askSite = (n: number) => () => ask(askers[n] as Asker);
    await takesAsLong([askSite(0), askSite(1)], bounds, restart);
  }

  test.each(readsOf('').map(([event, payload]) => [event, payload] as const))(
    `%s %j takes as long with ${hiddenMessages} hidden messages and ${hiddenUsers} hidden users as with fewer (medians of ${bounds.answers} answers within ${100 * bounds.share} % or ${bounds.most} ms)`,
    (event, payload) =>
      takeAsLong(({ client, own }) =>
        client.request(event, 'room' in payload ? { ...payload, room: own } : payload),
      ),
    600_000,
  );

  test('takes as long to forward from a hidden room as from a missing one', async () => {
    let forwards = 0;
    const forwardFrom = (room: string) => () => {
      const { client, own } = askers[1] as Asker;
      return client.request('message:forward', {
        room: own,
        from: { room, seq: 7 },
        clientId: `c${forwards++}`,
      });
    };
    await takesAsLong([forwardFrom('den-9'), forwardFrom('den-1')], bounds, restart);
  }, 600_000);
});

/** Creates private rooms of other users, with words and names similar to those in the requests. */
async function hide(env: NodeJS.ProcessEnv, share: number): Promise<void> {
  const { api, close } = await startPeopleSite({ ...env, CHAT_CREATE_ROOMS: 'all' });
  for (const room of ['den-1', 'den-2']) {
    await api('PUT', `/rooms/${room}`, { name: 'Den', kind: 'private' });
    const add = Array.from({ length: (share * hiddenUsers) / 2 }, (_, n) => ({
      id: `${room}-${n}`,
      name: `Name of ${n}`,
    }));
    await api('PATCH', `/rooms/${room}/members`, { add });
    for (let n = 0; n < (share * hiddenMessages) / 2; n += 20) {
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
  await close();
}
