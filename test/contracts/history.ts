import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Message } from '../../server/events.ts';
import type { History, NewMessage } from '../../server/history/history.ts';
import { maxPageBytes } from '../../server/history/history.ts';

const ann = { id: '1', name: 'Ann' };
const ben = { id: '2', name: 'Ben' };
let n = 0;
const message = (over: Partial<NewMessage> = {}): NewMessage => ({
  room: 'lobby',
  clientId: `c${n++}`,
  user: ann,
  text: 'hello',
  sentAt: 1_700_000_000_000,
  ...over,
});

/** What every history driver must do. `reopen` closes the history and opens it anew from the same storage. */
export function historyContract(
  name: string,
  open: () => Promise<{ history: History; reopen(): Promise<History> }>,
) {
  describe(`the history contract: ${name}`, () => {
    let history: History;
    let reopen: () => Promise<History>;
    const append = async (one: NewMessage) => (await history.append(one)).message;

    beforeEach(async () => {
      ({ history, reopen } = await open());
      await history.createRooms(['lobby', 'garden']);
    });
    afterEach(() => history.close());

    test('a message comes back as it was sent, numbered', async () => {
      const sent = message({
        text: '你好 👋🏽\n\t<script>alert(1)</script>\u200f',
        replyTo: undefined as never,
      });
      delete (sent as { replyTo?: number }).replyTo;
      const stored = await append(sent);
      expect(stored).toEqual({ ...sent, id: expect.stringMatching(/^.{8,}$/), seq: 1, rev: 1 });
      const reply = await append(message({ user: ben, replyTo: 1 }));
      expect(reply).toMatchObject({ seq: 2, rev: 2, replyTo: 1, user: ben });
      expect(await history.newest('lobby', 2, 50)).toEqual({ messages: [stored, reply], complete: true });
    });

    test('each room is numbered by itself, without a gap, whoever writes', async () => {
      const sends = Array.from({ length: 300 }, (_, i) =>
        append(message({ room: i % 3 ? 'lobby' : 'garden', user: i % 2 ? ann : ben })),
      );
      const stored = await Promise.all(sends);
      for (const room of ['lobby', 'garden']) {
        const own = stored.filter((one) => one.room === room);
        expect(own.map(({ seq }) => seq)).toEqual(own.map((_, i) => i + 1));
        expect(own.map(({ rev }) => rev)).toEqual(own.map((_, i) => i + 1));
      }
    });

    test('what is committed is told once, in order, before its sender knows', async () => {
      const told: Message[] = [];
      history.onCommit((one) => told.push(one));
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          const stored = await append(message());
          expect(told).toContainEqual(stored);
        }),
      );
      expect(told.map(({ rev }) => rev)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    });

    test('the same clientId is the same message for ever', async () => {
      const told: Message[] = [];
      history.onCommit((one) => told.push(one));
      const sent = message({ text: 'once', replyTo: 1 });
      await append(message());
      const [first, second] = await Promise.all([append(sent), append({ ...sent, sentAt: 5 })]);
      expect(second).toEqual(first);
      history = await reopen();
      expect(await append(sent)).toEqual(first);
      expect(told).toHaveLength(2);
      expect((await history.newest('lobby', 10, 50)).messages).toHaveLength(2);
    });

    test('a repeat is told apart, and can be asked for without storing anything', async () => {
      const sent = message();
      expect(await history.repeatOf(sent)).toBeNull();
      const first = await history.append(sent);
      expect(first.repeated).toBe(false);
      expect(await history.append(sent)).toEqual({ ...first, repeated: true });
      expect(await history.repeatOf(sent)).toEqual(first.message);
      await expect(history.repeatOf({ ...sent, text: 'other' })).rejects.toMatchObject({ code: 'conflict' });
      const unsent = message();
      expect(await Promise.all([append(unsent), history.repeatOf(unsent)])).toMatchObject([
        { seq: 2 },
        { seq: 2 },
      ]);
    });

    test('the same clientId with other content is a conflict and changes nothing', async () => {
      const sent = message({ text: 'first', replyTo: 1 });
      await append(message());
      const stored = await append(sent);
      await expect(append({ ...sent, text: 'second' })).rejects.toMatchObject({ code: 'conflict' });
      const { replyTo: _, ...without } = sent;
      await expect(append(without)).rejects.toMatchObject({ code: 'conflict' });
      expect((await history.newest('lobby', 10, 50)).messages[1]).toEqual(stored);
    });

    test('the same clientId of another user or in another room is another message', async () => {
      const sent = message();
      const all = await Promise.all([
        append(sent),
        append({ ...sent, user: ben }),
        append({ ...sent, room: 'garden' }),
      ]);
      expect(new Set(all.map(({ id }) => id)).size).toBe(3);
    });

    test('a room that does not exist, a reply to nothing: refused, and no number is lost', async () => {
      const answers = await Promise.allSettled([
        append(message()),
        append(message({ room: 'cellar' })),
        append(message({ replyTo: 99 })),
        append(message()),
      ]);
      expect(answers[1]).toMatchObject({ reason: { code: 'unknown_room' } });
      expect(answers[2]).toMatchObject({ reason: { code: 'unknown_message' } });
      expect(answers[3]).toMatchObject({ value: { seq: 2, rev: 2 } });
    });

    test('pages by seq: the newest up to a number, oldest first', async () => {
      for (let i = 0; i < 10; i++) await append(message());
      const page = await history.newest('lobby', 8, 3);
      expect(page.messages.map(({ seq }) => seq)).toEqual([6, 7, 8]);
      expect(page.complete).toBe(false);
      expect(await history.newest('lobby', 3, 3)).toMatchObject({ complete: true });
      expect(await history.newest('lobby', 0, 3)).toEqual({ messages: [], complete: true });
      expect(await history.newest('lobby', -1, 3)).toEqual({ messages: [], complete: true });
    });

    test('pages by rev: what changed after one number and up to another', async () => {
      for (let i = 0; i < 10; i++) await append(message());
      const page = await history.changes('lobby', 4, 9, 3);
      expect(page.messages.map(({ rev }) => rev)).toEqual([5, 6, 7]);
      expect(page.complete).toBe(false);
      expect(await history.changes('lobby', 7, 9, 3)).toMatchObject({
        complete: true,
        messages: [{ rev: 8 }, { rev: 9 }],
      });
      expect(await history.changes('lobby', 9, 9, 3)).toEqual({ messages: [], complete: true });
    });

    test('a page ends at its size in bytes, however many were asked for, and goes on from there', async () => {
      const text = '好'.repeat(4000);
      await Promise.all(Array.from({ length: 40 }, () => append(message({ text }))));
      const byRev = await history.changes('lobby', 0, 40, 500);
      expect(Buffer.byteLength(JSON.stringify(byRev.messages))).toBeLessThanOrEqual(maxPageBytes);
      expect(byRev).toMatchObject({ complete: false, messages: expect.arrayContaining([]) });
      expect(byRev.messages.length).toBeGreaterThan(10);
      const bySeq = await history.newest('lobby', 40, 100);
      expect(bySeq.complete).toBe(false);
      expect(bySeq.messages.at(-1)).toMatchObject({ seq: 40 });
    });

    test('members: read up to the last message when they come, and up to what they send', async () => {
      await append(message({ user: ben }));
      expect(await history.readSeq('lobby', ann.id)).toBeNull();
      expect(await history.addMember('lobby', ann.id)).toBe(1);
      await append(message({ user: ben }));
      expect(await history.addMember('lobby', ann.id)).toBe(1);
      expect(await history.memberships(ann.id)).toEqual([{ room: 'lobby', readSeq: 1 }]);
      await append(message({ user: ann }));
      expect(await history.readSeq('lobby', ann.id)).toBe(3);
      expect(await history.memberships(ben.id)).toEqual([]);
      const [, , , read] = await Promise.all([
        history.append(message({ user: ben })),
        history.append(message({ user: ben })),
        history.append(message({ user: ben })),
        history.addMember('lobby', '3'),
      ]);
      expect(read).toBe(6);
      await expect(history.addMember('cellar', ann.id)).rejects.toMatchObject({ code: 'unknown_room' });
    });

    test('rooms keep their numbers when they are made again, and after reopening', async () => {
      await append(message());
      history = await reopen();
      await history.createRooms(['lobby', 'attic']);
      const rooms = await history.rooms();
      expect(rooms.sort((a, b) => a.id.localeCompare(b.id))).toEqual([
        { id: 'attic', name: 'attic', kind: 'public', head: 0, lastSeq: 0 },
        { id: 'garden', name: 'garden', kind: 'public', head: 0, lastSeq: 0 },
        { id: 'lobby', name: 'lobby', kind: 'public', head: 1, lastSeq: 1 },
      ]);
      expect(await append(message())).toMatchObject({ seq: 2 });
    });

    test('closing finishes what was asked for; afterwards everything is refused', async () => {
      const sends = Array.from({ length: 100 }, () => append(message()));
      await history.close();
      await Promise.all(sends);
      await expect(append(message())).rejects.toMatchObject({ code: 'storage_unavailable' });
      await expect(history.rooms()).rejects.toMatchObject({ code: 'storage_unavailable' });
    });
  });
}
