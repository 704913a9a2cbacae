import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../../helpers/chat-client.ts';
import { answerable, bounceOf, bytesOf, mailTo, passMail } from '../../helpers/mail-answers.ts';
import { startMailServer, type TestMailServer } from '../../helpers/mail-server.ts';
import {
  closedAfterEach,
  codeOf,
  eventsOf,
  type PeopleSite,
  say,
  startPeopleSite,
} from '../../helpers/people.ts';

let server: TestMailServer;
let site: PeopleSite;
beforeAll(async () => {
  server = await startMailServer();
  site = await startPeopleSite({
    CHAT_MAIL: server.url,
    ...answerable,
    // Guests left their address for the text of the answer.
    CHAT_MAIL_TEXT: 'off',
    CHAT_TEAM: 'ida,joe',
    CHAT_PREVIEWS: 'on',
    CHAT_GUESTS: 'write',
    CHAT_GUEST_ROOMS: 'lobby',
  });
});
afterAll(async () => {
  await site.close();
  await server.stop();
});
const open = closedAfterEach();

const replyTo = ({ headers }: TestMailServer['mails'][number]) => headers.get('reply-to')?.[0] ?? '';

const newSecret = () => randomBytes(32).toString('base64url');
const guest = async (secret = newSecret()) =>
  open(await connectChat(site.chat.url, null, { auth: { guest: secret, name: 'Eve' } }));
/** The state of the guest's address in the latest change that the team saw. */
const addressSeen = (client: ChatClient) => eventsOf(client, 'question:changed').at(-1)?.question.address;
const ask = async (client: ChatClient, text: string) =>
  (await client.request('question:ask', { text, clientId: newClientId() })).room.id;

test('an answer to a guest who left is mailed with its text, and can be answered by mail', async () => {
  const ida = open(await site.person({ account: { mail: 'ida@site.example' } }, 'ida'));
  const secret = newSecret();
  const eve = await guest(secret);
  const room = await ask(eve, 'Do you have tulips?');
  expect(await eve.request('question:address', { mail: 'eve@mail.example' })).toEqual({ address: 'given' });
  eve.close();
  await ida.request('question:open', { question: room });
  await ida.request('room:join', { room });
  await ida.request('question:note', { question: room, text: 'a secret note', clientId: newClientId() });
  await say(ida, room, 'Yes, red ones');
  const mail = await mailTo(server, 'eve@mail.example');
  expect(mail.text).toContain('Yes, red ones');
  expect(mail.text).toContain('because you asked a question');
  expect(mail.headers.get('subject')).toEqual(['Our garden answered your question']);
  expect(JSON.stringify(server.mails)).not.toContain('a secret note');
  await say(ida, room, 'And white ones');
  const there = await guest(secret);
  const answer = bytesOf({ body: '\nTen of them, please.\n' }, replyTo(mail), { from: 'eve@mail.example' });
  expect(await passMail(site.chat.url, answer)).toBe('posted');
  expect(await passMail(site.chat.url, answer)).toBe('repeated');
  await expect.poll(() => ida.messages().map(({ text }) => text)).toContain('Ten of them, please.');
  await expect
    .poll(() => eventsOf(ida, 'question:changed').at(-1)?.question)
    .toMatchObject({ address: 'verified', waitingSince: expect.any(Number) });
  // The own answer is not unread, as the message before it that the mail does not have.
  const unread = { unread: 1, readSeq: 2, deleted: [[4, 1]] };
  await expect.poll(() => eventsOf(there, 'room:changed').at(-1)).toMatchObject(unread);
  await say(ida, room, 'Done');
  const news = () => eventsOf(there, 'room:activity').find(({ lastSeq }) => lastSeq === 5);
  await expect.poll(() => news()?.deleted).toEqual([[4, 1]]);
  const again = await guest(secret);
  expect(again.ready.rooms.find(({ id }) => id === room)).toMatchObject({ ...unread, unread: 2 });
  expect(again.ready.totals).toMatchObject({ unread: 2 });
  const { room: read } = await again.request('read:mark', { room, seq: 5 });
  expect(read).toMatchObject({ unread: 0 });
  expect(read).not.toHaveProperty('deleted');
  // Neither the team nor anyone else gets the address.
  expect(JSON.stringify(ida.events)).not.toContain('eve@mail.example');
  const forged = bytesOf({ body: '\nnot me\n' }, replyTo(mail), {
    from: 'mallory@mail.example',
    id: '<x@y>',
  });
  expect(await passMail(site.chat.url, forged)).toBe('rejected');
});

