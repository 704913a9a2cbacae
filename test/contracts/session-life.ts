import { beforeAll, describe, expect, test } from 'vitest';
import type { FormatName } from '../../server/session/formats/formats.ts';
import { type SessionStore, StoreError } from '../../server/session/store.ts';
import { everything } from '../helpers/whole-error.ts';
import type { StoreSite } from './session-store.ts';

/**
 * What every store promises of how long a session lives: a part of `sessionStoreContract`.
 * @param started the site, as soon as tests run
 * @param store opens one of it, until the test has ended
 */
export function sessionLifeContract(
  format: FormatName,
  started: () => StoreSite,
  store: (options?: string) => SessionStore,
) {
  describe('its life', () => {
    let site: StoreSite;
    beforeAll(() => {
      site = started();
    });
    const login = () => site.request(format, '$_SESSION["user_id"] = 7');
    /** Clocks of whole seconds, and a machine that is busy. */
    const about = (seconds: number) =>
      expect.toSatisfy((left: unknown) => Math.abs(Number(left) - seconds * 1000) <= 2000, `${seconds} s`);
    /** By what the store holds, where it does not tell. */
    const left = async (sessions: SessionStore, id: string) =>
      site.untold ? (await site.traces(id)).expires * 1000 - Date.now() : sessions.ttl(id);

    test('told to whoever asks, many at once', async () => {
      const sessions = store();
      const ids = await Promise.all([login(), login(), login()]);
      const [short = '', long = '', over = ''] = ids;
      await site.live(short, 100);
      await site.live(long, 1200);
      await site.live(over, -5);
      const asked = Array.from({ length: 300 }, (_, n) => [short, 'n'.repeat(26), long][n % 3] as string);
      const answers = await Promise.all(asked.map((id) => sessions.ttl(id)));
      const lives = site.untold ? [null, null, null] : [about(100), null, about(1200)];
      for (const [n, life] of answers.entries()) expect(life).toEqual(lives[n % 3]);
      expect(await sessions.ttl(over)).toBeOneOf([0, null]);
      if (site.liveForEver === undefined || site.untold) return;
      await site.liveForEver(long);
      expect(await sessions.ttl(long)).toBe(Number.POSITIVE_INFINITY);
    });

    test('renewed, and that of no other session, without a change to what is in it', async () => {
      const sessions = store();
      const [id, other] = await Promise.all([login(), login()]);
      await site.live(id, 100);
      await site.live(other, 100);
      const [bytes, { held }] = [await sessions.get(id), await site.traces(id)];
      await sessions.touch(id, 1440);
      expect(await left(sessions, id)).toEqual(about(1440));
      expect(await left(sessions, other)).toEqual(about(100));
      expect((await site.traces(id)).held).toEqual(held);
      expect(await sessions.get(id)).toEqual(bytes);
    });

    test('one that is gone stays gone, and one that is over', async () => {
      const sessions = store();
      const [gone, over] = await Promise.all([login(), login()]);
      await site.request(format, 'session_destroy()', gone);
      await site.live(over, -5);
      for (const id of [gone, over, 'n'.repeat(26)]) {
        await sessions.touch(id, 1440);
        expect(await sessions.get(id)).toBeNull();
        expect(await sessions.ttl(id)).toBeOneOf([0, null]);
      }
    });

    test('a store that is silent, or gone: failures in time, and well again afterwards', async () => {
      const sessions = store('timeout=250ms');
      const id = await login();
      await sessions.touch(id, 1440);
      for (const { begin, end } of site.silence ? [site.silence, site.outage] : [site.outage]) {
        await begin();
        try {
          const began = performance.now();
          for (const answer of await Promise.allSettled([sessions.ttl(id), sessions.touch(id, 60)])) {
            const { reason } = answer as PromiseRejectedResult;
            expect(reason).toBeInstanceOf(StoreError);
            expect(everything(reason)).not.toContain(id);
          }
          expect(performance.now() - began).toBeLessThan(5000);
        } finally {
          await end();
        }
        await expect
          .poll(() =>
            sessions
              .touch(id, 1440)
              .then(() => left(sessions, id))
              .catch(() => null),
          )
          .toEqual(about(1440));
      }
    });
  });
}
