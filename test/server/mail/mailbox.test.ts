import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { againInSoak } from '../../helpers/again-in-soak.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import { doctorSays } from '../../helpers/doctor-says.ts';
import { postgresDatabase } from '../../helpers/history-database.ts';
import { startImapServer, type TestImapServer } from '../../helpers/imap-server.ts';
import { answerable, bounceOf, bytesOf, mentionByMail } from '../../helpers/mail-answers.ts';
import { startMailServer, type TestMailServer } from '../../helpers/mail-server.ts';
import { apiKey, closedAfterEach, type PeopleSite, startPeopleSite } from '../../helpers/people.ts';
import { startPostgres } from '../../helpers/postgres.ts';
import { metrics } from '../../helpers/server-figures.ts';

let server: TestMailServer;
let imap: TestImapServer;
let site: PeopleSite;
const settings = (over: NodeJS.ProcessEnv = {}) => ({
  ...answerable,
  CHAT_MAIL: server.url,
  CHAT_MAIL_IN: imap.url,
  ...over,
});
beforeAll(async () => {
  server = await startMailServer();
  imap = await startImapServer();
  site = await startPeopleSite(settings());
});
afterAll(async () => {
  await site.close();
  await imap.stop();
  await server.stop();
});
const closed = closedAfterEach();
let sent = 0;

const mailsTo = (address: string) => server.mails.filter(({ to }) => to.includes(address));

/** Mentions a user, whose mail program then has a mail with a reply address. */
async function mailed(on = site) {
  const { mail, to, got, texts } = await mentionByMail(on, server, closed);
  const bytes = (text: string) =>
    bytesOf({ body: `\n${text}\n` }, to, { from: mail, id: `<${++sent}@mail.example>` });
  return { mail, head: got.head.split('\r\n'), bytes, texts };
}
const areSeen = () => expect.poll(() => imap.mails.every(({ seen }) => seen));

test('posts an answer that arrives in the mailbox, and marks it as read', async () => {
  const { bytes, texts } = await mailed();
  imap.deliver(bytes('by mail'));
  await areSeen().toBe(true);
  expect(await texts()).toEqual(['by mail']);
});

test('leaves mails unread that are not for the chat', async () => {
  const { bytes, texts } = await mailed();
  const other = bytesOf({ body: '\nhello\n' }, 'replies@garden.example');
  imap.deliver(other);
  imap.deliver(bytes('another'));
  await expect.poll(() => imap.mails.at(-1)?.seen).toBe(true);
  expect(imap.mails.filter(({ seen }) => !seen).map(({ bytes }) => bytes)).toEqual([other]);
  expect(await texts()).toEqual(['another']);
  for (const mail of imap.mails) mail.seen = true;
});

test('connects again after the connection broke, and posts a mail once that came twice', async () => {
  const { bytes, texts } = await mailed();
  const mail = bytes('once');
  const before = imap.logins;
  imap.drop();
  imap.deliver(mail);
  await areSeen().toBe(true);
  expect(imap.logins).toBeGreaterThan(before);
  imap.deliver(mail);
  await areSeen().toBe(true);
  const { status } = await fetch(`${site.chat.url}/mail`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}` },
    body: new Uint8Array(mail),
  });
  expect([status, await texts()]).toEqual([200, ['once']]);
});

againInSoak('answers a mail that is too large, of which it reads only the start', async () => {
  const { mail, bytes, texts } = await mailed();
  imap.deliver(Buffer.concat([bytes('large'), Buffer.alloc(16 * 1024 * 1024, 'x\r\n')]));
  await areSeen().toBe(true);
  expect(mailsTo(mail)[1]?.text).toContain('It is too large.');
  expect(await texts()).toEqual([]);
});

test('takes a bounce of its own mails, and leaves those of other programs unread', async () => {
  const { head, bytes, texts } = await mailed();
  const others = bounceOf(['From: shop@garden.example', 'To: ann@site.example', 'Subject: Your order']);
  imap.deliver(others);
  imap.deliver(bounceOf(head));
  imap.deliver(bytes('after them'));
  await expect.poll(() => imap.mails.at(-1)?.seen).toBe(true);
  expect(imap.mails.filter(({ seen }) => !seen).map(({ bytes }) => bytes)).toEqual([others]);
  const replies = await metrics(site.chat.url);
  expect(replies.get('chat_mail_replies_total{outcome="bounced"}')).toBe(1);
  expect(await texts()).toEqual(['after them']);
  for (const mail of imap.mails) mail.seen = true;
});

test('posts the answers of others while one cannot be rejected, because its sender’s mail server fails', async () => {
  const [first, second] = [await mailed(), await mailed()];
  server.refusals.set(first.mail, '421 4.3.2 shutting down');
  imap.deliver(first.bytes(''));
  imap.deliver(second.bytes('after it'));
  await expect.poll(() => imap.mails.at(-1)?.seen).toBe(true);
  expect(imap.mails.at(-2)?.seen).toBe(false);
  expect(await second.texts()).toEqual(['after it']);
  for (const mail of imap.mails) mail.seen = true;
});

againInSoak('one of several servers reads the mailbox, and another takes over when it ends', async () => {
  const postgres = await startPostgres();
  const history = await postgresDatabase(postgres);
  const own = await startImapServer();
  const shared = settings({ CHAT_HISTORY: history.url, CHAT_CLUSTER: 'postgres', CHAT_MAIL_IN: own.url });
  const both = await startPeopleSite({ ...shared, CHAT_NODE: 'b' });
  const a = await chatServerHere({
    ...shared,
    ...{ CHAT_API_KEY: apiKey, CHAT_NODE: 'a', CHAT_SESSION_STORE: both.memcached.url },
  });
  onTestFinished(async () => {
    await both.close();
    await own.stop();
    await history.close();
    await postgres.remove();
  });
  const { mail, bytes, texts } = await mailed(both);
  own.deliver(bytes(''));
  await expect.poll(() => own.mails[0]?.seen).toBe(true);
  own.deliver(bytes('by one'));
  await expect.poll(texts).toEqual(['by one']);
  expect(mailsTo(mail)).toHaveLength(2);
  await a.stop();
  own.deliver(bytes('by the other'));
  await expect.poll(async () => (await texts()).toSorted()).toEqual(['by one', 'by the other']);
});

test('logs a mailbox that cannot be opened, and the doctor reports it, without the user and the password', async () => {
  const env = settings({ CHAT_MAIL_IN: imap.url.replace('p%40ss', 'wrong') });
  const other = await startPeopleSite(env);
  onTestFinished(() => other.close());
  await other.chat.until(/"reason":"the server rejected the login".*could not read answers to mails/);
  expect(other.chat.output()).not.toMatch(/replies%40|replies@|wrong/);
  const said = await doctorSays({ ...env, CHAT_SESSION_STORE: 'file:///nowhere' });
  expect(said).toMatch(
    /✗ The mailbox with answers to mails at imap:\/\/127\.0\.0\.1:\d+ cannot be opened: the server rejected the login\.\s+→ Correct the user and the password/,
  );
  expect(said).not.toMatch(/wrong/);
});
