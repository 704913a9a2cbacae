import { describe, expect, test } from 'vitest';
import type { Answers, Held, RequestPayload } from '../../../server/wire/events.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { download, origin, upload } from '../../helpers/files.ts';
import {
  closedAfterEach,
  codeOf,
  eventsOf,
  exportOf,
  nextOf,
  type PeopleSite,
  type Person,
  type Several,
  say,
  sharedSite,
  startPeopleSite,
} from '../../helpers/people.ts';
import { startPeopleHere } from '../../helpers/people-here.ts';

/** Messages pending approval. */
const env = {
  CHAT_CREATE_ROOMS: 'all',
  CHAT_ROOMS: 'lobby',
  CHAT_HOLD: 'links',
  CHAT_HOLD_WORDS: 'pallets, cheap watches, e-mail, 赌博',
};
const site = sharedSite(() => startPeopleHere(env));
/** A server with files and exports. */
const served = sharedSite(() => startPeopleSite({ ...env, CHAT_ORIGINS: origin }));

const inTest = closedAfterEach();
type On = Pick<PeopleSite, 'person' | 'people'>;
const user = async (session?: object, on: On = site): Promise<Person> => inTest(await on.person(session));
const users = <Count extends keyof Several>(count: Count) => site.people(count, inTest);

/** Sends a message that may require approval. */
async function send(
  client: Person,
  room: string,
  text: string,
  over: Partial<RequestPayload<'message:send'>> = {},
): Promise<Answers['message:send']> {
  const answer = await client.raw('message:send', { room, text, clientId: newClientId(), ...over });
  if (!answer.ok) throw new Error(answer.error.code);
  return answer.data as Answers['message:send'];
}
async function hold(
  client: Person,
  room: string,
  text = 'see https://a.example',
  over: Partial<RequestPayload<'message:send'>> = {},
): Promise<Held> {
  const sent = await send(client, room, text, over);
  if (!('held' in sent)) throw new Error('the message is not pending');
  return sent.held;
}
/** Returns the event of the message once it arrives. */
async function changed(client: Person, { id }: Held, is: string) {
  const find = () => eventsOf(client, 'held:changed').find((change) => change.id === id && change.is === is);
  await expect.poll(find).toBeDefined();
  return find();
}
/** A user, a moderator and a bystander, all in the lobby. */
async function lobby(on: On = site) {
  const [[ann, eve], mod] = [await on.people(2, inTest), await user({ roles: 'moderator' }, on)];
  for (const client of [ann, mod, eve]) await client.request('room:join', { room: 'lobby' });
  return { ann, mod, eve };
}
/** Creates a private room of Ben's that Ben and Ann join. */
async function den() {
  const [ben, ann] = await users(2);
  const { id } = await site.den(ben, [ann]);
  for (const client of [ben, ann]) await client.request('room:join', { room: id });
  return { ben, ann, room: id };
}

