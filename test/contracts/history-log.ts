import { expect, test } from 'vitest';
import type { Change, History, LoggedEntry, Writes } from '../../server/history/history.ts';

const ann = { id: '1', name: 'Ann' };
const at = 1_700_000_000_000;
/** Milliseconds that no test takes. */
const long = 3_600_000;

/** The contract of every history for its log of changes. `now`: the history of this test, with the public room `lobby`. */
export function logContract(now: () => { history: History; reopen(): Promise<History> }) {
  const consume = async (over: Partial<Writes['consume']['in']> = {}) =>
    now().history.write.consume({
      name: 'webhooks',
      by: 'one',
      types: ['message'],
      lease: long,
      most: 100,
      ...over,
    });
  /** As the holder of the lease. */
  const taken = async (over: Partial<Writes['consume']['in']> = {}) => {
    const answer = await consume(over);
    if ('heldFor' in answer) throw new Error('another server has the lease');
    return answer;
  };
  const send = (text: string, clientId = text) =>
    now().history.write.send({
      room: 'lobby',
      clientId,
      user: ann,
      text,
      sentAt: at,
      asMember: false,
    });
  const block = (other: string, blocked: boolean) =>
    now().history.write.block({ user: ann.id, other, blocked, at });
  const seqsOf = (entries: readonly LoggedEntry[]) =>
    entries.flatMap(({ changes }) =>
      changes.flatMap((change) => (change.type === 'message' ? change.message.seq : [])),
    );
  const range = (first: number, last: number) =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i);

  test('a consumer gets what is written from its beginning on: in the order of the commits, of its types, without texts', async () => {
    await send('before');
    await taken();
    const blocked: readonly Change['type'][] = ['blocked'];
    await taken({ name: 'other', types: blocked });
    await Promise.all(range(2, 41).map((n) => send(`secret ${n}`)));
    await block('2', true);
    const { entries, upTo, skipped } = await taken();
    expect([seqsOf(entries), skipped]).toEqual([range(2, 41), 0]);
    expect(JSON.stringify(entries)).not.toContain('secret');
    const nums = entries.map(({ num }) => num);
    expect(nums).toEqual([...nums].sort((a, b) => a - b));
    expect(upTo).toBeGreaterThanOrEqual(nums.at(-1) as number);
    const other = await taken({ name: 'other', types: blocked });
    expect(other.entries.flatMap(({ changes }) => changes)).toContainEqual({
      type: 'blocked',
      user: ann.id,
      other: '2',
      blocked: true,
    });
  });

  test('what a consumer is not done with comes again, also after a restart; the rest does not, and no number is used again', async () => {
    await taken();
    for (const n of range(1, 5)) await send(`${n}`);
    const first = await taken({ most: 2 });
    expect(seqsOf(first.entries)).toEqual([1, 2]);
    expect(await taken({ most: 2 })).toEqual(first);
    const second = await taken({ most: 2, done: first.upTo });
    expect(seqsOf(second.entries)).toEqual([3, 4]);
    await now().reopen();
    // The new run of the server has another name.
    const renewed = { by: 'two', lease: 0 };
    await taken({ lease: 0, most: 0 });
    expect(seqsOf((await taken(renewed)).entries)).toEqual([3, 4, 5]);
    const { upTo } = await taken(renewed);
    expect((await taken({ ...renewed, done: upTo })).entries).toEqual([]);
    await now().reopen();
    await send('6');
    const { entries } = await taken({ by: 'three' });
    expect(seqsOf(entries)).toEqual([6]);
    expect(entries[0]?.num).toBeGreaterThan(upTo);
  });

  test('one server has the lease, and what another says to be done with does not count', async () => {
    await taken();
    await send('1');
    await send('2');
    const { upTo } = await taken({ most: 1 });
    const other = await consume({ by: 'two', done: upTo });
    expect(other).toEqual({ heldFor: expect.any(Number) });
    expect((other as { heldFor: number }).heldFor).toBeGreaterThan(0);
    expect((other as { heldFor: number }).heldFor).toBeLessThanOrEqual(long);
    // It is given back, and another one takes it before the first one is done.
    await taken({ lease: 0, most: 0 });
    expect(seqsOf((await taken({ by: 'two', lease: 0 })).entries)).toEqual([1, 2]);
    expect(seqsOf((await taken({ done: upTo })).entries)).toEqual([1, 2]);
    expect(seqsOf((await taken({ done: upTo })).entries)).toEqual([2]);
  });

  test('servers that ask at once: one of them has the lease', async () => {
    const answers = await Promise.all(range(1, 8).map((n) => consume({ by: `server ${n}` })));
    expect(answers.filter((answer) => !('heldFor' in answer))).toHaveLength(1);
  });

  test('a write that is refused leaves no entry', async () => {
    await taken();
    await send('one', 'same');
    const refused = send('two', 'same');
    await expect(refused).rejects.toMatchObject({ code: 'conflict' });
    expect(seqsOf((await taken()).entries)).toEqual([1]);
  });
}
