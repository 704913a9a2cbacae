import { beforeAll, describe, expect, test } from 'vitest';
import type { SessionStore } from '../../src/store.ts';
import type { SqlSite } from './sql-table.ts';

/** A database in a time zone this many minutes east of UTC. */
const minutesEast = 330;

/** Each unit, with the column that has the times in this unit. */
const units = { unix: 'a_unix', datetime: 'a_local', utc: 'a_utc', digits: 'a_digits' };

/** The values of these columns for the time this many seconds from now. */
function moment(seconds: number): string {
  const text = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
  const then = Date.now() + seconds * 1000;
  const utc = text(then);
  return `${Math.floor(then / 1000)}, '${text(then + minutesEast * 60_000)}', '${utc}', '${utc.replace(/\D/g, '')}'`;
}

/**
 * The part of `sqlTableContract` about the expiry of sessions and the renewal of the TTL.
 * @param started returns the site, once the tests run
 * @param store opens a store of the site, and closes it when the test ends
 */
export function sqlExpiryContract(started: () => SqlSite, store: (options: string) => SessionStore) {
  let site: SqlSite;
  beforeAll(() => {
    site = started();
  });

  async function makeTable(table: string, sessions: Record<string, number>): Promise<void> {
    const { bytes, datetime } = site.types;
    await site.query(
      `CREATE TABLE ${table} (id VARCHAR(64), data ${bytes}, a_unix BIGINT, a_local ${datetime}, a_utc ${datetime}, a_digits CHAR(14))`,
    );
    await site.letRenew(table);
    await site.query(`INSERT INTO ${table} VALUES ('ever', 'x', NULL, NULL, NULL, NULL)`);
    for (const [id, seconds] of Object.entries(sessions))
      await site.query(`INSERT INTO ${table} VALUES ('${id}', 'x', ${moment(seconds)})`);
  }

  describe('the expiry of a session', () => {
    beforeAll(() => makeTable('ends', { live: 600, expired: -100 }));

    const found = async (options: string) => {
      const sessions = store(`table=ends&id=id&data=data${options}`);
      const ids = ['live', 'expired', 'ever', 'none'];
      const answers = await Promise.all(ids.map((id) => sessions.get(id)));
      return ids.filter((_, n) => answers[n] !== null);
    };

    test('reads the column of expires= in the unit of expires_unit=, by default Unix seconds', async () => {
      expect(await found('&expires=a_unix')).toEqual(['live', 'ever']);
      for (const [unit, column] of Object.entries(units))
        expect(await found(`&expires=${column}&expires_unit=${unit}`), unit).toEqual(['live', 'ever']);
    });

    test.each(Object.entries(units))(
      'applies a lifetime to the last use in last_unit=%s',
      async (unit, column) => {
        const last = `&last=${column}&last_unit=${unit}`;
        expect(await found(`${last}&lifetime=90`)).toEqual(['live', 'ever']);
        for (const lifetime of ['&lifetime=2m', '&lifetime=0', ''])
          expect(await found(last + lifetime)).toEqual(['live', 'expired', 'ever']);
      },
    );

    test('keeps a session as long as its row if the table has no column for the expiry', async () => {
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
    ])('reports column %s, which has no times in %s, as an error, not a logout', async (column, unit) => {
      const sessions = store(`table=ends&id=id&data=data&expires=${column}&expires_unit=${unit}`);
      await expect(sessions.get('live')).rejects.toThrow(/expires_unit= or last_unit=/);
      await expect(sessions.ttl('live')).rejects.toThrow(/expires_unit= or last_unit=/);
    });
  });

  test.each(Object.entries(units))('reads and renews the TTL in %s', async (unit, column) => {
    const table = `ttls_${unit}`;
    await makeTable(table, { live: 100, other: 100, past: -100 });
    const ids = ['live', 'other', 'past', 'ever', 'none'];
    const left = async (sessions: SessionStore) => {
      const answers = await Promise.all(ids.map((id) => sessions.ttl(id)));
      return answers.map((one) => one && Math.round(one / 10_000) * 10);
    };
    const touch = async (sessions: SessionStore) => {
      for (const id of ids) if (id !== 'other') await sessions.touch(id, 1000);
    };
    const ends = store(`table=${table}&id=id&data=data&expires=${column}&expires_unit=${unit}`);
    const last = store(`table=${table}&id=id&data=data&last=${column}&last_unit=${unit}&lifetime=130`);
    expect(await left(ends)).toEqual([100, 100, 0, Number.POSITIVE_INFINITY, null]);
    expect(await left(last)).toEqual([230, 230, 30, Number.POSITIVE_INFINITY, null]);
    await touch(ends);
    expect(await left(ends)).toEqual([1000, 100, 0, Number.POSITIVE_INFINITY, null]);
    // The last use is now.
    await touch(last);
    expect(await left(last)).toEqual([130, 230, 130, Number.POSITIVE_INFINITY, null]);
    expect(String(await last.get('live'))).toBe('x');
  });

  test('renews only the session with exactly this ID', async () => {
    const { bytes, binaryId } = site.types;
    const types = {
      renew_text: `VARCHAR(64) ${site.caseless}`,
      renew_char: 'CHAR(64)',
      renew_bytes: binaryId,
    };
    for (const [table, type] of Object.entries(types)) {
      await site.query(`CREATE TABLE ${table} (id ${type}, data ${bytes}, ends BIGINT)`);
      await site.letRenew(table);
      const ids = table === 'renew_char' ? ['AbC', 'aBc'] : ['AbC', 'aBc', 'blank '];
      for (const id of ids) {
        const literal = type === binaryId ? site.literal(Buffer.from(id)) : `'${id}'`;
        const ends = Math.floor(Date.now() / 1000) + 100;
        await site.query(`INSERT INTO ${table} VALUES (${literal}, 'x', ${ends})`);
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
