import { beforeAll, describe, expect, test } from 'vitest';
import type { SessionStore } from '../../server/session/store.ts';
import type { SqlSite } from './sql-table.ts';

/** A database in a time zone this many minutes east of UTC. */
const minutesEast = 330;

/** The time this many seconds from now, in each unit. */
function moment(seconds: number): { unix: number; local: string; utc: string; digits: string } {
  const text = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
  const then = Date.now() + seconds * 1000;
  const utc = text(then);
  return {
    unix: Math.floor(then / 1000),
    local: text(then + minutesEast * 60_000),
    utc,
    digits: utc.replace(/\D/g, ''),
  };
}

/**
 * The expiry of a session in a table, and the renewal of its TTL: a part of `sqlTableContract`.
 * @param started the site, as soon as tests run
 * @param store opens a store of it with these options, until the test has ended
 */
export function sqlExpiryContract(started: () => SqlSite, store: (options: string) => SessionStore) {
  let site: SqlSite;
  beforeAll(() => {
    site = started();
  });

  describe('when a session expires', () => {
    beforeAll(async () => {
      const { bytes, datetime } = site.types;
      await site.query(
        `CREATE TABLE ends (id VARCHAR(64), data ${bytes}, a_unix BIGINT, a_local ${datetime}, a_utc ${datetime}, a_digits CHAR(14))`,
      );
      for (const [id, seconds] of Object.entries({ live: 600, expired: -100 })) {
        const { unix, local, utc, digits } = moment(seconds);
        await site.query(
          `INSERT INTO ends VALUES ('${id}', 'x', ${unix}, '${local}', '${utc}', '${digits}')`,
        );
      }
      await site.query("INSERT INTO ends VALUES ('ever', 'x', NULL, NULL, NULL, NULL)");
    });

    const found = async (options: string) => {
      const sessions = store(`table=ends&id=id&data=data${options}`);
      const ids = ['live', 'expired', 'ever', 'none'];
      const answers = await Promise.all(ids.map((id) => sessions.get(id)));
      return ids.filter((_, n) => answers[n] !== null);
    };

    test.each([
      ['a_unix', ''],
      ['a_unix', 'unix'],
      ['a_local', 'datetime'],
      ['a_utc', 'utc'],
      ['a_digits', 'digits'],
    ])('expires=%s, expires_unit=%s', async (column, unit) => {
      expect(await found(`&expires=${column}${unit && `&expires_unit=${unit}`}`)).toEqual(['live', 'ever']);
    });

    test.each([
      ['a_unix', 'unix'],
      ['a_local', 'datetime'],
      ['a_utc', 'utc'],
      ['a_digits', 'digits'],
    ])('last=%s, last_unit=%s, and a lifetime', async (column, unit) => {
      const last = `&last=${column}&last_unit=${unit}`;
      expect(await found(`${last}&lifetime=90`)).toEqual(['live', 'ever']);
      expect(await found(`${last}&lifetime=2m`)).toEqual(['live', 'expired', 'ever']);
      expect(await found(`${last}&lifetime=0`)).toEqual(['live', 'expired', 'ever']);
      expect(await found(last)).toEqual(['live', 'expired', 'ever']);
    });

    test('without a column for it: it lives as long as its row', async () => {
      expect(await found('')).toEqual(['live', 'expired', 'ever']);
      const sessions = store('table=ends&id=id&data=data');
      expect(await sessions.ttl('expired')).toBe(Number.POSITIVE_INFINITY);
      expect(await sessions.ttl('none')).toBeNull();
      await sessions.touch('expired', 60);
    });

    test.each([
      ['a_local', 'unix'],
      ['a_unix', 'datetime'],
      ['a_unix', 'utc'],
    ])('%s does not hold %s: an error that says so, and no logout', async (column, unit) => {
      const sessions = store(`table=ends&id=id&data=data&expires=${column}&expires_unit=${unit}`);
      await expect(sessions.get('live')).rejects.toThrow(/expires_unit= or last_unit=/);
      await expect(sessions.ttl('live')).rejects.toThrow(/expires_unit= or last_unit=/);
    });
  });

  describe.each([
    ['a_unix', 'unix'],
    ['a_local', 'datetime'],
    ['a_utc', 'utc'],
    ['a_digits', 'digits'],
  ])('its TTL by %s, as %s', (column, unit) => {
    const table = `ttls_${unit}`;
    const ids = ['live', 'other', 'past', 'ever', 'none'];
    const left = async (sessions: SessionStore) => {
      const answers = await Promise.all(ids.map((id) => sessions.ttl(id)));
      return answers.map((one) => one && Math.round(one / 10_000) * 10);
    };
    beforeAll(async () => {
      const { bytes, datetime } = site.types;
      await site.query(
        `CREATE TABLE ${table} (id VARCHAR(64), data ${bytes}, a_unix BIGINT, a_local ${datetime}, a_utc ${datetime}, a_digits CHAR(14))`,
      );
      await site.letRenew(table);
      await site.query(`INSERT INTO ${table} VALUES ('ever', 'x', NULL, NULL, NULL, NULL)`);
      for (const [id, seconds] of Object.entries({ live: 100, other: 100, past: -100 })) {
        const { unix, local, utc, digits } = moment(seconds);
        await site.query(
          `INSERT INTO ${table} VALUES ('${id}', 'x', ${unix}, '${local}', '${utc}', '${digits}')`,
        );
      }
    });

    test('is read, and renewed in that column', async () => {
      const ends = store(`table=${table}&id=id&data=data&expires=${column}&expires_unit=${unit}`);
      const last = store(`table=${table}&id=id&data=data&last=${column}&last_unit=${unit}&lifetime=130`);
      expect(await left(ends)).toEqual([100, 100, 0, Number.POSITIVE_INFINITY, null]);
      expect(await left(last)).toEqual([230, 230, 30, Number.POSITIVE_INFINITY, null]);
      for (const id of ids) if (id !== 'other') await ends.touch(id, 1000);
      expect(await left(ends)).toEqual([1000, 100, 0, Number.POSITIVE_INFINITY, null]);
      // The last use is now.
      for (const id of ids) if (id !== 'other') await last.touch(id, 1000);
      expect(await left(last)).toEqual([130, 230, 130, Number.POSITIVE_INFINITY, null]);
      expect(String(await last.get('live'))).toBe('x');
    });
  });

  test('only the session of exactly this id is renewed', async () => {
    const binary = site.types.bytes === 'MEDIUMBLOB' ? 'VARBINARY(64)' : site.types.bytes;
    const types = {
      renew_text: `VARCHAR(64) ${site.caseless}`,
      renew_char: 'CHAR(64)',
      renew_bytes: binary,
    };
    for (const [table, type] of Object.entries(types)) {
      await site.query(`CREATE TABLE ${table} (id ${type}, data ${site.types.bytes}, ends BIGINT)`);
      await site.letRenew(table);
      const ids = table === 'renew_char' ? ['AbC', 'aBc'] : ['AbC', 'aBc', 'blank '];
      for (const id of ids) {
        const literal = type === binary ? site.literal(Buffer.from(id)) : `'${id}'`;
        await site.query(`INSERT INTO ${table} VALUES (${literal}, 'x', ${moment(100).unix})`);
      }
      const sessions = store(`table=${table}&id=id&data=data&expires=ends`);
      for (const id of ['AbC', 'abc', 'blank', 'AbC ', "' OR '1'='1"]) await sessions.touch(id, 1000);
      const left = await Promise.all(ids.map((id) => sessions.ttl(id)));
      expect(left.map((one) => Math.round(Number(one) / 10_000) * 10)).toEqual(
        [1000, 100, 100].slice(0, ids.length),
      );
    }
  });
}
