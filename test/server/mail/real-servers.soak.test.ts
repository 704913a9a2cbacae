import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectChat, newClientId } from '../../helpers/chat-client.ts';
import { emptyHistory } from '../../helpers/chat-server.ts';
import { answerable, answers, automatic, bytesOf } from '../../helpers/mail-answers.ts';
import {
  apiKey,
  codeOf,
  eventsOf,
  type PeopleSite,
  type Person,
  say,
  startPeopleSite,
} from '../../helpers/people.ts';
import { type RealMailSystem, startRealMailSystem } from '../../helpers/real-mail-system.ts';

/** Mails through Postfix and Dovecot of Debian: to a mailbox that the chat reads, and to the command of an alias. */

let mails: RealMailSystem;
beforeAll(async () => {
  mails = await startRealMailSystem('answers');
});
afterAll(() => mails.stop());

/** A user to whom a mail was sent that can be answered. */
interface Reader {
  site: PeopleSite;
  ann: Person;
  ben: Person;
  room: string;
  address: string;
  replyTo: string;
  history: string;
}

interface Case {
  of: string;
  /** Sends mails to the reply address. */
  send(reader: Reader): Promise<void>;
  /** The expected texts of messages and names of files. */
  posted?: { text: string; files: readonly string[] }[];
  /** A part of the expected mail to the user about the answer. */
  mailed?: string;
}

const asked = '@B shall we take it?';
const reasons = {
  empty: 'It had no text of your own.',
  sender: 'It came from a different address than this one.',
  expired: 'The email that you answered is too old.',
  room: 'You can’t write in this room any more.',
  muted: 'You can’t write in this room at the moment.',
  long: 'It is too long for a message.',
};

const deliver = (
  { address, replyTo }: Pick<Reader, 'address' | 'replyTo'>,
  mail: Parameters<typeof bytesOf>[0],
  {
    from = address,
    sender = from,
    id = `<${randomBytes(9).toString('hex')}@mail.example>`,
  }: { from?: string; sender?: string; id?: string } = {},
) => mails.send(bytesOf(mail, replyTo, { from: `Ben <${from}>`, id }), replyTo, sender);
const hello = { body: '\nhello\n' };
const posted = [{ text: 'hello', files: [] }];

/** The chat accepts only PDF files. */
const isAccepted = (file: string) => file.endsWith('.pdf');

const cases: readonly Case[] = [
  ...answers
    // An IMAP server replaces NUL.
    .filter(({ body }) => !body.includes('\0'))
    .map(({ of, text, files = [], lost = [], ...mail }) => ({
      of,
      send(reader: Reader) {
        const own = reader.replyTo.replace(/\+.*/, '+');
        const body = typeof mail.body === 'string' ? mail.body.replaceAll('replies+', own) : mail.body;
        return deliver(reader, { ...mail, body });
      },
      ...(text === '' ? { mailed: reasons.empty } : { posted: [{ text, files: files.filter(isAccepted) }] }),
      ...(files.every(isAccepted) && lost.length === 0
        ? {}
        : { mailed: 'The chat doesn’t accept these files' }),
    })),
  ...automatic.map(({ of, headers = [] }) => ({
    of,
    send: (reader: Reader) => {
      const isReport = headers.some((one) => one.startsWith('Content-Type'));
      // The mail server writes the header with the sender of the envelope.
      const sender = headers.includes('Return-Path: <>') ? '' : reader.address;
      return deliver(reader, { headers, body: isReport ? '\n--x--\n' : hello.body }, { sender });
    },
  })),
  {
    of: 'a stranger with the token',
    send: (reader) => deliver(reader, hello, { from: 'eve@evil.example' }),
    mailed: reasons.sender,
  },
  {
    of: 'another user with the token',
    send: async (reader) => {
      await reader.site.person({ account: { mail: 'another@site.example' } });
      await deliver(reader, hello, { from: 'another@site.example' });
    },
    mailed: reasons.sender,
  },
  {
    of: 'a user with an expired token',
    async send(reader) {
      const database = new DatabaseSync(reader.history);
      database.exec('PRAGMA busy_timeout = 30000');
      database.prepare('UPDATE chat_mail_replies SET at = 1 WHERE user_id = ?').run(reader.ben.id);
      database.close();
      await deliver(reader, hello);
    },
    mailed: reasons.expired,
  },
  {
    of: 'a user with the token of a room that the user has left',
    async send(reader) {
      await reader.ben.request('room:remove', { room: reader.room, user: reader.ben.id });
      await deliver(reader, hello);
    },
    mailed: reasons.room,
  },
  {
    of: 'a muted user',
    async send(reader) {
      await reader.ann.request('room:mute', { room: reader.room, user: reader.ben.id });
      await deliver(reader, hello);
    },
    mailed: reasons.muted,
  },
  {
    of: 'a user who is banned from the room',
    async send(reader) {
      await reader.ann.request('room:ban', { room: reader.room, user: reader.ben.id });
      await deliver(reader, hello);
    },
    mailed: reasons.room,
  },
  {
    of: 'a user who writes too much',
    send: (reader) => deliver(reader, { body: `\n${'long text\n'.repeat(20_000)}` }),
    mailed: reasons.long,
  },
  {
    of: 'a user with an unknown token',
    send: ({ address, replyTo }) =>
      deliver({ address, replyTo: replyTo.replace(/\+.{26}/, `+${'a'.repeat(26)}`) }, hello),
  },
  {
    of: 'a mail program that sends a mail twice',
    async send(reader) {
      for (const id of ['<twice@mail.example>', '<twice@mail.example>']) await deliver(reader, hello, { id });
    },
    posted,
  },
  {
    of: 'a bounce of Postfix itself',
    async send(reader) {
      await mails.send(bytesOf(hello, 'gone@nowhere.example', {}), 'gone@nowhere.example', reader.replyTo);
    },
  },
];

