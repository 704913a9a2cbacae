import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Question } from '../../../server/wire/events.ts';
import { type ChatClient, connectChat, newClientId, refusalOf } from '../../helpers/chat-client.ts';
import { emptyHistory } from '../../helpers/chat-server.ts';
import {
  closedAfterEach,
  codeOf,
  eventsOf,
  exportOf,
  nextOf,
  type Person,
  say,
  sharedSite,
  startPeopleSite,
} from '../../helpers/people.ts';
import { roomRequests } from '../../helpers/room-requests.ts';
import { metrics } from '../../helpers/server-figures.ts';

const site = sharedSite(() =>
  startPeopleSite({
    CHAT_TEAM: 'ida,joe,kim,role:moderator,role:shop_manager',
    CHAT_TEAM_TEXT: 'We answer from 9 to 5',
    CHAT_GUESTS: 'write',
    CHAT_ROOMS: 'lobby',
    CHAT_HOLD: 'all',
  }),
);
const open = closedAfterEach();
const person = async (session: object = {}, id?: string) => open(await site.person(session, id));
const newSecret = () => randomBytes(32).toString('base64url');
const guest = async (secret = newSecret(), name = 'Eve') =>
  open(await connectChat(site.chat.url, null, { auth: { guest: secret, name } }));
const ask = (client: ChatClient, text = 'Where is my order?', over: object = {}) =>
  client.request('question:ask', { text, clientId: newClientId(), ...over });
const team = () => Promise.all([person({}, 'ida'), person({}, 'joe')]);
const join = (client: ChatClient, room: string) => client.request('room:join', { room });
const openIt = async (client: ChatClient, question: string) => {
  const answer = await client.request('question:open', { question });
  await join(client, question);
  return answer;
};
const changesOf = (client: ChatClient, room: string): Question[] =>
  eventsOf(client, 'question:changed').flatMap(({ question }) => (question.room === room ? question : []));
const lastOf = (client: ChatClient, room: string) => changesOf(client, room).at(-1);
/** Everything that the client received, in events and answers. */
const receivedBy = ({ events, ready }: ChatClient) => JSON.stringify([ready, events]);

test('session:ready says who is in the team, and who may ask', async () => {
  const [ida, eve, ann, mod] = [
    await person({}, 'ida'),
    await guest(),
    await person(),
    await person({ roles: ['moderator'] }),
  ];
  expect([ida, eve, ann, mod].map(({ ready }) => [ready.roles, ready.can.ask])).toEqual([
    [['team'], undefined],
    [['guest'], true],
    [[], true],
    [['moderator', 'team'], undefined],
  ]);
});

test('a role of the site makes a user a member of the team, also while connected', async () => {
  const [lea, eve] = [await person({ roles: ['customer', 'shop_manager'] }), await guest()];
  expect(lea.ready).toMatchObject({ roles: ['team'] });
  const { room } = await ask(eve);
  await expect.poll(() => eventsOf(lea, 'room:added').map(({ id }) => id)).toContain(room.id);
  await site.writeSession(lea, { roles: ['customer'] });
  expect(await nextOf(lea, 'session:changed')).toMatchObject({ roles: [] });
  await expect.poll(() => eventsOf(lea, 'room:removed').map((gone) => gone.room)).toContain(room.id);
  expect(await codeOf(lea, 'question:open', { question: room.id })).toBe('forbidden');
  await site.writeSession(lea, { roles: 'shop_manager' });
  expect(await nextOf(lea, 'session:changed')).toMatchObject({ roles: ['team'] });
  expect((await openIt(lea, room.id)).room.id).toBe(room.id);
});

test('a visitor learns what to expect', async () => {
  const [ida] = await team();
  const about = await (await guest()).request('question:about', {});
  expect(about).toMatchObject({ text: 'We answer from 9 to 5' });
  expect(about.team).toContainEqual({ id: 'ida', name: ida.ready.user.name });
});

