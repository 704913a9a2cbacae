import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { size, soak } from '../../../../test/guarantees/size.ts';
import { holdUp } from '../../../../test/helpers/hold-up.ts';
import { orNull, readerAt, storeAt } from '../../../../test/helpers/session-stores.ts';
import { everything } from '../../../../test/helpers/whole-error.ts';
import { type SessionStore, StoreError } from '../../src/store.ts';

/** A store with a PHP site that keeps its sessions there. */
export interface StoreSite {
  /** The store's URL without `timeout=`. */
  url: string;
  /** Makes a request of the site, like `phpRequest`. Returns the session's ID. */
  request(code: string, id?: string): string | Promise<string>;
  /** Everything that the store holds for a session, including its lock, and its end in Unix seconds. */
  traces(id: string): Promise<{ held: unknown; expires: number }>;
  /** Sets the TTL of a session, bypassing the store. A negative TTL makes the session expired. */
  expireIn(id: string, seconds: number): unknown;
  /** Makes a session not expire; absent if each session of this store expires. */
  keepForever?(id: string): unknown;
  /** The store accepts connections and does not answer; absent if it is not a server. */
  silence?: { begin(): void; end(): void };
  /** The store is gone, until it comes back with its content. */
  outage: { begin(): Promise<void>; end(): Promise<void> };
  close(): Promise<unknown>;
}

export interface StoreTraits {
  /** The IDs that PHP can store there. Absent if PHP can store all IDs that the session extension accepts. */
  ids?: RegExp;
  /** It has `silence` and `keepForever`. */
  has: readonly ('silence' | 'keepForever')[];
  /**
   * Stores that share the code for the TTL need not prove `TTL`. Stores that share their connections, or use
   * `storeConnectionContract`, need not prove `failures`. The soak run proves both for all stores.
   */
  proves: readonly ('TTL' | 'failures')[];
}

/** Session IDs of sites: with a name, by `uniqid()`, in base64, and with every character that PHP accepts. */
const kindsOfIds = [
  'user_42',
  'userx42',
  '5f1e2a3b4c5d6.12345678',
  'Zm9v+YmFy/w==',
  'site:user~7',
  '../../../../etc/passwd',
  'a,b-c;*?[d]{e}^$%25|`!#&()@',
  'x'.repeat(230),
  'y'.repeat(256),
];