describe('approval is required', () => {
  test('for messages with a link or a listed word, in any case and form', async () => {
    const { ann } = await lobby();
    const waits = async (text: string) => {
      const sent = await send(ann, 'lobby', text);
      return 'held' in sent && sent.held.why;
    };
    expect(await waits('see https://a.example')).toBe('links');
    expect(await waits('40 PALLETS!')).toBe('words');
    expect(await waits('ｐａｌｌｅｔｓ')).toBe('words');
    expect(await waits('Cheap watches, press here')).toBe('words');
    // Shown as a block between two lines, and as it is written.
    expect(await waits('hi```pallets```now')).toBe('words');
    expect(await waits('buy_pallets_now')).toBe('words');
    expect(await waits('palletss and cheap, watches')).toBe(false);
    expect(await waits('see a.example')).toBe(false);
  });

  test('for whatever a program may take for a link, in messages, edits, polls, copies and names', async () => {
    const { ann, mod } = await lobby();
    for (const text of [
      'Free prizes\\.www.evil.example/win',
      '点击http://evil.example',
      'https://bank.example@spam.example/',
      'ask bob@spam.example',
    ]) {
      expect((await hold(ann, 'lobby', text)).why, text).toBe('links');
      const { seq } = await say(ann, 'lobby', 'hello');
      const edit = await ann.raw('message:edit', { room: 'lobby', seq, text });
      expect(edit, text).toMatchObject({ ok: true, data: { held: { why: 'links' } } });
      const at = Date.now() + 3_600_000;
      const later = { room: 'lobby', text, at, clientId: newClientId() };
      const added = await ann.request('scheduled:add', later);
      const sent = 'scheduled' in added && (await ann.request('scheduled:send', { id: added.scheduled.id }));
      expect(sent, text).toMatchObject({ held: { why: 'links' } });
      const { seq: original } = await say(mod, 'lobby', text);
      const copy = { room: 'lobby', from: { room: 'lobby', seq: original }, clientId: newClientId() };
      expect(await codeOf(ann, 'message:forward', copy), text).toBe('forbidden');
      const poll = {
        room: 'lobby',
        text: 'Lunch?',
        clientId: newClientId(),
        poll: { options: ['soup', text] },
      };
      expect(await codeOf(ann, 'message:send', poll), text).toBe('forbidden');
      const named = { kind: 'private', name: 'Own', topic: text, clientId: newClientId() };
      expect(await codeOf(ann, 'room:create', named), text).toBe('forbidden');
      for (const { id } of (await ann.request('held:list', { mine: true })).held)
        await ann.request('held:discard', { id });
    }
    expect((await hold(ann, 'lobby', 'pal\ufff9le\ufffbts')).why).toBe('words');
  });

  test('for a listed word next to letters of which clients show the name of a mentioned user', async () => {
    const { ann, mod, eve } = await lobby();
    const [text, mentions] = ['😀xpallets', [{ user: eve.id, start: 1, length: 1 }]];
    expect((await hold(ann, 'lobby', text, { mentions })).why).toBe('words');
    expect(await send(ann, 'lobby', text)).toHaveProperty('message');
    const { seq } = await say(ann, 'lobby', 'hello');
    const edit = await ann.raw('message:edit', { room: 'lobby', seq, text, mentions });
    expect(edit).toMatchObject({ ok: true, data: { held: { why: 'words' } } });
    const at = Date.now() + 3_600_000;
    const later = { room: 'lobby', text, mentions, at, clientId: newClientId() };
    const added = await ann.request('scheduled:add', later);
    const sent = 'scheduled' in added && (await ann.request('scheduled:send', { id: added.scheduled.id }));
    expect(sent).toMatchObject({ held: { why: 'words' } });
    const original = await send(mod, 'lobby', text, { mentions });
    const from = { room: 'lobby', seq: 'message' in original ? original.message.seq : 0 };
    const copy = { room: 'lobby', from, clientId: newClientId() };
    expect(await codeOf(ann, 'message:forward', copy)).toBe('forbidden');
  });

  test('for what clients show together with the name of a mentioned user', async () => {
    const { ann } = await lobby();
    const named = async (firstname: string) => {
      const one = await user({ firstname });
      await one.request('room:join', { room: 'lobby' });
      return one.id;
    };
    /** @param text with a mention of one letter */
    const waits = async (text: string, mentioned: string, start: number) => {
      const mentions = [{ user: mentioned, start, length: 1 }];
      const sent = await send(ann, 'lobby', text, { mentions });
      return 'held' in sent && sent.held.why;
    };
    const [pal, mail] = [await named('Pal'), await named('kim@site.example')];
    expect(await waits('xlets', pal, 0)).toBe('words');
    expect(await waits('x, lets go', pal, 0)).toBe(false);
    expect(await waits('hello x!', mail, 6)).toBe(false);
  });

  test('for messages with a link or listed word in a file name or description', async () => {
    const { ann } = await lobby(served);
    const files = await Promise.all(
      ['plan', 'pallets'].map(
        async (name) =>
          (await upload(served.chat.url, ann.cookie, 'text', { room: 'lobby', name: `${name}.txt` })).file.id,
      ),
    );
    const [plan = '', named = ''] = files;
    const described = [{ id: plan, alt: 'see https://a.example' }];
    expect((await hold(ann, 'lobby', '', { files: described })).why).toBe('links');
    expect((await hold(ann, 'lobby', 'look', { files: [{ id: named }] })).why).toBe('words');
  });

  test('for messages of a new user in public rooms until the first approval', async () => {
    const first = await startPeopleHere({
      CHAT_ROOMS: 'lobby',
      CHAT_CREATE_ROOMS: 'all',
      CHAT_HOLD: 'first',
    });
    try {
      const [ann, ben, mod] = [
        await user({}, first),
        await user({}, first),
        await user({ roles: 'moderator' }, first),
      ];
      for (const client of [ann, ben, mod]) await client.request('room:join', { room: 'lobby' });
      const direct = await ann.request('direct:open', { user: ben.id });
      await ann.request('room:join', { room: direct.room.id });
      expect(await send(ann, direct.room.id, 'hello')).toHaveProperty('message');
      // A user's own room requires no approval either.
      const own = { name: 'Own', kind: 'private', clientId: newClientId() } as const;
      const { room } = await ann.request('room:create', own);
      await ann.request('room:join', { room: room.id });
      expect(await send(ann, room.id, 'hello')).toHaveProperty('message');
      const held = await hold(ann, 'lobby', 'hello');
      expect(held.why).toBe('first');
      expect((await hold(ann, 'lobby', 'and more')).why).toBe('first');
      await mod.request('held:approve', { id: held.id });
      expect(await send(ann, 'lobby', 'and again')).toHaveProperty('message');
    } finally {
      await first.close();
    }
  });
});