test('a visitor does not learn who is in the team, except those who open the question', async () => {
  const [ida, kim] = [await person({}, 'ida'), await person({}, 'kim')];
  const eve = await guest();
  const { room } = await ask(eve);
  await join(eve, room.id);
  const idsIn = async (client: ChatClient, over: object = {}) => {
    const { members } = await client.request('room:members', { room: room.id, ...over });
    return members.map(({ user }) => user.id).toSorted();
  };
  const own = eve.ready.user.id;
  expect(await idsIn(eve)).toEqual([own]);
  await openIt(ida, room.id);
  expect(await idsIn(ida)).toEqual(expect.arrayContaining(['ida', 'kim', own]));
  expect(await idsIn(eve)).toEqual([own, 'ida'].toSorted());
  expect([await idsIn(eve, { query: 'ida' }), await idsIn(eve, { query: 'kim' })]).toEqual([['ida'], []]);
  // The others leave the question.
  await say(ida, room.id, 'Hello');
  await expect
    .poll(() => eventsOf(eve, 'members:changed').flatMap(({ changed }) => changed.map(({ user }) => user.id)))
    .toEqual(['ida']);
  await expect.poll(() => eventsOf(kim, 'room:removed').map((gone) => gone.room)).toContain(room.id);
  await say(ida, room.id, 'Are you there?');
  await expect.poll(() => eve.messages().map(({ text }) => text)).toContain('Are you there?');
  expect(receivedBy(eve)).not.toContain('"kim"');
});

test('a visitor does not learn who of the team is online', async () => {
  const other = await startPeopleSite({ CHAT_TEAM: 'ida,joe', CHAT_GUESTS: 'write', CHAT_ROOMS: 'lobby' });
  onTestFinished(() => other.close());
  const ida = await other.person({}, 'ida');
  await ida.request('room:join', { room: 'lobby' });
  const joe = open(await other.person({}, 'joe'));
  await joe.request('room:join', { room: 'lobby' });
  ida.close();
  await expect
    .poll(() => eventsOf(joe, 'presence:changed').flatMap(({ left }) => left))
    .toContain(ida.ready.user.id);
  const eve = open(await connectChat(other.chat.url, null, { auth: { guest: newSecret(), name: 'Eve' } }));
  const faces = async () => (await eve.request('question:about', {})).team.map(({ id }) => id);
  await expect.poll(faces).toEqual(['ida', 'joe']);
});

test('the metrics have the number of questions, of answered ones, and the median time to an answer', async () => {
  const other = await startPeopleSite({ CHAT_TEAM: 'ida', CHAT_ROOMS: 'lobby' });
  onTestFinished(() => other.close());
  const ida = open(await other.person({}, 'ida'));
  for (let n = 0; n < 6; n++) {
    const { room } = await ask(open(await other.person()));
    if (n === 0) continue;
    await openIt(ida, room.id);
    await say(ida, room.id, 'Here');
  }
  const figures = await metrics(other.chat.url);
  expect(figures.get('chat_questions{is="asked"}')).toBe(6);
  expect(figures.get('chat_questions{is="answered"}')).toBe(5);
  expect(figures.get('chat_question_answer_seconds{quantile="0.5"}')).toEqual(expect.any(Number));
});

test('a page learns the same before the visitor is a guest', async () => {
  await team();
  const get = (headers: Record<string, string>) => fetch(`${site.chat.url}/team`, { headers });
  const answer = await get({ 'Sec-Fetch-Site': 'same-origin' });
  expect(await answer.json()).toEqual(await (await guest()).request('question:about', {}));
  expect((await get({ Origin: 'https://evil.example' })).status).toBe(403);
});

test('the team learns to whom it can hand a question over', async () => {
  const [ida, joe] = await team();
  const { room } = await ask(await guest());
  await expect
    .poll(async () => (await ida.request('question:open', { question: room.id })).team)
    .toEqual(expect.arrayContaining([ida.ready.user, joe.ready.user]));
});

test('for the team, the name of a question begins with that of its asker', async () => {
  const [ida, joe] = await team();
  const eve = await guest();
  const { room } = await ask(eve);
  const name = `${eve.ready.user.name}: Where is my order?`;
  expect((await openIt(ida, room.id)).room.name).toBe(name);
  await expect.poll(() => eventsOf(joe, 'room:added').find(({ id }) => id === room.id)?.name).toBe(name);
  await ask(eve, 'Hello?');
  const nameFor = (client: ChatClient) =>
    eventsOf(client, 'room:activity').find((news) => news.room === room.id)?.name;
  await expect.poll(() => [eve, joe].map(nameFor)).toEqual(['Where is my order?', name]);
});

