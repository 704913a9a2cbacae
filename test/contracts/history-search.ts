import { expect, test } from 'vitest';
import type { SearchFilter } from '../../server/history/history.ts';
import { runFor } from '../../server/limits/requester.ts';
import { hanging } from '../helpers/hanging.ts';
import { otherTexts, searchedTexts } from '../helpers/searched-texts.ts';
import { actionsOf, ann, at, callsOf, message, type Now, pagesOf } from './history-tested.ts';

/** Tests searches in every history. `now`: the current history, with the public rooms `lobby` and `garden`. */
export function searchContract(now: Now) {
  const { write, read } = callsOf(now);
  const { send, create, addPeople, search } = actionsOf(now);

  test('finds any part of a text in any script, ignoring case, newest first', async () => {
    for (const text of [
      'Hello World',
      '你好，世界',
      'emoji 👋🏽 here',
      '"x" AND *',
      'ΣΊΣΥΦΟΣ',
      'hello again',
    ]) {
      await send(message({ text }));
    }
    expect(await search('HELLO', ['lobby'])).toEqual(['hello again', 'Hello World']);
    expect(await search('o w', ['lobby'])).toEqual(['Hello World']);
    expect(await search('世', ['lobby'])).toEqual(['你好，世界']);
    expect(await search('世界', ['lobby'])).toEqual(['你好，世界']);
    expect(await search('👋', ['lobby'])).toEqual(['emoji 👋🏽 here']);
    expect(await search('" and *', ['lobby'])).toEqual(['"x" AND *']);
    expect(await search('σίσ', ['lobby'])).toEqual(['ΣΊΣΥΦΟΣ']);
    expect(await search('nothing of it', ['lobby'])).toEqual([]);
  });

  test('finds texts that are typed differently, and no other letters', async () => {
    for (const [text] of [...searchedTexts, ...otherTexts]) await send(message({ text }));
    const found: (readonly [query: string, texts: string[]])[] = [];
    for (const [, query] of searchedTexts) found.push([query, await search(query, ['lobby'])]);
    expect(found).toEqual(searchedTexts.map(([text, query]) => [query, [text]]));
    for (const [, query] of otherTexts) expect(await search(query, ['lobby'])).toEqual([]);
  });

  test('searches only the given rooms, and all public rooms on request', async () => {
    const { id } = await create();
    await send(message({ text: 'needle in the lobby' }));
    await send(message({ text: 'needle in the den', room: id }));
    expect(await search('needle', ['garden'])).toEqual([]);
    expect(await search('needle', [id])).toEqual(['needle in the den']);
    expect(await search('needle', [], true)).toEqual(['needle in the lobby']);
    expect(await search('needle', [id], true)).toEqual(['needle in the den', 'needle in the lobby']);
    expect(await search('needle', [])).toEqual([]);
  });

  test('filters by author, content type and time, with or without words, in pages', async () => {
    const by = (id: string) => ({ id, name: id });
    const { id } = await create();
    await send(message({ text: 'see https://example.org', user: by('7'), sentAt: at + 1000 }));
    await send(message({ text: 'a plain word', user: by('8'), sentAt: at + 2000 }));
    await send(message({ text: 'see www.example.org', user: by('8'), sentAt: at + 3000 }));
    await send(message({ text: 'https://gone.example', user: by('8'), sentAt: at + 4000 }));
    await write.delete({
      ...{ room: 'lobby', seq: 4, user: '8', moderator: false, at: at + 5000 },
      anywhere: true,
    });
    await send(message({ text: 'see https://den.example', room: id, sentAt: at + 6000 }));
    const find = async (only: SearchFilter, query?: string) => {
      const request = { only, rooms: ['lobby'], everyPublic: false, limit: 1, query: query || undefined };
      const pages = await pagesOf((place) => read.search({ ...request, ...place }));
      return pages.flatMap(({ messages }) => messages.map(({ text }) => text));
    };
    const [first, plain, second] = ['see https://example.org', 'a plain word', 'see www.example.org'];
    expect(await find({ from: '8' })).toEqual([second, plain]);
    expect(await find({ from: '8' }, 'SEE')).toEqual([second]);
    expect(await find({ has: 'links' })).toEqual([second, first]);
    expect(await find({ has: 'links', from: '7' }, 'see')).toEqual([first]);
    await send(message({ text: 'see the board', important: true, sentAt: at + 7000 }));
    await send(message({ text: 'read this', important: true, sentAt: at + 8000 }));
    expect(await find({ has: 'important' })).toEqual(['read this', 'see the board']);
    expect(await find({ has: 'important' }, 'see')).toEqual(['see the board']);
    expect(await find({ has: 'pictures' })).toEqual([]);
    expect(await find({ has: 'pictures' }, 'see')).toEqual([]);
    expect(await find({ sentFrom: at + 2000, sentBefore: at + 3000 })).toEqual([plain]);
    expect(await find({ sentBefore: at + 3000 }, 'see')).toEqual([first]);
    expect(await find({ from: 'nobody' })).toEqual([]);
  });

  test('finds an author and a period in a long room by the index, in one page', async () => {
    const most = 6000;
    const by = (id: string) => ({ user: { id, name: id } });
    await send(message({ text: 'rare', ...by('7'), sentAt: at }));
    for (let n = 1; n < most; n += 1000) {
      const some = Array.from({ length: 1000 }, (_, k) => message({ text: 'w', sentAt: at + n + k }));
      await Promise.all(some.map((one) => send(one)));
    }
    // The clock of the server was set back.
    await send(message({ text: 'late', ...by('8'), sentAt: at + 5000 }));
    const search = (only: SearchFilter, limit = 50) =>
      read.search({ only, rooms: ['lobby'], everyPublic: false, limit });
    const page = async (only: SearchFilter, limit?: number) => {
      const { messages, next } = await search(only, limit);
      return { texts: messages.map(({ text }) => text), isLast: next === undefined };
    };
    const period = { sentFrom: at + 5000, sentBefore: at + 5001 };
    const none = { texts: [], isLast: true };
    const searches: [SearchFilter, { texts: string[]; isLast: boolean }][] = [
      [{ from: 'nobody' }, none],
      [{ from: '7' }, { texts: ['rare'], isLast: true }],
      [{ sentBefore: at + 1 }, { texts: ['rare'], isLast: true }],
      [{ sentFrom: at + 1_000_000 }, none],
      [period, { texts: ['late', 'w'], isLast: true }],
      [
        { ...period, from: '8' },
        { texts: ['late'], isLast: true },
      ],
      [{ from: '7', sentFrom: at + 1 }, none],
    ];
    // Until the index has all messages, a page may be short.
    await expect
      .poll(() => Promise.all(searches.map(([only]) => page(only))), { timeout: hanging })
      .toEqual(searches.map(([, found]) => found));
    const { messages } = await search({ sentBefore: at + 500 }, 1);
    expect(messages).toMatchObject([{ sentAt: at + 499 }]);
  });

  test('returns the same pages regardless of rooms that are not searched', async () => {
    const { id: hidden } = await create();
    const rooms = Array.from({ length: 120 }, (_, n) => `team-${n}`);
    await Promise.all(rooms.map((room) => write.putRoom({ id: room, name: room })));
    const say = (room: string, text: string) => send(message({ room, text }));
    const search = (query: string, limit: number, from?: string) =>
      read.search({ query, rooms, everyPublic: true, limit, from: from || undefined });
    for (let n = 0; n < 3; n++) await say(hidden, 'the code is 7391');
    await say('team-7', 'my code');
    await say(hidden, 'the code is 7391');
    await say('lobby', 'our code');
    for (let n = 0; n < 3; n++) await say(hidden, 'the code is 7391');
    expect(await search('code is 7', 1)).toEqual({ messages: [] });
    const newest = await search('code', 1);
    expect(newest).toMatchObject({ messages: [{ text: 'our code' }], next: expect.any(String) });
    // Comparable cursors would reveal whether messages were stored between two visible ones.
    expect((await search('code', 1)).next).not.toBe(newest.next);
    const oldest = await search('code', 1, newest.next);
    expect(oldest).toMatchObject({ messages: [{ text: 'my code' }] });
    expect(oldest.next).toBeUndefined();
    expect((await search('code', 2)).next).toBeUndefined();
  });

  test('does not announce a next page for deleted, former or expired texts', async () => {
    const { id } = await create();
    for (const text of ['too old word', 'first word', 'deleted word', 'former word', 'last word'])
      await send(message({ room: id, text, asMember: true }));
    const act = { room: id, user: ann.id, at };
    await write.delete({ ...act, seq: 3, moderator: false });
    await write.edit({ ...act, seq: 4, text: 'another text' });
    await write.expire({ room: id, firstSeq: 2 });
    const search = (from?: string) =>
      read.search({ query: 'word', rooms: [id], everyPublic: false, limit: 1, from: from || undefined });
    const newest = await search();
    expect(newest).toMatchObject({ messages: [{ seq: 5 }], next: expect.any(String) });
    const oldest = await search(newest.next);
    expect(oldest).toMatchObject({ messages: [{ seq: 2 }] });
    expect(oldest.next).toBeUndefined();
  });

  test('omits hidden rooms from a search without empty pages', async () => {
    const { id } = await create({ kind: 'public', name: 'Open' });
    await addPeople(id, [ann.id]);
    for (const room of ['lobby', id]) await send(message({ room, text: 'a word', asMember: false }));
    const search = (except: string[]) =>
      read.search({ query: 'word', rooms: [], everyPublic: true, except, limit: 1 });
    const found = await search([]);
    expect(found).toMatchObject({ messages: [{ room: id }], next: expect.any(String) });
    const left = await search([id]);
    expect(left).toMatchObject({ messages: [{ room: 'lobby' }] });
    expect(await search([id, 'lobby', 'none'])).toEqual({ messages: [] });
  });

  test('lets accounts take turns with searches, in the order of the time that their searches took', async () => {
    const done: string[] = [];
    const search = async (account: string, n: number) => {
      const { id } = ann;
      const one = [
        () => read.findUsers({ user: id, query: 'a', onlyShared: false, limit: 9 }),
        () => read.findMembers({ room: 'lobby', query: 'a', limit: 9 }),
        () => read.search({ query: 'a', rooms: [], everyPublic: true, limit: 9 }),
      ][n % 3];
      await runFor(account, async () => one?.());
      done.push(account);
    };
    const many = (account: string, count: number) =>
      Array.from({ length: count }, (_, n) => search(account, n));
    await Promise.all(many('greedy', 20));
    done.length = 0;
    await Promise.all([...many('greedy', 30), ...many('other', 3)]);
    expect(done.lastIndexOf('other')).toBeLessThan(10);
  });

  test('lets accounts take turns with reads', async () => {
    for (let n = 0; n < 50; n++) await send(message({ text: 'x'.repeat(1000) }));
    const done: string[] = [];
    const many = (account: string, count: number) =>
      Array.from({ length: count }, () =>
        runFor(account, async () => {
          await read.newest({ room: 'lobby', upTo: 50, limit: 50 });
          done.push(account);
        }),
      );
    await Promise.all([...many('greedy', 300), ...many('other', 3)]);
    // The greedy account's reads that started before the other account asked, and one for each of the other's.
    expect(done.lastIndexOf('other')).toBeLessThan(30);
  });
}