describe('a message pending approval', () => {
  test('is seen by its author and the moderators only', async () => {
    const { ann, mod, eve } = await lobby(served);
    await say(eve, 'lobby', 'hello');
    const before = (await eve.request('room:list', {})).rooms;
    const eventsBefore = eve.events.length;
    const mentions = [{ user: eve.id, start: 0, length: 3 }];
    const held = await hold(ann, 'lobby', 'pallets quincunx', { mentions });
    const author = { id: ann.id, name: `Name of ${ann.id}` };
    expect(held).toMatchObject({ room: 'lobby', text: 'pallets quincunx', user: author });
    const change = { id: held.id, room: 'lobby', is: 'held', held };
    for (const client of [ann, mod]) expect(await changed(client, held, 'held')).toEqual(change);
    expect((await mod.request('held:list', {})).held).toContainEqual(held);
    expect((await ann.request('held:list', { mine: true })).held).toEqual([held]);
    // Eve is neither the author nor a moderator.
    expect(await codeOf(eve, 'held:list', {})).toBe('forbidden');
    for (const event of ['held:approve', 'held:reject'])
      expect(await codeOf(eve, event, { id: held.id })).toBe('unknown_message');
    expect((await eve.request('room:list', {})).rooms).toEqual(before);
    expect((await eve.request('message:search', { query: 'quincunx' })).messages).toEqual([]);
    const leaks = eve.events
      .slice(eventsBefore)
      .filter(({ payload }) => /quincunx|held/.test(JSON.stringify(payload)));
    expect(leaks).toEqual([]);
    const [own, others] = [await fetchExport(ann.id), await fetchExport(eve.id)];
    expect(own.filter((line) => line.includes('quincunx'))).toHaveLength(1);
    expect(others.filter((line) => line.includes('quincunx'))).toEqual([]);
  });

  test('is published on approval, and only moderators see who approved it', async () => {
    const { ann, mod, eve } = await lobby();
    const other = await user({ roles: 'admin' });
    const clientId = newClientId();
    const held = await hold(ann, 'lobby', 'pallets', { clientId });
    const news = nextOf(eve, 'message:new');
    const { message } = await mod.request('held:approve', { id: held.id });
    expect(message).toMatchObject({ id: held.id, clientId, text: 'pallets' });
    expect(await news).toEqual(message);
    const change = { id: held.id, room: 'lobby', is: 'approved' };
    const by = { id: mod.id, name: `Name of ${mod.id}` };
    expect(await changed(ann, held, 'approved')).toEqual(change);
    expect(await changed(other, held, 'approved')).toEqual({ ...change, by });
    expect(await codeOf(other, 'held:approve', { id: held.id })).toBe('unknown_message');
    // A repeat returns the message without sending it again.
    expect(await send(ann, 'lobby', 'pallets', { clientId })).toEqual({ message });
    expect((await ann.request('held:list', { mine: true })).held).toEqual([]);
  });

  test('is shown to its author as rejected until the author discards it', async () => {
    const { ann, mod } = await lobby();
    const held = await hold(ann, 'lobby');
    await mod.request('held:reject', { id: held.id, reason: 'an advertisement' });
    const rejected = { at: expect.any(Number), reason: 'an advertisement' };
    expect(await changed(ann, held, 'rejected')).toMatchObject({ held: { id: held.id, rejected } });
    expect((await mod.request('held:list', {})).held).not.toContainEqual(
      expect.objectContaining({ id: held.id }),
    );
    await ann.request('held:discard', { id: held.id });
    await ann.request('held:discard', { id: held.id });
    expect((await ann.request('held:list', { mine: true })).held).toEqual([]);
    const { body } = await site.api('GET', '/audit');
    const acts = (body as { acts?: { kind: string; by?: string; user?: string }[] }).acts ?? [];
    expect(acts.filter(({ user }) => user === ann.id)).toMatchObject([
      { kind: 'rejected', by: mod.id, room: 'lobby', reason: 'an advertisement' },
    ]);
  });

  test('keeps the old text visible if it is an edit', async () => {
    const { ann, mod, eve } = await lobby(served);
    const { seq } = await say(ann, 'lobby', 'hello');
    const edit = { room: 'lobby', seq, text: 'see https://a.example' };
    const answer = await ann.raw('message:edit', edit);
    expect(answer).toMatchObject({ ok: true, data: { held: { seq, why: 'links' } } });
    const text = async () =>
      (await eve.request('message:history', { room: 'lobby' })).messages.find(
        (message) => message.seq === seq,
      )?.text;
    expect(await text()).toBe('hello');
    // A new edit with a file replaces the pending one, and so does another edit with the same file.
    const { file } = await upload(served.chat.url, ann.cookie, 'plan', { room: 'lobby' });
    const withFile = { ...edit, files: [{ id: file.id }] };
    for (const over of [{}, { text: 'other https://a.example' }, { text: edit.text }])
      expect(await ann.raw('message:edit', { ...withFile, ...over })).toMatchObject({ ok: true });
    const [last] = (await ann.request('held:list', { mine: true })).held;
    const { message } = await mod.request('held:approve', { id: last?.id ?? '' });
    expect(message).toMatchObject({ seq, text: edit.text, files: [{ id: file.id }] });
    expect(await text()).toBe(edit.text);
    // Only the description of the file contains a listed word.
    const described = { ...edit, text: 'plain', files: [{ id: file.id, alt: 'pallets' }] };
    const answered = await ann.raw('message:edit', described);
    expect(answered).toMatchObject({ ok: true, data: { held: { seq, why: 'words' } } });
    expect(await text()).toBe(edit.text);
  });

  test('hides its files from other users until it is approved', async () => {
    const { ann, mod, eve } = await lobby(served);
    const { file } = await upload(served.chat.url, ann.cookie, 'plan', { room: 'lobby' });
    const held = await hold(ann, 'lobby', 'pallets', { files: [{ id: file.id }] });
    expect(held.files).toMatchObject([{ id: file.id }]);
    const statuses = () =>
      Promise.all(
        [ann, mod, eve].map(async ({ cookie }) => (await download(served.chat.url, cookie, file)).status),
      );
    expect(await statuses()).toEqual([200, 200, 404]);
    await mod.request('held:approve', { id: held.id });
    expect(await statuses()).toEqual([200, 200, 200]);
  });

  test('is not created when a forward is repeated after its original got a link', async () => {
    const { ann, mod } = await lobby();
    const { seq } = await say(mod, 'lobby', 'without a link');
    const copy = { room: 'lobby', from: { room: 'lobby', seq }, clientId: newClientId() };
    const sent = await ann.request('message:forward', copy);
    await mod.request('message:edit', { room: 'lobby', seq, text: 'see https://a.example' });
    expect(await ann.request('message:forward', copy)).toEqual(sent);
    await mod.request('message:delete', { room: 'lobby', seq });
    expect(await ann.request('message:forward', copy)).toEqual(sent);
    expect(await codeOf(ann, 'message:forward', { ...copy, clientId: newClientId() })).toBe(
      'unknown_message',
    );
  });

  test("counts toward the user's limit across all rooms", async () => {
    const { ann: member, room } = await den();
    await member.request('room:join', { room: 'lobby' });
    const texts = Array.from({ length: 20 }, (_, n) => `pallets ${n}`);
    for (const [n, text] of texts.entries()) await hold(member, n % 2 ? room : 'lobby', text);
    await expect(send(member, room, 'more pallets')).rejects.toThrow('limit_reached');
    // A repeat of a pending message is still answered.
    const [first] = (await member.request('held:list', { mine: true })).held;
    const { room: where = '', text = '', clientId = '' } = first ?? {};
    expect(await send(member, where, text, { clientId })).toEqual({ held: first });
    await member.request('held:discard', { id: first?.id ?? '' });
    await hold(member, room, 'more pallets');
  });
});