test('a question of a guest reaches the team, which answers it', async () => {
  const [ida, joe] = await team();
  const eve = await guest();
  const about = { page: '/orders/7', title: 'Order 7', card: 'order:7' };
  const { room, message } = await ask(eve, 'Where is **it**?\nI wait.', { about });
  expect(room).toMatchObject({
    ...{ kind: 'private', name: 'Where is it?', role: 'member', may: ['send'], lastSeq: 1, readSeq: 1 },
    question: { state: 'open', asker: eve.ready.user, about },
  });
  expect(message).toMatchObject({ seq: 1, text: 'Where is **it**?\nI wait.', user: eve.ready.user });
  await expect.poll(() => eventsOf(joe, 'room:added').map(({ id }) => id)).toContain(room.id);
  expect((await joe.request('read:mark', { room: room.id, seq: 0 })).room).toMatchObject({
    ...{ role: 'moderator', unread: 1, may: ['send', 'moderate', 'pin', 'leave'] },
  });
  await join(eve, room.id);
  await join(ida, room.id);
  await say(ida, room.id, 'On its way');
  await expect.poll(() => eve.messages().map(({ text }) => text)).toEqual(['On its way']);
  await expect
    .poll(() => lastOf(joe, room.id))
    .toMatchObject({ by: ida.ready.user, answeredAt: expect.any(Number), last: { text: 'On its way' } });
  expect(lastOf(joe, room.id)).not.toHaveProperty('waitingSince');
  // The other member of the team did not write, so the question is no longer in that list of rooms.
  await expect.poll(() => eventsOf(joe, 'room:removed').map((gone) => gone.room)).toContain(room.id);
  await expect.poll(() => eventsOf(eve, 'room:changed').at(-1)?.question?.by).toEqual(ida.ready.user);
});

test('a second question continues the first, and a repeat changes nothing', async () => {
  const [ida] = await team();
  const ann = await person();
  const first = { text: 'First', clientId: newClientId() };
  const { room } = await ann.request('question:ask', first);
  const second = await ask(ann, 'Second');
  expect(second.room.id).toBe(room.id);
  expect(second.message.seq).toBe(2);
  await ida.request('question:close', { question: room.id });
  const repeat = await ann.request('question:ask', first);
  expect(repeat.message).toMatchObject({ seq: 1, text: 'First' });
  expect(repeat.room).toMatchObject({ lastSeq: 2, question: { state: 'closed' } });
  expect(await codeOf(ann, 'question:ask', { ...first, text: 'Other' })).toBe('conflict');
});

test('the same question over two connections at once creates one room', async () => {
  await team();
  const ann = await person();
  const again = open(await site.again(ann));
  const payload = { text: 'Twice', clientId: newClientId() };
  const [one, two] = await Promise.all([ann, again].map((client) => client.request('question:ask', payload)));
  const third = await Promise.all([ann, again].map((client) => ask(client)));
  const rooms = [one, two, ...third].map((answer) => answer?.room.id);
  expect(new Set(rooms).size).toBe(1);
  expect(one?.message.seq).toBe(two?.message.seq);
});

test('of two members of the team who take a question at once, one wins, and the other learns who', async () => {
  const [ida, joe] = await team();
  const { room } = await ask(await guest());
  const answers = await Promise.all([ida, joe].map((one) => one.raw('question:take', { question: room.id })));
  const [won, lost] = answers[0]?.ok ? [ida, answers[1]] : [joe, answers[0]];
  expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
  expect(lost).toMatchObject({
    ok: false,
    error: { code: 'conflict', question: { room: room.id, by: won.ready.user } },
  });
  // A repeat by the winner has no effect.
  expect(await codeOf(won, 'question:take', { question: room.id })).toBe('ok');
  const other = won === ida ? joe : ida;
  await expect.poll(() => eventsOf(other, 'room:removed').map((gone) => gone.room)).toContain(room.id);
  const { room: opened } = await openIt(other, room.id);
  expect(opened).toMatchObject({ notify: 'mentions', role: 'moderator' });
  await other.request('question:hand', { question: room.id, to: other.ready.user.id });
  await expect
    .poll(() => eventsOf(other, 'room:changed').findLast(({ id }) => id === room.id))
    .toMatchObject({ notify: 'all' });
});