const ways = [
  { way: 'a mailbox of Dovecot', local: 'replies' },
  { way: 'an alias of Postfix', local: 'answers' },
];

describe.each(ways)('through $way', ({ way, local }) => {
  const readers = new Map<Case, Reader>();
  let site: PeopleSite | undefined;
  const replies = `${local}@garden.example`;

  beforeAll(async () => {
    const history = await emptyHistory();
    const settings = { ...answerable, CHAT_MAIL: mails.smtp, CHAT_MAIL_REPLIES: replies };
    const mailbox = way.startsWith('a mailbox') ? { CHAT_MAIL_IN: mails.imap(replies) } : {};
    const started = await startPeopleSite({
      ...settings,
      ...mailbox,
      CHAT_HISTORY: history.url,
      CHAT_FILES: history.files,
      CHAT_FILE_TYPES: 'application/pdf',
    });
    site = started;
    const command = { CHAT_SESSION_STORE: 'file:///nowhere', CHAT_API_KEY: apiKey };
    mails.pipeTo({ ...settings, ...command, CHAT_PORT: String(started.chat.port) });
    const prepare = async (one: Case, n: number) => {
      const address = `${local}-ben${n}@site.example`;
      const [ann, ben] = [await started.person(), await started.person({ account: { mail: address } })];
      const { id: room } = await started.den(ann, [ben], { name: 'spring market' });
      for (const client of [ann, ben]) await client.request('room:join', { room });
      await say(ann, room, asked, { mentions: [{ user: ben.id, start: 0, length: 2 }] });
      const [mail] = await mails.until(address, 1);
      const replyTo = mail?.replyTo?.[0]?.address ?? '';
      const reader = { site: started, ann, ben, room, address, replyTo, history: history.path };
      readers.set(one, reader);
      await one.send(reader);
    };
    await Promise.all(cases.map(prepare));
    await mails.settled(replies);
  }, 600_000);
  afterAll(async () => {
    for (const { ann, ben } of readers.values()) for (const client of [ann, ben]) client.close();
    await site?.close();
  });

  test.each(cases)('an answer of $of', async (one) => {
    const { ann, room, address, replyTo } = readers.get(one) as Reader;
    expect(replyTo).toMatch(new RegExp(`^${local}\\+[a-z2-7]{26}@garden\\.example$`));
    const { messages } = await ann.request('message:history', { room, limit: 10 });
    const others = messages.filter(({ text }) => text !== asked);
    expect(others.map(({ text, files = [] }) => ({ text, files: files.map(({ name }) => name) }))).toEqual(
      one.posted ?? [],
    );
    const [, ...more] = await mails.mailsTo(address);
    const about = one.mailed === undefined ? [] : [expect.stringContaining(one.mailed)];
    expect(more.map(({ text }) => text)).toEqual(about);
    // Programs do not answer it.
    for (const { headers } of more)
      expect(headers).toContainEqual(expect.objectContaining({ key: 'auto-submitted' }));
  });

  test('strangers get no mail', async () => {
    expect(await mails.mailsTo('eve@evil.example')).toEqual([]);
    expect(await mails.mailsTo('another@site.example')).toEqual([]);
  });

  test('a mail about an answer that comes back to the chat is not answered', async () => {
    const one = cases.find(({ mailed }) => mailed === reasons.empty) as Case;
    const { address, replyTo } = readers.get(one) as Reader;
    const before = (await mails.mailsTo(address)).length;
    // The user's mail server answers it automatically, or forwards all mails to the reply address.
    await deliver({ address, replyTo }, { ...hello, headers: ['Auto-Submitted: auto-replied'] });
    await deliver({ address, replyTo }, { body: '\n\n' }, { from: 'chat@garden.example' });
    await mails.settled(replies);
    expect(await mails.mailsTo(address)).toHaveLength(before);
  });
});