/** The contract of every store, against a real one. */
export function sessionStoreContract(name: string, traits: StoreTraits, start: () => Promise<StoreSite>) {
  describe(name, () => {
    const { ids = /^/, has } = traits;
    const proves = (what: 'TTL' | 'failures') => soak || traits.proves.includes(what);
    let site: StoreSite;
    beforeAll(async () => {
      site = await start();
    });
    afterAll(() => site.close());

    /** Long enough for a busy machine. */
    const patient = 'timeout=5000ms';
    const open = (options = patient) => storeAt(withOptions(site.url, options));
    const reader = (options = patient) =>
      readerAt(withOptions(site.url, options), ['user_id'], ['who', 'name']);
    const login = (user = 7) => site.request(`$_SESSION["user_id"] = ${user}`);

    test('returns the user, and reads text that looks like another user as text', async () => {
      const bio = `$_SESSION["bio"] = '";user_id|i:1;s:7:"user_id";i:1;","user_id":1,"'`;
      const who = '$_SESSION["who"] = (object) ["name" => "Zoë 张伟"]; $_SESSION["bytes"] = "\\xff\\x00|;"';
      const id = await site.request(`${bio}; $_SESSION["user_id"] = 42; ${who}`);
      expect(await reader().identify({ cookies: `PHPSESSID=${id}` })).toMatchObject({
        state: { id },
        user: { id: '42', name: 'Zoë 张伟' },
      });
    });

    test('finds the same user as PHP for IDs of every kind, and no session for similar IDs', async () => {
      const sessions = reader();
      for (const [n, id] of kindsOfIds.entries()) {
        const written = await orNull((async () => site.request(`$_SESSION["user_id"] = ${n + 1}`, id))());
        // PHP does not always notice that the store refuses an ID.
        const isKept = ids.test(id);
        if (isKept) expect(written).toBe(id);
        const answers = [{ cookies: `PHPSESSID=${encodeURIComponent(id)}` }, { session: id }];
        for (const answer of await Promise.all(answers.map((sent) => sessions.identify(sent))))
          expect(answer, id).toMatchObject(
            isKept ? { user: { id: String(n + 1) } } : { code: 'unauthorized' },
          );
      }
      const alike = ['USER_42', 'user%42', 'user*42', 'user_4', '_42'];
      for (const answer of await Promise.all(alike.map((session) => sessions.identify({ session }))))
        expect(answer).toMatchObject({ code: 'unauthorized' });
      const store = open();
      for (const id of ['user_42', 'a,b-c;*?[d]{e}^$%25|`!#&()@'])
        for (const key of (await store.keys?.(id)) ?? []) expect(key.endsWith(id), key).toBe(true);
    });

    test('returns null for a session that never existed or was destroyed', async () => {
      const sessions = open();
      const id = await login();
      expect(await sessions.get('n'.repeat(26))).toBeNull();
      expect(await sessions.get(id)).not.toBeNull();
      await site.request('session_destroy()', id);
      expect(await sessions.get(id)).toBeNull();
    });

    if (proves('TTL')) {
      test('reads 300 KB completely, and rejects more than a megabyte', async () => {
        const sessions = reader();
        const large = (bytes: number) =>
          site.request(`$_SESSION["user_id"] = 7; $_SESSION["pad"] = str_repeat("x", ${bytes})`);
        expect(await sessions.identify({ session: await large(300_000) })).toMatchObject({
          user: { id: '7' },
        });
        const small = await login(8);
        const larger = await Promise.resolve(large(1_500_000)).catch(() => null);
        // memcached drops a value above its limit, and PHP does not always notice.
        if (larger !== null) expect(await sessions.identify({ session: larger })).toHaveProperty('code');
        expect(await sessions.identify({ session: small })).toMatchObject({ user: { id: '8' } });
      });

      const questions = size(1000, 60);
      test(`answers ${questions} concurrent reads with the right sessions, and leaves them unchanged`, async () => {
        const sessions = open();
        const logins = [await login(100), await login(101), await login(102)];
        const before = await Promise.all(logins.map((id) => site.traces(id)));
        const requested = Array.from({ length: questions }, (_, n) => logins[n % 4] ?? `nobody${n}`);
        const answers = await Promise.all(requested.map((id) => sessions.get(id)));
        for (const [n, bytes] of answers.entries()) {
          if (n % 4 === 3) expect(bytes).toBeNull();
          else expect(bytes?.includes(String((n % 4) + 100))).toBe(true);
        }
        const after = await Promise.all(logins.map((id) => site.traces(id)));
        expect(after.map(({ held }) => held)).toEqual(before.map(({ held }) => held));
        // The expiry is computed on this side, and both clocks count whole seconds.
        for (const [n, { expires }] of after.entries())
          expect(Math.abs(expires - (before[n]?.expires ?? 0))).toBeLessThan(60);
      });

      describe('TTL, to within 2 s', () => {
        /** The TTL that was set at `began`, less the time that has passed since. */
        const about = (seconds: number, began: number) =>
          expect.toSatisfy((left: unknown) => {
            const longer = Number(left) - seconds * 1000;
            return longer <= 2000 && longer >= began - performance.now() - 2000;
          }, `${seconds} s`);

        test('belongs to its own session in many concurrent requests', async () => {
          const sessions = open();
          const [short, long, expired] = [await login(), await login(), await login()];
          const began = performance.now();
          await site.expireIn(short, 100);
          await site.expireIn(long, 1200);
          await site.expireIn(expired, -5);
          const requested = Array.from(
            { length: 30 },
            (_, n) => [short, 'n'.repeat(26), long][n % 3] as string,
          );
          const answers = await Promise.all(requested.map((id) => sessions.ttl(id)));
          const wanted = [about(100, began), null, about(1200, began)];
          for (const [n, ttl] of answers.entries()) expect(ttl).toEqual(wanted[n % 3]);
          expect(await sessions.ttl(expired)).toBeOneOf([0, null]);
          if (!has.includes('keepForever')) return;
          await site.keepForever?.(long);
          expect(await sessions.ttl(long)).toBe(Number.POSITIVE_INFINITY);
        });

        test('is renewed without affecting other sessions or the content', async () => {
          const sessions = open();
          const [id, other] = [await login(), await login()];
          const began = performance.now();
          await site.expireIn(id, 100);
          await site.expireIn(other, 100);
          const [bytes, { held }] = [await sessions.get(id), await site.traces(id)];
          await sessions.touch(id, 1440);
          expect(await sessions.ttl(id)).toEqual(about(1440, began));
          expect(await sessions.ttl(other)).toEqual(about(100, began));
          expect((await site.traces(id)).held).toEqual(held);
          expect(await sessions.get(id)).toEqual(bytes);
        });

        test('is not renewed for a session that was destroyed, has expired or never existed', async () => {
          const sessions = open();
          const [gone, expired] = [await login(), await login()];
          await site.request('session_destroy()', gone);
          await site.expireIn(expired, -5);
          for (const id of [gone, expired, 'n'.repeat(26)]) {
            await sessions.touch(id, 1440);
            expect(await sessions.get(id)).toBeNull();
            expect(await sessions.ttl(id)).toBeOneOf([0, null]);
          }
        });
      });
    }
    if (!proves('failures')) return;

    /** Each kind of request fails with a StoreError that does not name the session. */
    const allFail = async (sessions: SessionStore, id: string) => {
      const answers = await Promise.allSettled([
        ...[sessions.get(id), sessions.get(id), sessions.get('other')],
        ...[sessions.ttl(id), sessions.touch(id, 60)],
      ]);
      for (const answer of answers) {
        const { reason } = answer as PromiseRejectedResult;
        expect(reason).toBeInstanceOf(StoreError);
        expect(everything(reason)).not.toContain(id);
      }
    };
    const recovers = async (sessions: SessionStore, id: string, bytes: Buffer | null) => {
      await expect.poll(() => orNull(sessions.get(id))).toEqual(bytes);
      await expect.poll(() => orNull(sessions.touch(id, 1440).then(() => sessions.ttl(id)))).not.toBeNull();
    };

    if (has.includes('silence')) {
      test('fails requests after the timeout while the store does not respond, until it answers again', async () => {
        const sessions = open('timeout=250ms');
        const id = await login();
        // A busy machine may be late for the first answer.
        await expect.poll(() => orNull(sessions.get(id))).not.toBeNull();
        const bytes = await open().get(id);
        site.silence?.begin();
        try {
          await allFail(sessions, id);
          await expect(open('timeout=250ms').get(id)).rejects.toThrow(StoreError);
        } finally {
          site.silence?.end();
        }
        await recovers(sessions, id, bytes);
      });
    }

    test('fails requests while the store is gone', async () => {
      const sessions = open();
      const id = await login();
      const bytes = await sessions.get(id);
      await site.outage.begin();
      try {
        await allFail(sessions, id);
        await expect(open().get(id)).rejects.toThrow(StoreError);
      } finally {
        await site.outage.end();
      }
      await recovers(sessions, id, bytes);
    });

    test('admits a visitor although the connection is cut during the read', async () => {
      const id = await login();
      const sessions = reader('');
      await sessions.identify({ session: id });
      const cut = async () => {
        await site.outage.begin();
        const answer = sessions.identify({ session: id });
        await pause(100);
        await site.outage.end();
        return answer;
      };
      // Reads are retried for 900 ms. If the machine freezes for that long, the attempt does not count.
      for (let isOver = false; !isOver; ) {
        const began = performance.now();
        const answer = await cut();
        isOver = 'user' in answer || performance.now() - began < 800;
        if (isOver) expect(answer).toMatchObject({ user: { id: '7' } });
      }
    });

    test('fails no read if this process is blocked for 1.2 s, longer than all timeouts', async () => {
      // A busy machine may block the store as well.
      const sessions = reader('timeout=1000ms');
      const id = await login();
      await sessions.identify({ session: id });
      // One visitor is between two checks, and one has a request in flight.
      const nobody = sessions.identify({ session: 'nobody' });
      await pause(150);
      const somebody = sessions.identify({ session: id });
      await new Promise((resolve) => setImmediate(resolve));
      holdUp(1200);
      expect(await somebody).toMatchObject({ user: { id: '7' } });
      expect(await nobody).toMatchObject({ code: 'unauthorized' });
    });
  });
}

function withOptions(url: string, options: string): string {
  if (options === '') return url;
  return `${url}${url.includes('?') ? '&' : '?'}${options}`;
}