test('limits the pending messages of a user who sends to several rooms at the same time', async () => {
  const { ann: member, room } = await den();
  await member.request('room:join', { room: 'lobby' });
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, n) =>
      member.raw('message:send', {
        room: n % 2 ? room : 'lobby',
        text: `pallets ${n}`,
        clientId: newClientId(),
      }),
    ),
  );
  expect(answers.filter(({ ok }) => ok)).toHaveLength(20);
  expect((await member.request('held:list', { mine: true })).held).toHaveLength(20);
});

describe('the decision', () => {
  test('in a private room belongs to the room’s own moderators', async () => {
    const { ben, ann, room } = await den();
    const admin = await user({ roles: 'admin' });
    const held = await hold(ann, room);
    expect((await admin.request('held:list', {})).held).not.toContainEqual(held);
    for (const event of ['held:approve', 'held:reject'])
      expect(await codeOf(admin, event, { id: held.id })).toBe('unknown_message');
    expect((await ben.request('held:list', {})).held).toEqual([held]);
    expect(eventsOf(admin, 'held:changed').filter((change) => change.room === room)).toEqual([]);
    expect((await ben.request('held:approve', { id: held.id })).message.text).toBe(held.text);
  });

  test('is denied to a site moderator who is banned from the room', async () => {
    const { ann, mod } = await lobby();
    const admin = await user({ roles: 'admin' });
    await admin.request('room:join', { room: 'lobby' });
    await admin.request('room:ban', { room: 'lobby', user: mod.id });
    const eventsBefore = mod.events.length;
    const held = await hold(ann, 'lobby');
    await changed(admin, held, 'held');
    expect((await mod.request('held:list', {})).held.filter(({ room }) => room === 'lobby')).toEqual([]);
    expect(await codeOf(mod, 'held:approve', { id: held.id })).toBe('unknown_message');
    expect(mod.events.slice(eventsBefore).filter(({ name }) => name === 'held:changed')).toEqual([]);
    await admin.request('room:ban', { room: 'lobby', user: mod.id, seconds: 0 });
  });

  test('waits while the site bans the author', async () => {
    const { ann, mod } = await lobby();
    const held = await hold(ann, 'lobby');
    await site.api('PUT', `/users/${ann.id}/ban`, {});
    expect(await codeOf(mod, 'held:approve', { id: held.id })).toBe('forbidden');
    await site.api('DELETE', `/users/${ann.id}/ban`);
    expect((await mod.request('held:approve', { id: held.id })).message.text).toBe(held.text);
  });

  test('cannot approve an edit by a user who may no longer write in the room', async () => {
    const { ben, ann, room } = await den();
    const { seq } = await say(ann, room, 'hello');
    const edit = { room, seq, text: 'see https://a.example' };
    const answer = await ann.raw('message:edit', edit);
    const { id } = (answer.ok ? (answer.data as { held: Held }) : { held: { id: '' } }).held;
    await ben.request('room:update', { room, write: 'moderators' });
    expect(await codeOf(ben, 'held:approve', { id })).toBe('forbidden');
    await ben.request('room:update', { room, write: 'all' });
    await ann.request('room:remove', { room, user: ann.id });
    expect(await codeOf(ben, 'held:approve', { id })).toBe('forbidden');
    const { messages } = await ben.request('message:history', { room });
    expect(messages.map(({ text }) => text)).toEqual(['hello']);
  });
});