test('the lists of questions, from the one that waits longest', async () => {
  const [ida, joe] = await team();
  const rooms: string[] = [];
  for (const text of ['a', 'b', 'c']) rooms.push((await ask(await guest(), text)).room.id);
  const [a = '', b = '', c = ''] = rooms;
  const list = async (which: 'mine' | 'unassigned' | 'all' | 'closed') => {
    const { questions } = await ida.request('question:list', { which, limit: 100 });
    return questions.map(({ room }) => room).filter((room) => rooms.includes(room));
  };
  await ida.request('question:take', { question: b });
  await ida.request('question:close', { question: c });
  expect(await list('all')).toEqual([a, b]);
  expect(await list('unassigned')).toEqual([a]);
  expect(await list('mine')).toEqual([b]);
  expect(await list('closed')).toEqual([c]);
  await join(joe, a);
  await say(joe, a, 'answer');
  expect(await list('all')).toEqual([b, a]);
  const pages: string[] = [];
  for (let cursor: string | undefined, more = true; more; ) {
    const page = await ida.request('question:list', { which: 'all', limit: 1, cursor });
    pages.push(...page.questions.map(({ room }) => room));
    cursor = page.next;
    more = cursor !== undefined;
  }
  const { questions, counts } = await ida.request('question:list', { which: 'all', limit: 100 });
  expect(pages).toEqual(questions.map(({ room }) => room));
  expect(counts.all).toBe(questions.length);
});

test('a message of the asker opens a closed question again, and one of the team does not', async () => {
  const [ida] = await team();
  const eve = await guest();
  const { room } = await ask(eve);
  await join(eve, room.id);
  await openIt(ida, room.id);
  await ida.request('question:close', { question: room.id });
  await expect.poll(() => eventsOf(eve, 'room:changed').at(-1)?.question?.state).toBe('closed');
  await say(ida, room.id, 'PS');
  expect(lastOf(ida, room.id)).toMatchObject({ state: 'closed' });
  await say(eve, room.id, 'One more thing');
  await expect
    .poll(() => lastOf(ida, room.id))
    .toMatchObject({
      ...{ state: 'open', waitingSince: expect.any(Number), by: ida.ready.user },
    });
  expect(lastOf(ida, room.id)).not.toHaveProperty('answeredAt');
});

test('handing over moves the question to another member of the team only', async () => {
  const [ida, joe] = await team();
  const ann = await person();
  const { room } = await ask(await guest());
  await ida.request('question:take', { question: room.id });
  expect(await codeOf(ida, 'question:hand', { question: room.id, to: ann.id })).toBe('unknown_user');
  const { question } = await ida.request('question:hand', { question: room.id, to: 'joe' });
  expect(question.by).toEqual(joe.ready.user);
  expect(await codeOf(joe, 'room:join', { room: room.id })).toBe('ok');
});

describe('a note', () => {
  test('reaches the team, and the asker gets nothing of it', async () => {
    const [ida, joe] = await team();
    const eve = await guest();
    const { room } = await ask(eve);
    await join(eve, room.id);
    await openIt(ida, room.id);
    await openIt(joe, room.id);
    await expect.poll(() => receivedBy(eve)).toContain('Name of joe');
    const heard = nextOf(joe, 'question:noted');
    const before = receivedBy(eve);
    const payload = { question: room.id, text: 'pays late', clientId: newClientId() };
    const { note } = await ida.request('question:note', payload);
    expect(note).toMatchObject({ after: 1, user: ida.ready.user, text: 'pays late' });
    expect(await heard).toEqual({ room: room.id, id: note.id, note });
    expect((await ida.request('question:note', payload)).note).toEqual(note);
    // The reads of the asker come after all events of the note.
    const page = await eve.request('message:history', { room: room.id });
    const again = await eve.request('room:join', { room: room.id });
    const found = await eve.request('message:search', { query: 'pays' });
    expect(receivedBy(eve)).toBe(before);
    expect(JSON.stringify([page, again, found])).not.toContain('pays late');
    expect(again.room).toMatchObject({ head: 1, lastSeq: 1, unread: 0 });
    const { message } = await ask(eve, 'Still there?');
    expect(message).toMatchObject({ seq: 2, rev: 2 });
    expect((await joe.request('question:open', { question: room.id })).notes).toEqual([note]);
    expect(await codeOf(joe, 'question:unnote', { question: room.id, id: note.id })).toBe('ok');
    expect((await joe.request('question:open', { question: room.id })).notes).toHaveLength(1);
    await ida.request('question:unnote', { question: room.id, id: note.id });
    expect((await joe.request('question:open', { question: room.id })).notes).toEqual([]);
  });

  test('is in the export of its author, not in that of the asker', async () => {
    const [ida] = await team();
    const ann = await person();
    const { room } = await ask(ann);
    await ida.request('question:note', { question: room.id, text: 'secret', clientId: newClientId() });
    expect(JSON.stringify(await exportOf(site, ann.id))).not.toContain('secret');
    expect(JSON.stringify(await exportOf(site, 'ida'))).toContain('secret');
  });
});