test('an answer of a guest is posted without its files, which a mail names, and a bounce deletes the address', async () => {
  const ida = open(await site.person({ account: { mail: 'ida@site.example' } }, 'ida'));
  const eve = await guest();
  const room = await ask(eve, 'Do you mend pots?');
  await eve.request('question:address', { mail: 'pots@mail.example' });
  eve.close();
  await ida.request('question:open', { question: room });
  await ida.request('room:join', { room });
  await say(ida, room, 'Please send a picture');
  const mail = await mailTo(server, 'pots@mail.example');
  const file =
    'Content-Type: image/png; name="pot.png"\nContent-Disposition: attachment; filename="pot.png"\n\nx';
  const answer = bytesOf(
    {
      headers: ['Content-Type: multipart/mixed; boundary=x'],
      body: `\n--x\n\nThis one, see https://pots.example/one\n--x\n${file}\n--x--\n`,
    },
    replyTo(mail),
    { from: 'pots@mail.example' },
  );
  expect(await passMail(site.chat.url, answer)).toBe('posted');
  await expect.poll(() => ida.messages().at(-1)?.text).toBe('This one, see https://pots.example/one');
  // Guests cannot make the server fetch pages.
  expect(ida.messages().at(-1)).not.toHaveProperty('preview');
  expect((await mailTo(server, 'pots@mail.example', 2)).text).toContain('pot.png');
  await expect.poll(() => addressSeen(ida)).toBe('verified');
  expect(await passMail(site.chat.url, bounceOf(mail.head.split('\r\n')))).toBe('bounced');
  await expect.poll(() => addressSeen(ida)).toBeUndefined();
});

test('a guest who logged in answers the mail that came before', async () => {
  const ida = open(await site.person({ account: { mail: 'ida@site.example' } }, 'ida'));
  const secret = newSecret();
  const eve = await guest(secret);
  const room = await ask(eve, 'Do you have seeds?');
  await eve.request('question:address', { mail: 'seeds@mail.example' });
  eve.close();
  await ida.request('question:open', { question: room });
  await ida.request('room:join', { room });
  await say(ida, room, 'Many');
  const mail = await mailTo(server, 'seeds@mail.example');
  const user = open(await site.person({ account: { mail: 'seeds@mail.example' } }));
  await user.request('question:claim', { guest: secret });
  const answer = bytesOf({ body: '\nOf beans?\n' }, replyTo(mail), { from: 'seeds@mail.example' });
  expect(await passMail(site.chat.url, answer)).toBe('posted');
  await expect.poll(() => ida.messages().at(-1)).toMatchObject({ text: 'Of beans?', user: user.ready.user });
});

test('a guest who stops the mails has no address any more', async () => {
  const ida = open(await site.person({ account: { mail: 'ida@site.example' } }, 'ida'));
  const eve = await guest();
  const room = await ask(eve, 'Do you have figs?');
  await eve.request('question:address', { mail: 'figs@mail.example' });
  eve.close();
  await ida.request('question:open', { question: room });
  await ida.request('room:join', { room });
  await say(ida, room, 'In autumn');
  const [link = ''] = (await mailTo(server, 'figs@mail.example')).headers.get('list-unsubscribe') ?? [];
  const stop = link.slice(1, -1).replace(answerable.CHAT_URL, site.chat.url);
  await fetch(stop, { method: 'POST', body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }) });
  await expect.poll(() => addressSeen(ida)).toBeUndefined();
});

test('a member of the team answers the mail about a question', async () => {
  const joe = open(await site.person({ account: { mail: 'joe@site.example' } }, 'joe'));
  joe.close();
  const eve = await guest();
  const room = await ask(eve, 'Do you have roses?');
  await eve.request('room:join', { room });
  const mail = await mailTo(server, 'joe@site.example');
  // The name of a question is text of its asker, which mails to the team do not have here.
  expect(mail.text).toContain('Answer this email to write in Questions.');
  expect(JSON.stringify(mail)).not.toContain('roses');
  const answer = bytesOf({ body: '\nWhite roses.\n' }, replyTo(mail), { from: 'joe@site.example' });
  expect(await passMail(site.chat.url, answer)).toBe('posted');
  await expect.poll(() => eve.messages().map(({ text }) => text)).toEqual(['White roses.']);
  await expect.poll(() => eventsOf(eve, 'room:changed').at(-1)?.question?.by?.id).toBe('joe');
});

test('only guests with a question give an address, at most five in an hour', async () => {
  const eve = await guest();
  expect(await codeOf(eve, 'question:address', { mail: 'eve@mail.example' })).toBe('forbidden');
  await ask(eve, 'x');
  expect(await codeOf(eve, 'question:address', { mail: 'no address' })).toBe('bad_request');
  const ann = open(await site.person());
  await ask(ann, 'x');
  expect(await codeOf(ann, 'question:address', { mail: 'ann@mail.example' })).toBe('forbidden');
  const codes: string[] = [];
  for (const n of [1, 2, 3, 4, 5, 6])
    codes.push(await codeOf(eve, 'question:address', { mail: `eve${n}@mail.example` }));
  expect(codes).toContain('rate_limited');
});