describe('the filter of names and topics', () => {
  const newRoom = (kind: 'public' | 'private', name: string, topic?: string) => ({
    kind,
    name,
    clientId: newClientId(),
    topic,
  });

  test('lets only site moderators use listed words and links in names and topics of rooms', async () => {
    const [ann, boss] = [await user(), await user({ roles: 'moderator' })];
    for (const words of ['Cheap wátches', 'see https://a.example'])
      for (const made of [newRoom('public', words), newRoom('private', 'Den', words)])
        expect([words, await codeOf(ann, 'room:create', made)]).toEqual([words, 'forbidden']);
    const { room } = await ann.request('room:create', newRoom('private', 'Den'));
    expect(await codeOf(ann, 'room:update', { room: room.id, topic: 'pallets' })).toBe('forbidden');
    expect(await codeOf(ann, 'room:update', { room: room.id, name: 'pallets' })).toBe('forbidden');
    expect(await codeOf(ann, 'room:update', { room: room.id, topic: 'Our plans' })).toBe('ok');
    await boss.request('room:create', newRoom('public', `Pallets ${newClientId()}`));
  });

  test('replaces a user name of the session that contains a listed word by the user ID', async () => {
    const ann = await user({ firstname: 'Cheap Watches' });
    expect(ann.ready.user).toEqual({ id: ann.id, name: ann.id });
    const changed = nextOf(ann, 'session:changed');
    await site.writeSession(ann, { firstname: 'Ann' });
    expect((await changed).user.name).toBe('Ann');
  });

  test('replaces a listed user name that the site registers by the user ID', async () => {
    const ann = await user({}, served);
    const { id: room } = await served.den(ann);
    const [registered, added] = ['registered with a word', 'added with a word'];
    await served.api('PUT', '/users', { users: [{ id: registered, name: 'Pállets' }] });
    await served.api('PATCH', `/rooms/${room}/members`, {
      add: [registered, { id: added, name: 'pallets' }],
    });
    const { members } = await ann.request('room:members', { room });
    const names = members.map(({ user: { id, name } }) => [id, name]);
    expect(names).toEqual(expect.arrayContaining([registered, added].map((id) => [id, id])));
  });

  test('replaces a user name of the session that contains a link by the user ID, but no mail address', async () => {
    // With the text around a mention, the last ones could become a link.
    const parts = ['//spam.example', '/spam.example', 'https:', 'https:/'];
    for (const name of ['https://spam.example', 'see www.spam.example', 'spam.example/win', ...parts]) {
      const { id, ready } = await user({ firstname: name });
      expect(ready.user).toEqual({ id, name: id });
    }
    for (const name of ['ann@example.org', 'Dr. A. Bär'])
      expect((await user({ firstname: name })).ready.user.name).toBe(name);
  });

  test.each([
    ['all', false],
    ['first', true],
  ] as const)('with CHAT_HOLD=%s, lets an approved user create public rooms: %s', async (mode, known) => {
    const on = await startPeopleHere({ CHAT_CREATE_ROOMS: 'all', CHAT_ROOMS: 'lobby', CHAT_HOLD: mode });
    try {
      const [ann, boss] = [await user({}, on), await user({ roles: 'moderator' }, on)];
      for (const client of [ann, boss]) await client.request('room:join', { room: 'lobby' });
      expect(await codeOf(ann, 'room:create', newRoom('public', 'Garden'))).toBe('forbidden');
      await ann.request('room:create', newRoom('private', 'Den'));
      const { id } = await hold(ann, 'lobby', 'hello');
      await boss.request('held:approve', { id });
      expect(await codeOf(ann, 'room:create', newRoom('public', 'Garden'))).toBe(known ? 'ok' : 'forbidden');
      await boss.request('room:create', newRoom('public', 'Market'));
    } finally {
      await on.close();
    }
  });
});

test('removes pending messages of an erased user from the moderators’ list', async () => {
  const { ann, mod } = await lobby();
  const held = await hold(ann, 'lobby');
  await site.api('DELETE', `/users/${ann.id}`);
  expect(await changed(mod, held, 'discarded')).toEqual({ id: held.id, room: 'lobby', is: 'discarded' });
  expect((await mod.request('held:list', {})).held).not.toContainEqual(
    expect.objectContaining({ id: held.id }),
  );
});

/** Returns the lines of all files in the user's export. */
async function fetchExport(id: string): Promise<string[]> {
  return Object.values(await exportOf(served, id)).flatMap((text) => text.split('\n'));
}