test('a question, from the night until it is opened again by mail', async () => {
  const replies = 'questions@garden.example';
  const site = await startPeopleSite({
    ...answerable,
    CHAT_MAIL: mails.smtp,
    CHAT_MAIL_REPLIES: replies,
    CHAT_MAIL_IN: mails.imap(replies),
    CHAT_TEAM: 'ida,joe,kim',
    CHAT_GUESTS: 'write',
    CHAT_ROOMS: 'lobby',
  });
  const mailOf = (name: string) => `${name}@site.example`;
  const come = (name: string) => site.person({ account: { mail: mailOf(name) } }, name);
  const nthMail = async (address: string, n: number) => {
    const mail = (await mails.until(address, n))[n - 1];
    return { text: mail?.text ?? '', replyTo: mail?.replyTo?.[0]?.address ?? '' };
  };

  // The team has opened the chat before, and is offline in the night.
  for (const name of ['ida', 'joe', 'kim']) (await come(name)).close();
  const guest = randomBytes(32).toString('base64url');
  const eve = await connectChat(site.chat.url, null, { auth: { guest, name: 'Eve' } });
  const { room } = await eve.request('question:ask', {
    text: 'Do you have tulips?',
    clientId: newClientId(),
  });
  const question = room.id;
  await eve.request('question:address', { mail: 'eve@mail.example' });
  eve.close();
  for (const name of ['ida', 'joe', 'kim'])
    expect((await nthMail(mailOf(name), 1)).text).toContain('Do you have tulips?');

  // In the morning, two take it at once.
  const [ida, joe] = [await come('ida'), await come('joe')];
  const team = [ida, joe];
  for (const one of team) await one.request('question:open', { question });
  const taken = await Promise.all(team.map((one) => one.raw('question:take', { question })));
  expect(taken.map(({ ok }) => ok).toSorted()).toEqual([false, true]);
  const winner = team[taken.findIndex(({ ok }) => ok)] as Person;
  const loser = team.find((one) => one !== winner) as Person;
  expect(await codeOf(loser, 'question:take', { question })).toBe('conflict');

  // The third is banned.
  const kimsMail = await nthMail(mailOf('kim'), 1);
  expect((await site.api('PUT', '/users/kim/ban', {})).status).toBe(200);
  await deliver({ address: mailOf('kim'), replyTo: kimsMail.replyTo }, { body: '\nfrom Kim\n' });
  expect((await nthMail(mailOf('kim'), 2)).text).toContain('You can’t write in this room');

  // The answer is mailed, and the note is not.
  await winner.request('room:join', { room: question });
  const note = 'a note that never leaves';
  await winner.request('question:note', { question, text: note, clientId: newClientId() });
  await say(winner, question, 'Yes, red ones.');
  const answer = await nthMail('eve@mail.example', 1);
  expect(answer.text).toContain('Yes, red ones.');

  // The guest answers from a mail program.
  const reader = { address: 'eve@mail.example', replyTo: answer.replyTo };
  const quote =
    '\n\nSent from my iPhone\n\n> On 30 Nov 2026, Our garden <chat@garden.example> wrote:\n> \n> Yes\n';
  await deliver(reader, { body: `\nTen of them, please.${quote}` });
  await expect.poll(() => winner.messages().map(({ text }) => text)).toContain('Ten of them, please.');

  // A mail after the end opens it again.
  const last = () => eventsOf(winner, 'question:changed').at(-1)?.question;
  await winner.request('question:close', { question });
  await expect.poll(last).toMatchObject({ state: 'closed' });
  await deliver(reader, { body: `\nAnd some bulbs?${quote}` });
  await expect.poll(() => winner.messages().map(({ text }) => text)).toContain('And some bulbs?');
  await expect.poll(last).toMatchObject({ state: 'open' });

  await mails.settled(replies);
  const all = await mails.allMails();
  expect(all.length).toBeGreaterThan(5);
  expect(JSON.stringify(all)).not.toContain(note);
  expect(winner.messages().map(({ text }) => text)).not.toContain('from Kim');
  for (const one of team) one.close();
  await site.close();
});
