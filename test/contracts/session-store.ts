import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseCookieForm } from '../../server/session/cookie.ts';
import type { FormatName } from '../../server/session/formats/formats.ts';
import { createSessionReader, type SessionReader } from '../../server/session/read-session.ts';
import { type SessionStore, StoreError } from '../../server/session/store.ts';
import { parseStoreUrl } from '../../server/session/store-url.ts';
import { holdUp } from '../helpers/hold-up.ts';
import { everything } from '../helpers/whole-error.ts';
import { sessionLifeContract } from './session-life.ts';

/** A store with a PHP site that keeps its sessions there. */
export interface StoreSite {
  /** The store's URL for sessions in that format, without `timeout=`. */
  url(format: FormatName): string;
  /** One request of the site, as `phpRequest` has it; the session's id. */
  request(format: FormatName, code: string, id?: string): string | Promise<string>;
  /** All that the store holds for a session, its lock too, and when it is over, in Unix seconds. */
  traces(id: string): Promise<{ held: unknown; expires: number }>;
  /** Gives a session so many seconds to live from now on, past the store; below 0 it is over. */
  live(id: string, seconds: number): unknown;
  /** Takes its end away. Not where each session has one. */
  liveForEver?(id: string): unknown;
  /** The store does not tell how long a session lives. */
  untold?: boolean;
  /** The store takes connections and answers nothing, until `goOn`. Not for stores that are no server. */
  silence?: { begin(): void; end(): void };
  /** The store is gone, until it is brought back with what was in it. */
  outage: { begin(): Promise<void>; end(): Promise<void> };
  close(): Promise<unknown>;
}

/**
 * What every store promises, against the real thing.
 * @param formats those that PHP writes there
 */
