import { describe, expect, test } from 'vitest';
import { audit } from '../../server/changes/audit.ts';
import { runConsumers } from '../../server/changes/consumer.ts';
import {
  type Change,
  type LoggedEntry,
  leaseTime,
  sources,
  type Writes,
} from '../../server/history/history.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { ann, at, callsOf, expectRefusal, type Now } from './history-tested.ts';

/** Longer than any test, in ms. */
const long = 3_600_000;

/** Tests the change log in every history. `now`: the current history, with the public room `lobby`. */
export function logContract(now: Now) {
  const { write, read } = callsOf(now);
  const consume = async (over: Partial<Writes['consume']['in']> = {}) =>
    write.consume({ name: 'webhooks', by: 'one', types: ['message'], lease: long, most: 100, ...over });
  /** Consumes entries as the holder of the lease. */
  const taken = async (over: Partial<Writes['consume']['in']> = {}) => {
    const answer = await consume(over);
    if ('leasedForMs' in answer) throw new Error('another server has the lease');
    return answer;
  };
  const send = (text: string, clientId = text) =>
    write.send({ room: 'lobby', clientId, user: ann, text, sentAt: at, asMember: false });
  const block = (other: string, blocked: boolean) => write.block({ user: ann.id, other, blocked });
  const seqsOf = (entries: readonly LoggedEntry[]) =>
    entries.flatMap(({ changes }) =>
      changes.flatMap((change) => (change.type === 'message' ? change.message.seq : [])),
    );
  const range = (first: number, last: number) =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i);

  test("returns later changes of the consumer's types in commit order, without texts", async () => {
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

  test('returns entries again until their consumer is done, even after a restart', async () => {
    await taken();
    for (const n of range(1, 5)) await send(`${n}`);
    const first = await taken({ most: 2 });
    expect(seqsOf(first.entries)).toEqual([1, 2]);
    expect(await taken({ most: 2 })).toEqual(first);
    const second = await taken({ most: 2, done: first.upTo });
    expect(seqsOf(second.entries)).toEqual([3, 4]);
    await now().reopen();
    // A restarted server has another name.
    const renewed = { by: 'two', lease: 0 };
    await taken({ lease: 0, most: 0 });
    expect(seqsOf((await taken(renewed)).entries)).toEqual([3, 4, 5]);
    const { upTo } = await taken(renewed);
    expect((await taken({ ...renewed, done: upTo })).entries).toEqual([]);
    await now().reload();
    await send('6');
    const { entries } = await taken({ by: 'three' });
    expect(seqsOf(entries)).toEqual([6]);
    expect(entries[0]?.num).toBeGreaterThan(upTo);
  });

  test('returns entries only to the server with the lease', async () => {
    await taken();
    await send('1');
    await send('2');
    const { upTo } = await taken({ most: 1 });
    const other = await consume({ by: 'two', done: upTo });
    expect(other).toEqual({ leasedForMs: expect.any(Number) });
    expect((other as { leasedForMs: number }).leasedForMs).toBeGreaterThan(0);
    expect((other as { leasedForMs: number }).leasedForMs).toBeLessThanOrEqual(long);
    // The lease is released, and another server takes it before the first is done.
    await taken({ lease: 0, most: 0 });
    expect(seqsOf((await taken({ by: 'two', lease: 0 })).entries)).toEqual([1, 2]);
    expect(seqsOf((await taken({ done: upTo })).entries)).toEqual([1, 2]);
    expect(seqsOf((await taken({ done: upTo })).entries)).toEqual([2]);
  });

  test('discards the results of a server that renewed its lease too late', async () => {
    await taken();
    for (const n of range(1, 3)) await send(`${n}`);
    const { upTo } = await taken({ most: 1, lease: 0 });
    const next = await taken({ by: 'two' });
    await taken({ by: 'two', most: 0, lease: 0, done: next.upTo });
    expect(await consume({ most: 0, renews: true })).toEqual({ leasedForMs: 0 });
    const rows = { acts: [{ kind: 'muted', at } as const] };
    expect((await taken({ done: upTo, rows })).entries).toEqual([]);
    expect((await read.acts({ limit: 9 })).acts).toEqual([]);
  });

  test('ignores a lease from before the database clock was set back', async () => {
    await taken({ lease: long });
    await send('1');
    // The remaining time exceeds the lease time of any server.
    expect(seqsOf((await taken({ by: 'two', lease: leaseTime })).entries)).toEqual([1]);
  });

  test('forgets a disabled consumer after a day without a lease', async () => {
    const day = 24 * 60 * 60 * 1000;
    await taken({ lease: -2 * day });
    await taken({ name: 'other', lease: 0 });
    await write.keepConsumers({ names: ['third'] });
    await send('1');
    expect(seqsOf((await taken({ name: 'other' })).entries)).toEqual([1]);
    // The forgotten consumer starts anew.
    expect(seqsOf((await taken()).entries)).toEqual([]);
    await send('2');
    expect(seqsOf((await taken()).entries)).toEqual([2]);
  });

  test('logs no entry for a rejected write', async () => {
    await taken();
    await send('one', 'same');
    const refused = send('two', 'same');
    await expectRefusal(refused, 'conflict');
    expect(seqsOf((await taken()).entries)).toEqual([1]);
  });

  describe('audit entries', () => {
    const moderator = 'Xw7qK moderator';
    const follow = () =>
      runConsumers(now().history, [audit], { onFailure: (_, error) => raise(error), onSkipped: raise });
    const acts = async () => (await read.acts({ limit: 100 })).acts.reverse();
    const mute = (user: string, by = moderator) => {
      const restriction = { by, reason: 'because', until: at + 1 };
      return write.restrict({ room: 'lobby', user, restriction });
    };

    test('lists each change by a moderator once, with actor, user, room and reason', async () => {
      let consumers = follow();
      for (const id of ['2', '3']) await write.join({ room: 'lobby', user: { id, name: id } });
      for (const id of ['a', 'b']) {
        await write.send({
          room: 'lobby',
          clientId: id,
          user: { id: '2', name: '2' },
          text: id,
          sentAt: at,
          asMember: true,
        });
      }
      const [lobby, actor] = [{ room: 'lobby' }, moderator];
      await mute('2');
      const lift = { ...lobby, user: '2', kind: 'muted', restriction: null, actor, at } as const;
      await write.restrict(lift);
      await write.restrict(lift);
      await expectRefusal(write.restrict({ ...lift, room: 'none' }), 'unknown_room');
      await write.setRole({ ...lobby, user: '2', role: 'moderator', actor });
      await write.setRole({ ...lobby, user: '2', role: 'moderator', actor });
      await write.updateRoom({ ...lobby, slow: 30, write: 'moderators', actor });
      await write.updateRoom({ ...lobby, slow: 30, actor });
      await write.updateRoom({ ...lobby, name: 'Hall' });
      await write.report({ ...lobby, seq: 1, by: '3', reason: 'spam', at });
      const [report] = (await read.reports({ rooms: null, limit: 9 })).reports;
      await write.closeReport({ ...lobby, seq: 1, id: report?.id as string, by: actor, done: 'nothing', at });
      const mark = (user: string, important: boolean) =>
        write.mark({ ...lobby, seq: 2, user, siteModerator: user === '3', important, at });
      for (const important of [true, true, false]) await mark('3', important);
      // An author can also change the mark by an edit.
      await mark('2', true);
      await write.delete({
        ...lobby,
        seq: 1,
        user: actor,
        moderator: true,
        anywhere: true,
        reason: 'off topic',
        at,
      });
      await write.delete({ ...lobby, seq: 2, user: '2', moderator: false, at });
      await consumers.stop();
      await now().reload();
      consumers = follow();
      const remove = { ...lobby, sources: sources.people, by: 'people', at } as const;
      await write.removeMembers({ ...remove, users: ['2', 'nobody'], cause: 'removed', actor });
      await write.removeMembers({ ...remove, users: ['3'], cause: 'left', actor: '3' });
      await write.setBan({ user: '2', ban: { reason: 'spam' } });
      await write.setBan({ user: '2', ban: null });
      await write.deleteRoom({ ...lobby, actor });
      const [by, reason] = [moderator, 'because'];
      const listed = [
        { kind: 'muted', by, user: '2', room: 'lobby', reason, to: { until: at + 1 } },
        { kind: 'unmuted', by, user: '2', room: 'lobby' },
        { kind: 'role_changed', by, user: '2', room: 'lobby', to: { role: 'moderator' } },
        {
          kind: 'room_changed',
          by,
          room: 'lobby',
          to: { changed: ['write', 'slow'], write: 'moderators', slow: 30 },
        },
        { kind: 'room_changed', room: 'lobby', to: { changed: ['name'] } },
        { kind: 'report_closed', by, user: '2', room: 'lobby', seq: 1, to: { done: 'nothing' } },
        { kind: 'marked', by: '3', user: '2', room: 'lobby', seq: 2 },
        { kind: 'unmarked', by: '3', user: '2', room: 'lobby', seq: 2 },
        { kind: 'message_deleted', by, user: '2', room: 'lobby', seq: 1, reason: 'off topic' },
        { kind: 'removed', by, user: '2', room: 'lobby' },
        { kind: 'site_banned', user: '2', reason: 'spam' },
        { kind: 'site_unbanned', user: '2' },
        { kind: 'room_deleted', by, room: 'lobby' },
      ].map((act) => ({ ...act, at: expect.any(Number) }));
      await expect.poll(acts).toHaveLength(listed.length);
      expect(await acts()).toEqual(listed);
      const of = (user: string) => ({ user, rooms: [], lost: [] });
      const first = await read.acts({ limit: 2 });
      const second = await read.acts({ limit: 2, before: first.next as number });
      expect([...first.acts, ...second.acts].reverse()).toEqual(listed.slice(-4));
      expect((await read.acts({ of: of('2'), limit: 100 })).acts).toHaveLength(10);
      const own = listed.filter((act) => 'by' in act && act.by === by).length;
      const { next: before } = await read.acts({ of: of(moderator), limit: own - 1 });
      const rest = await read.acts({ of: of(moderator), before: before as number, limit: 100 });
      expect(rest.acts).toEqual(listed.slice(0, 1));
      await write.forgetActs({ before: Date.now() + long, most: 99 });
      expect(await acts()).toEqual([]);
      await consumers.stop();
    });

    test('does not list an entry whose transaction was rolled back', async () => {
      const consumers = follow();
      const file = { id: 'same', name: 'a.txt', type: 'text/plain', size: 1 };
      const add = () => write.addFile({ room: 'lobby', user: '2', file });
      await add();
      const [first, failed, second] = await Promise.allSettled([mute('2'), add(), mute('3')]);
      expect(failed.status).toBe('rejected');
      await mute('4');
      const stored = [first, second].map(({ status }, n) => (status === 'fulfilled' ? `${n + 2}` : ''));
      const users = async () => (await acts()).map(({ user }) => user);
      await expect.poll(users).toEqual([...stored.filter((user) => user !== ''), '4']);
      await consumers.stop();
    });

    test('removes an erased user even from entries that a consumer already read', async () => {
      let consumers = follow();
      await mute('2');
      await mute(moderator, '2');
      await expect.poll(acts).toHaveLength(2);
      await consumers.stop();
      await mute('3');
      const held = { name: audit.name, types: audit.types, by: 'before' };
      const read = await taken(held);
      expect(JSON.stringify(read.entries)).toContain(moderator);
      await write.erase({ user: moderator, messages: 'delete' });
      await carryOutErasures(now().history);
      expect(await consume({ ...held, most: 0, renews: true })).toEqual({ leasedForMs: 0 });
      const rows = { acts: [{ kind: 'muted', at, by: moderator } as const] };
      await taken({ ...held, done: read.upTo, rows, lease: 0 });
      consumers = follow();
      await expect.poll(acts).toHaveLength(4);
      expect((await acts()).map(({ kind, by, user, reason }) => [kind, by, user, reason])).toEqual([
        ['muted', '0', '2', undefined],
        ['muted', '2', '0', undefined],
        ['muted', '0', '3', undefined],
        ['erased', undefined, '0', undefined],
      ]);
      await consumers.stop();
      expect(await now().holding('Xw7qK')).toEqual([]);
    });
  });
}

function raise(error: unknown): never {
  throw error instanceof Error ? error : new Error(String(error));
}