describe('for users who are not in the team', () => {
  const others: [who: string, come: () => Promise<ChatClient>][] = [
    ['a user', () => person()],
    ['an admin of the site', () => person({ roles: ['admin'] })],
    ['another guest', () => guest()],
  ];

  test.each(others)('a question does not exist, for %s', async (_, come) => {
    await team();
    const { room } = await ask(await guest());
    const eve = await come();
    const isGuest = eve.ready.roles.includes('guest');
    for (const [event, payload] of Object.entries(roomRequests)) {
      const codes = await Promise.all(
        [room.id, 'nowhere'].map((id) => codeOf(eve, event, { room: id, ...payload })),
      );
      expect(codes, event).toEqual(['unknown_room', 'unknown_room']);
    }
    for (const event of ['open', 'take', 'close']) {
      const codes = await Promise.all(
        [room.id, 'nowhere'].map((question) => codeOf(eve, `question:${event}`, { question })),
      );
      expect(codes, event).toEqual(['forbidden', 'forbidden']);
    }
    expect(await codeOf(eve, 'question:list', { which: 'all' })).toBe('forbidden');
    expect(await codeOf(eve, 'question:snippets', {})).toBe('forbidden');
    expect(receivedBy(eve)).not.toContain(room.id);
    expect(isGuest || (await codeOf(eve, 'question:hand', { question: room.id, to: 'ida' }))).toBe(
      isGuest || 'forbidden',
    );
  });

  test('the asker can do nothing in the room but write', async () => {
    const [ida] = await team();
    const ann = await person();
    const { room } = await ask(ann);
    await join(ann, room.id);
    const forbidden = {
      'room:invite': { users: ['joe'] },
      'room:update': { name: 'Mine' },
      'room:delete': {},
      'room:remove': { user: ida.id },
      'room:role': { user: ann.id, role: 'owner' },
      'room:mute': { user: ida.id },
      'room:ban': { user: ida.id },
      'invite:create': {},
      'message:pin': { seq: 1 },
    };
    for (const [event, payload] of Object.entries(forbidden))
      expect(await codeOf(ann, event, { room: room.id, ...payload }), event).toBe('forbidden');
    for (const event of ['open', 'take', 'close', 'note'])
      expect(
        await codeOf(ann, `question:${event}`, { question: room.id, text: 'x', clientId: newClientId() }),
        event,
      ).toBe('forbidden');
  });
});