export function sessionStoreContract(
  name: string,
  formats: readonly FormatName[],
  start: () => Promise<StoreSite>,
) {
  describe(name, () => {
    let site: StoreSite;
    const closing: { close(): void }[] = [];
    const [format = 'php'] = formats;
    beforeAll(async () => {
      site = await start();
    });
    afterEach(() => {
      for (const one of closing.splice(0)) one.close();
    });
    afterAll(() => site.close());

    const store = (of: FormatName = format, options = ''): SessionStore => {
      const opened = parseStoreUrl(withOptions(site.url(of), options)).open();
      closing.push(opened);
      return opened;
    };
    const reader = (of: FormatName): SessionReader => {
      const opened = createSessionReader({
        source: parseStoreUrl(site.url(of)),
        cookie: parseCookieForm('plain', 'PHPSESSID'),
        user: { id: ['user_id'], name: ['who', 'name'] },
      });
      closing.push(opened);
      return opened;
    };

    describe.each(formats)('%s', (of) => {
      test('logged in, and out again', async () => {
        const sessions = reader(of);
        const id = await site.request(
          of,
          of === 'json'
            ? '$_SESSION["user_id"] = 42; $_SESSION["who"] = ["name" => "Zoë 张伟"]'
            : '$_SESSION["user_id"] = 42; $_SESSION["who"] = (object) ["name" => "Zoë 张伟"]; $_SESSION["bytes"] = "\\xff\\x00|;"',
        );
        expect(await sessions.fromCookie(`PHPSESSID=${id}`)).toMatchObject({
          id,
          user: { id: '42', name: 'Zoë 张伟' },
        });
        await site.request(of, 'unset($_SESSION["user_id"])', id);
        expect(await sessions.fromCookie(`PHPSESSID=${id}`)).toMatchObject({ code: 'unauthorized' });
      });

      test('text that looks like another user is text', async () => {
        const id = await site.request(
          of,
          `$_SESSION["user_id"] = 7; $_SESSION["bio"] = '";user_id|i:1;s:7:"user_id";i:1;","user_id":1,"'`,
        );
        expect(await reader(of).fromCookie(`PHPSESSID=${id}`)).toMatchObject({ user: { id: '7' } });
      });
    });

    test('a session that never was, and one that was destroyed', async () => {
      const sessions = store();
      const id = await site.request(format, '$_SESSION["user_id"] = 7');
      expect(await sessions.get('n'.repeat(26))).toBeNull();
      expect(await sessions.get(id)).not.toBeNull();
      await site.request(format, 'session_destroy()', id);
      expect(await sessions.get(id)).toBeNull();
    });

    test('large: 300 KB are read whole, and more than a megabyte is no session', async () => {
      const sessions = reader(format);
      const large = (bytes: number) =>
        site.request(format, `$_SESSION["user_id"] = 7; $_SESSION["pad"] = str_repeat("x", ${bytes})`);
      expect(await sessions.fromCookie(`PHPSESSID=${await large(300_000)}`)).toMatchObject({
        user: { id: '7' },
      });
      const small = await site.request(format, '$_SESSION["user_id"] = 8');
      const larger = await Promise.resolve(large(1_500_000)).catch(() => null);
      // memcached drops what is above its limit, and PHP does not always say so.
      if (larger !== null) expect(await sessions.fromCookie(`PHPSESSID=${larger}`)).toHaveProperty('code');
      expect(await sessions.fromCookie(`PHPSESSID=${small}`)).toMatchObject({ user: { id: '8' } });
    });

    test('a new id for the same login: the old one is nobody’s', async () => {
      const sessions = reader(format);
      const old = await site.request(format, '$_SESSION["user_id"] = 7');
      const renewed = await site.request(format, 'session_regenerate_id(true)', old);
      expect(renewed).not.toBe(old);
      expect(await sessions.fromCookie(`PHPSESSID=${renewed}`)).toMatchObject({ user: { id: '7' } });
      expect(await sessions.fromCookie(`PHPSESSID=${old}`)).toMatchObject({ code: 'unauthorized' });
    });

    test('a thousand questions at once, each with its own answer; nothing is changed by them', async () => {
      const sessions = store();
      const ids = await Promise.all(
        Array.from({ length: 5 }, (_, n) => site.request(format, `$_SESSION["user_id"] = ${n + 100}`)),
      );
      const before = await Promise.all(ids.map((id) => site.traces(id)));
      const asked = Array.from({ length: 1000 }, (_, n) =>
        n % 6 === 5 ? `nobody${n}` : (ids[n % 6] as string),
      );
      const answers = await Promise.all(asked.map((id) => sessions.get(id)));
      for (const [n, bytes] of answers.entries()) {
        if (n % 6 === 5) expect(bytes).toBeNull();
        else expect(bytes?.includes(String((n % 6) + 100))).toBe(true);
      }
      const after = await Promise.all(ids.map((id) => site.traces(id)));
      expect(after.map(({ held }) => held)).toEqual(before.map(({ held }) => held));
      // Clocks of whole seconds.
      for (const [n, { expires }] of after.entries()) {
        expect(Math.abs(expires - (before[n]?.expires ?? 0))).toBeLessThanOrEqual(1);
      }
    });

    sessionLifeContract(
      format,
      () => site,
      (options) => store(format, options),
    );

    test('silent: a failure in time that names no session, and well again afterwards', async () => {
      // Files are no server; the contract has nothing to say of them here.
      if (site.silence === undefined) return;
      const sessions = store(format, 'timeout=250ms');
      const id = await site.request(format, '$_SESSION["user_id"] = 7');
      await sessions.get(id);
      site.silence.begin();
      try {
        const began = performance.now();
        const answers = await Promise.allSettled([sessions.get(id), sessions.get(id), sessions.get('other')]);
        expect(performance.now() - began).toBeLessThan(5000);
        for (const answer of answers) {
          expect(answer.status).toBe('rejected');
          expect((answer as PromiseRejectedResult).reason).toBeInstanceOf(StoreError);
          expect(everything((answer as PromiseRejectedResult).reason)).not.toContain(id);
        }
      } finally {
        site.silence.end();
      }
      await expect.poll(() => sessions.get(id).catch(() => null)).not.toBeNull();
    });

    test('gone: a failure and not a missing session, for the first question too; and well again when it is back', async () => {
      const sessions = store();
      const id = await site.request(format, '$_SESSION["user_id"] = 7');
      const bytes = await sessions.get(id);
      await site.outage.begin();
      try {
        await expect(sessions.get(id)).rejects.toThrow(StoreError);
        await expect(store().get(id)).rejects.toThrow(StoreError);
      } finally {
        await site.outage.end();
      }
      await expect.poll(() => sessions.get(id).catch(() => null)).toEqual(bytes);
    });

    test('a connection that is cut in the middle of a look-up: the visitor is let in all the same', async () => {
      const id = await site.request(format, '$_SESSION["user_id"] = 7');
      const sessions = reader(format);
      await sessions.fromCookie(`PHPSESSID=${id}`);
      await site.outage.begin();
      const asked = sessions.fromCookie(`PHPSESSID=${id}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await site.outage.end();
      expect(await asked).toMatchObject({ user: { id: '7' } });
    });

    test('this process held up for longer than all time-outs: that is not taken for the store’s silence', async () => {
      const sessions = reader(format);
      const id = await site.request(format, '$_SESSION["user_id"] = 7');
      await sessions.fromCookie(`PHPSESSID=${id}`);
      // Between its two looks, and with a question on its way.
      const nobody = sessions.fromCookie('PHPSESSID=nobody');
      await new Promise((resolve) => setTimeout(resolve, 150));
      const somebody = sessions.fromCookie(`PHPSESSID=${id}`);
      await new Promise((resolve) => setImmediate(resolve));
      holdUp(1200);
      expect(await somebody).toMatchObject({ user: { id: '7' } });
      expect(await nobody).toMatchObject({ code: 'unauthorized' });
    });

    test('closed: what is under way ends, and nothing hangs', async () => {
      const sessions = parseStoreUrl(site.url(format)).open();
      const answers = Promise.allSettled([sessions.get('one'), sessions.get('two')]);
      sessions.close();
      expect(await answers).toHaveLength(2);
    });
  });
}

function withOptions(url: string, options: string): string {
  if (options === '') return url;
  return `${url}${url.includes('?') ? '&' : '?'}${options}`;
}