describe('a member of the team', () => {
  test('loses the questions with the role, at once and while offline', async () => {
    await team();
    const kim = await person({}, 'kim');
    const mod = await person({ roles: ['moderator'] });
    const { room } = await ask(await guest());
    await mod.request('question:take', { question: room.id });
    const removed = nextOf(mod, 'room:removed');
    await site.writeSession(mod, { roles: [] });
    expect(await removed).toMatchObject({ room: room.id });
    expect(await codeOf(mod, 'room:join', { room: room.id })).toBe('unknown_room');
    expect(await codeOf(mod, 'question:open', { question: room.id })).toBe('forbidden');
    await expect.poll(() => lastOf(kim, room.id)).not.toHaveProperty('by');
    mod.close();
    const later = await ask(await guest());
    const again = await person({ roles: [] }, mod.id);
    expect(again.ready.rooms.map(({ id }) => id)).not.toContain(later.room.id);
    expect(receivedBy(again)).not.toContain(later.room.id);
  });

  test.each([
    ['loses the questions if the settings have only IDs', 'joe', ['joe']],
    [
      'keeps the questions, because the role is unknown until the next connection',
      'role:shop_manager',
      ['ida', 'joe'],
    ],
  ])('whom the settings no longer name %s', async (_, team, expected) => {
    const { url, files, remove } = await emptyHistory();
    onTestFinished(remove);
    const settings = { CHAT_HISTORY: url, CHAT_FILES: files, CHAT_GUESTS: 'write' };
    const before = await startPeopleSite({ ...settings, CHAT_TEAM: 'ida,joe' });
    for (const name of ['ida', 'joe']) (await before.person({}, name)).close();
    const secret = { auth: { guest: newSecret(), name: 'Eve' } };
    const eve = await connectChat(before.chat.url, null, secret);
    const { room } = await ask(eve);
    eve.close();
    await before.close();
    const after = await startPeopleSite({ ...settings, CHAT_TEAM: team });
    onTestFinished(() => after.close());
    const joe = open(await after.person({ roles: ['shop_manager'] }, 'joe'));
    const { team: members } = await openIt(joe, room.id);
    expect(members.map(({ id }) => id)).toEqual(expected);
    const inRoom = (await joe.request('room:members', { room: room.id })).members;
    expect(inRoom.map(({ user }) => user.id).toSorted()).toEqual([eve.ready.user.id, ...expected].toSorted());
  });

  test('leaves a team by a role after 90 days without a connection, but not after a downtime of 31 days', async () => {
    const { url, files, path, remove } = await emptyHistory();
    onTestFinished(remove);
    const settings = {
      CHAT_HISTORY: url,
      CHAT_FILES: files,
      CHAT_GUESTS: 'write',
      CHAT_TEAM: 'ida,role:sales',
    };
    const before = await startPeopleSite(settings);
    for (const name of ['ida', 'lea', 'tom', 'kim'])
      (await before.person({ roles: name === 'ida' ? [] : ['sales'] }, name)).close();
    const eve = await connectChat(before.chat.url, null, { auth: { guest: newSecret(), name: 'Eve' } });
    const { room } = await ask(eve);
    eve.close();
    await before.close();
    const db = new DatabaseSync(path);
    const day = 24 * 60 * 60_000;
    const setSeen = db.prepare('UPDATE chat_team SET seen_at = ?, since = ? WHERE user_id = ?');
    for (const [id, days] of [
      ['ida', 91],
      ['tom', 91],
      ['kim', 31],
    ] as const)
      setSeen.run(Date.now() - days * day, Date.now(), id);
    // By a server of an earlier version.
    setSeen.run(null, Date.now() - 91 * day, 'lea');
    db.close();
    const after = await startPeopleSite(settings);
    onTestFinished(() => after.close());
    const ida = open(await after.person({}, 'ida'));
    const { team: members } = await openIt(ida, room.id);
    expect(members.map(({ id }) => id).toSorted()).toEqual(['ida', 'kim']);
    const inRoom = (await ida.request('room:members', { room: room.id })).members;
    expect(inRoom.map(({ user }) => user.id).toSorted()).toEqual(
      [eve.ready.user.id, 'ida', 'kim'].toSorted(),
    );
  });

  test('who is banned from the site gets no questions', async () => {
    const lea = await person({ roles: ['moderator'] });
    await site.api('PUT', `/users/${lea.id}/ban`, {});
    const [ida] = await team();
    const { room } = await ask(await guest());
    await ida.request('question:close', { question: room.id });
    expect(receivedBy(lea)).not.toContain(room.id);
    const { data } = await refusalOf(site.again(lea));
    expect(data).toMatchObject({ code: 'forbidden' });
  });

  test('who is banned from the site loses the questions at once, and has them no more after the ban', async () => {
    const lea = await person({ roles: ['shop_manager'] });
    const [ida] = await team();
    const eve = await guest();
    const { room } = await ask(eve);
    await lea.request('question:take', { question: room.id });
    await expect.poll(() => eventsOf(ida, 'room:removed').map((gone) => gone.room)).toContain(room.id);
    expect((await ida.request('question:open', { question: room.id })).room.notify).toBe('mentions');
    await site.api('PUT', `/users/${lea.id}/ban`, {});
    await expect.poll(() => lastOf(ida, room.id)).not.toHaveProperty('by');
    await ask(eve, 'Still there?');
    await expect
      .poll(() => eventsOf(ida, 'room:changed').findLast(({ id }) => id === room.id))
      .toMatchObject({ notify: 'all' });
    const offered = (await ida.request('question:open', { question: room.id })).team.map(({ id }) => id);
    expect(offered).toContain('joe');
    expect(offered).not.toContain(lea.id);
    expect(await codeOf(ida, 'question:hand', { question: room.id, to: lea.id })).toBe('unknown_user');
    expect(await codeOf(ida, 'question:take', { question: room.id })).toBe('ok');
    await site.api('DELETE', `/users/${lea.id}/ban`);
    const again = open(await site.again(lea));
    expect(again.ready.rooms.map(({ id }) => id)).not.toContain(room.id);
    expect(await codeOf(ida, 'question:hand', { question: room.id, to: lea.id })).toBe('ok');
  });

  test('who is banned from the site is not among the faces', async () => {
    const {
      person: come,
      api,
      close,
      chat,
    } = await startPeopleSite({
      ...{ CHAT_TEAM: 'ida,joe', CHAT_GUESTS: 'write', CHAT_ROOMS: 'lobby' },
    });
    onTestFinished(close);
    for (const name of ['ida', 'joe']) open(await come({}, name));
    await api('PUT', '/users/ida/ban', {});
    const eve = open(await connectChat(chat.url, null, { auth: { guest: newSecret(), name: 'Eve' } }));
    expect((await eve.request('question:about', {})).team.map(({ id }) => id)).toEqual(['joe']);
  });

  test('who is banned from a question finds no such question', async () => {
    await team();
    const { room } = await ask(await guest());
    const lea = await person({ roles: ['moderator'] });
    await lea.request('question:open', { question: room.id });
    const ida = await person({ roles: ['admin'] }, 'ida');
    await ida.request('question:open', { question: room.id });
    expect(await codeOf(ida, 'room:ban', { room: room.id, user: lea.id })).toBe('ok');
    expect(await codeOf(lea, 'question:open', { question: room.id })).toBe('unknown_room');
    expect(await codeOf(lea, 'question:take', { question: room.id })).toBe('unknown_room');
    expect(await codeOf(lea, 'room:join', { room: room.id })).toBe('unknown_room');
    expect(await codeOf(ida, 'question:hand', { question: room.id, to: lea.id })).toBe('unknown_user');
    const listed = async (one: typeof lea) => {
      const { questions, counts } = await one.request('question:list', { which: 'all' });
      return [questions.some((one) => one.room === room.id), counts.all];
    };
    const [, all] = (await listed(ida)) as [boolean, number];
    expect([await listed(ida), await listed(lea)]).toEqual([
      [true, all],
      [false, all - 1],
    ]);
    const seen = () => eventsOf(lea, 'question:changed').length;
    const before = seen();
    await ida.request('question:take', { question: room.id });
    await expect.poll(() => eventsOf(ida, 'question:changed').at(-1)?.question.by?.id).toBe('ida');
    await lea.request('question:list', { which: 'all' });
    expect(seen()).toBe(before);
  });

  test('keeps snippets with the others', async () => {
    const [ida, joe] = await team();
    await ida.request('question:snippet', { name: 'thanks', text: 'Thank you, {name}' });
    expect((await joe.request('question:snippets', {})).snippets).toContainEqual({
      ...{ name: 'thanks', text: 'Thank you, {name}' },
    });
    const { snippets } = await joe.request('question:snippet', { name: 'thanks', text: '' });
    expect(snippets.map(({ name }) => name)).not.toContain('thanks');
  });
});

describe('a guest', () => {
  test('who is banned from the question cannot ask again', async () => {
    const [ida] = await team();
    const eve = await guest();
    const { room } = await ask(eve);
    await openIt(ida, room.id);
    await ida.request('room:ban', { room: room.id, user: eve.ready.user.id });
    expect(await codeOf(eve, 'question:ask', { text: 'x', clientId: newClientId() })).toBe('forbidden');
    expect(await codeOf(eve, 'room:join', { room: room.id })).toBe('unknown_room');
  });

  test('finds the question in the next connection', async () => {
    await team();
    const secret = newSecret();
    const eve = await guest(secret);
    const { room } = await ask(eve);
    eve.close();
    const { ready } = await guest(secret);
    expect(ready.rooms.map(({ id }) => id)).toEqual([room.id]);
  });

  test('takes the question along when logging in', async () => {
    const [ida] = await team();
    const secret = newSecret();
    const { room } = await ask(await guest(secret));
    const ann = await person();
    const claimed = await ann.request('question:claim', { guest: secret });
    expect(claimed.room).toMatchObject({ id: room.id, role: 'member', may: ['send'], readSeq: 1 });
    expect(claimed.room?.question?.asker).toEqual(ann.ready.user);
    await join(ann, room.id);
    expect(await codeOf(ann, 'message:send', { room: room.id, text: 'x', clientId: newClientId() })).toBe(
      'ok',
    );
    expect((await ann.request('question:claim', { guest: newSecret() })).room).toBeUndefined();
    expect((await ask(ann)).room.id).toBe(room.id);
    const other = newSecret();
    const tab = await guest(other);
    const later = await ask(tab);
    const ended = nextOf(tab, 'session:ended');
    expect((await ann.request('question:claim', { guest: other })).room?.id).toBe(later.room.id);
    // Another tab would ask as a guest whose secret the browser has forgotten.
    expect(await ended).toEqual({ reason: 'kicked' });
    expect((await ask(ann)).room.id).toBe(room.id);
    await join(ann, later.room.id);
    expect(
      await codeOf(ann, 'message:send', { room: later.room.id, text: 'y', clientId: newClientId() }),
    ).toBe('ok');
    expect(await codeOf(ida, 'question:claim', { guest: other })).toBe('forbidden');
  });
});

test('what a user wrote as a guest is exported and erased with the user', async () => {
  const [ida] = await team();
  const secret = newSecret();
  const eve = await guest(secret);
  const { room } = await ask(eve, 'Asked before the login');
  await openIt(ida, room.id);
  const ann: Person = await person();
  await ann.request('question:claim', { guest: secret });
  const files = await exportOf(site, ann.id);
  expect(files[`guests/${eve.ready.user.id}/messages.jsonl`]).toContain('Asked before the login');
  await site.api('DELETE', `/users/${ann.id}?messages=delete`);
  await expect
    .poll(async () => (await ida.request('question:open', { question: room.id })).question)
    .toMatchObject({ name: 'Question', state: 'closed', asker: { id: '0' } });
  expect((await join(ida, room.id)).messages[0]).toMatchObject({
    user: { id: '0' },
    deletedAt: expect.any(Number),
  });
});

test('erasing the asker leaves a closed question without words about the asker', async () => {
  const [ida] = await team();
  const ann: Person = await person();
  const { room } = await ask(ann, 'My name is Ann');
  await openIt(ida, room.id);
  await ida.request('question:note', { question: room.id, text: 'about Ann', clientId: newClientId() });
  await site.api('DELETE', `/users/${ann.id}?messages=delete`);
  await expect
    .poll(async () => (await ida.request('question:open', { question: room.id })).question)
    .toMatchObject({ name: 'Question', state: 'closed', asker: { id: '0' } });
  const { notes, room: summary } = await ida.request('question:open', { question: room.id });
  expect(notes).toEqual([]);
  expect(summary.may).toEqual(['leave']);
  expect(await codeOf(ida, 'message:send', { room: room.id, text: 'x', clientId: newClientId() })).toBe(
    'forbidden',
  );
});

test('without CHAT_TEAM, nobody can ask', async () => {
  const quiet = await startPeopleSite({ CHAT_GUESTS: 'write', CHAT_GUEST_ROOMS: 'lobby' });
  onTestFinished(() => quiet.close());
  const ann = open(await quiet.person());
  expect(ann.ready.can.ask).toBeUndefined();
  expect(await codeOf(ann, 'question:ask', { text: 'x', clientId: newClientId() })).toBe('forbidden');
  expect(await codeOf(ann, 'question:about', {})).toBe('forbidden');
});

test('the API says why it neither deletes a question nor changes its members, and what to do', async () => {
  const { room } = await ask(await guest());
  const wrong = (message: string) => ({ status: 400, body: { error: { code: 'bad_request', message } } });
  expect(await site.api('DELETE', `/rooms/${room.id}`)).toEqual(
    wrong('questions cannot be deleted: close the question, or erase its asker'),
  );
  expect(await site.api('PATCH', `/rooms/${room.id}/members`, { add: ['lea'] })).toEqual(
    wrong('the members of a question are its asker and the team: change who is in the team'),
  );
});
