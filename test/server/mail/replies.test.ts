import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { MailReplies } from '../../../server/mail/replies/replies.ts';
import type { ReplyTokens } from '../../../server/mail/replies/tokens.ts';
import { startChild } from '../../helpers/child.ts';
import {
  answerable,
  answers,
  automatic,
  bounceOf,
  bytesOf,
  mailTo,
  mentionByMail,
  passMail,
} from '../../helpers/mail-answers.ts';
import { startMailServer, type TestMailServer } from '../../helpers/mail-server.ts';
import {
  apiKey,
  closedAfterEach,
  nextOf,
  type PeopleSite,
  type Person,
  say,
  startPeopleSite,
} from '../../helpers/people.ts';

let server: TestMailServer;
beforeAll(async () => {
  server = await startMailServer();
});
afterAll(() => server.stop());
const closed = closedAfterEach();
let users = 0;

/** Writes files with the settings of the command `receive-mail`. */
function settingsFile() {
  const folder = mkdtempSync(join(tmpdir(), 'replies-'));
  return {
    write(over: NodeJS.ProcessEnv): string {
      const all = { CHAT_SESSION_STORE: 'file:///nowhere', CHAT_API_KEY: apiKey, ...answerable, ...over };
      const file = join(folder, String(++users));
      writeFileSync(
        file,
        Object.entries(all)
          .map(([name, value]) => `${name}='${value}'\n`)
          .join(''),
      );
      return file;
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** Runs the command as a mail server does, with a mail on standard input. */
async function receiveMail(mail: Buffer, settings: string, ...args: string[]) {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const command = ['server/command/main.ts', 'receive-mail', '--settings', settings, ...args];
  const child = startChild(process.execPath, command, {
    cwd: root,
    env: { PATH: process.env.PATH },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // The command may end before it has read everything.
  child.process.stdin?.on('error', () => {}).end(mail);
  const code = await new Promise<number>((resolve) => child.process.on('close', resolve));
  return { code, said: child.output() };
}

const replyTo = ({ headers }: TestMailServer['mails'][number]) => headers.get('reply-to') ?? [];

describe('a mail about unread messages', () => {
  let site: PeopleSite;
  beforeAll(async () => {
    site = await startPeopleSite({ ...answerable, CHAT_MAIL: server.url });
  });
  afterAll(() => site.close());

  /** Creates a room in which two users have written, with the settings of the room. */
  async function den(ann: Person, ben: Person, over: object = {}) {
    const { id } = await site.den(ann, [ben], { name: 'spring market', ...over });
    for (const one of [ann, ben]) await one.request('room:join', { room: id });
    return id;
  }
  const mention = (ben: Person) => ({ mentions: [{ user: ben.id, start: 0, length: 2 }] });
  const pair = async (mail: string) =>
    [closed(await site.person()), closed(await site.person({ account: { mail } }))] as const;

  test('has a reply address with a token, and says so, if it is about one room', async () => {
    const [ann, ben] = await pair('one@site.example');
    await say(ann, await den(ann, ben), '@B shall we take it?', mention(ben));
    const mail = await mailTo(server, 'one@site.example');
    expect(replyTo(mail)).toEqual([expect.stringMatching(/^replies\+[a-z2-7]{26}@garden\.example$/)]);
    expect(mail.text).toContain('-- \nAnswer this email to write in spring market.\n');
    expect(mail.html).toContain('Answer this email to write in spring market.<br>');
  });

  test('has none if it is about two rooms', async () => {
    const [ann, ben] = await pair('two@site.example');
    const rooms = [await den(ann, ben), await den(ann, ben, { name: 'winter market' })];
    await ben.request('notify:set', { quiet: { from: '08:00', to: '16:00' } });
    for (const room of rooms) await say(ann, room, '@B', mention(ben));
    await ben.request('notify:set', { quiet: null });
    const mail = await mailTo(server, 'two@site.example');
    expect(mail.text).toContain('winter market');
    expect([replyTo(mail), mail.text.includes('Answer this email')]).toEqual([[], false]);
  });

  test('has none if the reader wants to see neither texts nor names', async () => {
    const [ann, ben] = await pair('nothing@site.example');
    await ben.request('notify:set', { text: 'nothing' });
    await say(ann, await den(ann, ben), '@B', mention(ben));
    expect(replyTo(await mailTo(server, 'nothing@site.example'))).toEqual([]);
  });

  test('has none if the reader may not write in the room, or has not accepted it', async () => {
    const [ann, ben] = await pair('quiet@site.example');
    const room = await den(ann, ben);
    await ann.request('room:update', { room, write: 'moderators' });
    await say(ann, room, '@B', mention(ben));
    expect(replyTo(await mailTo(server, 'quiet@site.example'))).toEqual([]);
    const [eve, cat] = await pair('stranger@site.example');
    const { id } = (await eve.request('direct:open', { user: cat.id })).room;
    await eve.request('room:join', { room: id });
    await say(eve, id, 'hello');
    expect(replyTo(await mailTo(server, 'stranger@site.example'))).toEqual([]);
  });
});

describe('an answer by mail', () => {
  const key = settingsFile();
  let site: PeopleSite;
  beforeAll(async () => {
    site = await startPeopleSite({
      ...answerable,
      CHAT_MAIL: server.url,
      CHAT_FILE_TYPES: 'image/*,application/pdf',
    });
  });
  afterAll(async () => {
    await site.close();
    key.remove();
  });
  const receive = (mail: Buffer, ...args: string[]) =>
    receiveMail(mail, key.write({ CHAT_PORT: String(site.chat.port), CHAT_MAIL: server.url }), ...args);

  /** Mentions a user, whose mail program then has a mail with a reply address. */
  async function mailed(over: Parameters<typeof mentionByMail>[3] = {}) {
    const { ann, ben, room, mail, to, got } = await mentionByMail(site, server, closed, over);
    /** Passes an answer on to the server, as the command does. */
    const answer = (
      body: string,
      { from = mail, headers = [] as string[], id = `<${++users}@mail.example>` } = {},
    ) => post(bytesOf({ body, headers }, to, { from, id }));
    const texts = async () => {
      const { messages } = await ann.request('message:history', { room, limit: 10 });
      return messages.map(({ user, text }) => `${user.id === ben.id ? 'ben' : 'ann'}: ${text}`);
    };
    return { ann, ben, room, mail, to, head: got.head, answer, texts };
  }
  const post = (mail: Buffer) => passMail(site.chat.url, mail);
  const asked = '@B shall we take it?';

  test('becomes a message once, and the answered messages count as read', async () => {
    const { ben, room, mail, to, texts } = await mailed();
    const bytes = bytesOf({ body: '\nYes, at ten.\n\nOn 30 Nov 2026 10:00, Our garden wrote:\n> @B\n' }, to, {
      from: `Ben <${mail.toUpperCase()}>`,
    });
    expect(await receive(bytes)).toEqual({ code: 0, said: '' });
    expect(await receive(bytes)).toEqual({ code: 0, said: '' });
    expect(await texts()).toEqual([`ann: ${asked}`, 'ben: Yes, at ten.']);
    const { rooms } = await (await site.again(ben)).ready;
    expect(rooms.find(({ id }) => id === room)).toMatchObject({ unread: 0 });
  });

  test('in a direct room reaches the other user', async () => {
    const mail = `ben${++users}@site.example`;
    const [ann, ben] = [closed(await site.person()), closed(await site.person({ account: { mail } }))];
    await ben.request('notify:set', { quiet: { from: '08:00', to: '16:00' } });
    const { id: room } = (await ann.request('direct:open', { user: ben.id })).room;
    await ann.request('room:join', { room });
    await say(ann, room, 'hello');
    // Ben accepts the room.
    await ben.request('room:join', { room });
    await ben.request('notify:set', { quiet: null });
    const [to = ''] = replyTo(await mailTo(server, mail));
    const came = nextOf(ann, 'message:new');
    expect(await post(bytesOf({ body: '\nby mail\n' }, to, { from: mail }))).toBe('posted');
    expect(await came).toMatchObject({ text: 'by mail', user: { id: ben.id } });
  });

  test('is posted with its files, and its sender learns which were left out', async () => {
    const { ann, room, mail, answer } = await mailed();
    const file = (name: string, type: string, text: string) =>
      `--x\nContent-Type: ${type}; name="${name}"\nContent-Disposition: attachment; filename="${name}"\n\n${text}\n`;
    const body = `\n--x\n\nThe plan\n${file('plan.pdf', 'application/pdf', '%PDF-1.4\n%%EOF')}${file('setup.exe', 'application/octet-stream', 'MZ')}--x--\n`;
    expect(await answer(body, { headers: ['Content-Type: multipart/mixed; boundary=x'] })).toBe('posted');
    const { messages } = await ann.request('message:history', { room, limit: 1 });
    expect(messages).toMatchObject([{ text: 'The plan', files: [{ name: 'plan.pdf' }] }]);
    expect(messages[0]?.files).toHaveLength(1);
    const { subject, text } = await mailTo(server, mail, 2);
    expect(subject).toBe('Your email was posted, but not all of its files');
    expect(text).toContain('setup. exe');
  });

  test.each<[string, string, (scene: Awaited<ReturnType<typeof mailed>>) => Promise<unknown>, RegExp]>([
    ['without own text', '\n> quoted\n', async () => {}, /no text of your own/],
    ['that is too long', `\n${'x '.repeat(6000)}\n`, async () => {}, /too long/],
    [
      'to a room that its sender lost',
      '\nhello\n',
      ({ ann, ben, room }) => ann.request('room:remove', { room, user: ben.id }),
      /can’t write in this room any more/,
    ],
    [
      'of a muted user',
      '\nhello\n',
      ({ ann, ben, room }) => ann.request('room:mute', { room, user: ben.id }),
      /can’t write in this room at the moment/,
    ],
    [
      'of a user who is banned from the site',
      '\nhello\n',
      ({ ben }) => site.api('PUT', `/users/${ben.id}/ban`, {}),
      /can’t write in this room any more/,
    ],
  ])('%s is not posted, and its sender learns why', async (_, body, prepare, reason) => {
    const scene = await mailed();
    await prepare(scene);
    const id = `<${++users}@mail.example>`;
    expect(await scene.answer(body, { id })).toBe('rejected');
    expect(await scene.texts()).toEqual([`ann: ${asked}`]);
    const { subject, text, headers } = await mailTo(server, scene.mail, 2);
    expect([subject, text]).toEqual(['Your email was not posted', expect.stringMatching(reason)]);
    expect(headers.get('auto-submitted')).toEqual(['auto-replied']);
    expect(headers.get('in-reply-to')).toEqual([id]);
    expect(headers.get('reply-to')).toBeUndefined();
    // The mail server delivers an answer again if it did not get the response.
    expect(await scene.answer(body, { id })).toBe('repeated');
    expect(server.mails.filter(({ to }) => to.includes(scene.mail))).toHaveLength(2);
  });

  test('with a forged sender is not posted, and only the reader of the answered mail learns of it', async () => {
    const { mail, answer, texts } = await mailed();
    expect(await answer('\nhello\n', { from: 'mallory@evil.example' })).toBe('rejected');
    expect(await answer('\nhello\n', { from: `mallory@evil.example, ${mail}` })).toBe('rejected');
    expect((await mailTo(server, mail, 3)).text).toContain('different address');
    expect(server.attempts.filter((to) => to.includes('evil'))).toEqual([]);
    expect(await texts()).toEqual([`ann: ${asked}`]);
  });

  test('with the token of another user is not posted', async () => {
    const [first, second] = [await mailed(), await mailed()];
    expect(await first.answer('\nhello\n', { from: second.mail })).toBe('rejected');
    expect(await first.texts()).toEqual([`ann: ${asked}`]);
    expect(server.mails.filter(({ to }) => to.includes(second.mail))).toHaveLength(1);
  });

  test('of a program, or with an unknown token, is not answered', async () => {
    const { mail, answer, texts } = await mailed();
    for (const { headers = [] } of automatic) {
      const body = headers.some((one) => one.startsWith('Content-Type')) ? '\n--x--\n' : '\nhello\n';
      expect(await answer(body, { headers: [...headers] })).toBe('automatic');
    }
    expect(await post(bytesOf({ body: '\nhi\n' }, `replies+${'a'.repeat(26)}@garden.example`))).toBe(
      'unknown',
    );
    expect(await post(bytesOf({ body: '\nhi\n' }, 'replies@garden.example'))).toBe('unknown');
    expect(await post(Buffer.from('not a mail'))).toBe('unknown');
    expect(await texts()).toEqual([`ann: ${asked}`]);
    expect(server.mails.filter(({ to }) => to.includes(mail))).toHaveLength(1);
  });

  test('may come from the mailbox of an address with a tag', async () => {
    const name = `kim${++users}`;
    const { answer, texts } = await mailed({ mail: `${name}+chat@site.example` });
    expect(await answer('\nhello\n', { from: `${name}@site.example` })).toBe('posted');
    expect(await answer('\nhello\n', { from: `${name}+other@site.example` })).toBe('rejected');
    expect(await answer('\nhello\n', { from: `${name}+chat@site.example` })).toBe('posted');
    const untagged = await mailed();
    const from = untagged.mail.replace('@', '+chat@');
    expect(await untagged.answer('\nhello\n', { from })).toBe('rejected');
    expect(await texts()).toEqual([`ann: ${asked}`, 'ben: hello', 'ben: hello']);
  });

  test('cannot add recipients or headers to the mail about it', async () => {
    const { mail, answer } = await mailed();
    const id = '<a@b.example>\r\nBcc: victim@evil.example';
    expect(
      await answer('\n\n', { id, headers: ['Subject: =?utf-8?q?a=0D=0ABcc:_victim@evil.example?='] }),
    ).toBe('rejected');
    const { head, to } = await mailTo(server, mail, 2);
    expect([to, head.includes('evil')]).toEqual([[mail], false]);
  });

  test('with files in winmail.dat is posted, and its sender learns their names', async () => {
    const { ann, room, mail, to } = await mailed();
    const { headers = [], body } = answers.find(({ of }) => of === 'Outlook with files in winmail.dat') ?? {};
    expect(await post(bytesOf({ headers, body: body ?? '' }, to, { from: mail }))).toBe('posted');
    const { messages } = await ann.request('message:history', { room, limit: 1 });
    expect(messages).toMatchObject([{ text: 'See attachment' }]);
    expect(messages[0]).not.toHaveProperty('files');
    expect((await mailTo(server, mail, 2)).text).toMatch(/plan\.pdf, Bücher\.docx, and winmail\.dat/);
  });

  test('is rejected by mail at most ten times an hour', async () => {
    const { mail, to, answer } = await mailed();
    const outcomes = [];
    for (let n = 0; n < 11; n++) outcomes.push(await answer('\n> nothing\n'));
    expect(outcomes).toEqual([...Array(10).fill('rejected'), 'unanswered']);
    // The sender does not learn of its files, but the text is posted.
    const { headers = [], body = '' } =
      answers.find(({ of }) => of === 'Outlook with files in winmail.dat') ?? {};
    expect(await post(bytesOf({ headers, body }, to, { from: mail }))).toBe('posted');
    expect(server.mails.filter(({ to }) => to.includes(mail))).toHaveLength(11);
  });

  test('is delivered again after slow mode, and while the mail server accepts no mails', async () => {
    const { ann, room, mail, to, answer, texts } = await mailed();
    await ann.request('room:update', { room, slow: 3600 });
    expect(await answer('\nfirst\n')).toBe('posted');
    expect(await answer('\nsecond\n')).toBe('rate_limited');
    const bytes = bytesOf({ body: '\nthird\n' }, to, { from: mail });
    expect(await receive(bytes)).toEqual({ code: 75, said: expect.stringContaining('429') });
    expect(await texts()).toEqual([`ann: ${asked}`, 'ben: first']);
    server.refusals.set(mail, '421 4.3.2 shutting down');
    const empty = () => answer('\n> nothing\n', { id: `<${mail}>` });
    expect(await empty()).toBe('storage_unavailable');
    server.refusals.delete(mail);
    await expect.poll(empty).toBe('rejected');
    expect(await empty()).toBe('repeated');
  });

  test('that is a bounce of a mail to the current address of its reader is not posted, and counts as bounced', async () => {
    const { ben, mail, head, texts } = await mailed();
    const bounce = (returned = head, status = '5.1.1') => post(bounceOf(returned.split('\r\n'), { status }));
    expect(await bounce()).toBe('bounced');
    expect(await bounce(head, '5.2.2')).toBe('automatic');
    expect(await bounce(head.replace(`To: ${mail}`, 'To: victim@site.example'))).toBe('automatic');
    expect(await bounce(head.replace(/replies\+\w+/, `replies+${'a'.repeat(26)}`))).toBe('automatic');
    await site.writeSession(ben, { account: { mail: `new-${mail}` } });
    const again = closed(await site.again(ben));
    await expect.poll(async () => (await again.request('notify:get', {})).mailTo).toBe(`new-${mail}`);
    // A check of the session that began before may store the old address once more.
    await expect.poll(() => bounce()).toBe('automatic');
    expect(await texts()).toEqual([`ann: ${asked}`]);
    expect(server.mails.filter(({ to }) => to.includes(mail))).toHaveLength(1);
    expect(site.chat.output()).not.toContain(mail);
  });

  test('needs the key of the API', async () => {
    const { status } = await fetch(`${site.chat.url}/mail`, { method: 'POST', body: 'x' });
    expect(status).toBe(401);
  });

  test.each<[string, NodeJS.ProcessEnv, number, RegExp]>([
    ['no server responds', { CHAT_PORT: '1' }, 75, /No chat server responds/],
    ['the server has another key', { CHAT_API_KEY: 'another-key-of-this-site' }, 75, /different API key/],
    ['mails cannot be answered', { CHAT_MAIL_REPLIES: '' }, 75, /set CHAT_MAIL_REPLIES/],
  ])('makes receive-mail fail for a while if %s', async (_, env, code, reason) => {
    const file = key.write({ CHAT_PORT: String(site.chat.port), CHAT_MAIL: server.url, ...env });
    const failed = await receiveMail(Buffer.from('\r\nhello'), file);
    expect([failed.code, failed.said]).toEqual([code, expect.stringMatching(reason)]);
  });

  test('makes receive-mail fail for good if it is too large', async () => {
    const failed = await receive(Buffer.alloc(32 * 1024 * 1024, 'x\n'));
    expect([failed.code, failed.said]).toEqual([65, expect.stringMatching(/larger than \d+ bytes/)]);
  });
});

test('an answer by mail is held if messages need approval', async () => {
  const site = await startPeopleSite({ ...answerable, CHAT_MAIL: server.url, CHAT_HOLD: 'all' });
  onTestFinished(() => site.close());
  const ann = closed(await site.person());
  const ben = closed(await site.person({ account: { mail: 'held@site.example' } }));
  const { id: room } = await site.den(ann, [ben]);
  for (const one of [ann, ben]) await one.request('room:join', { room });
  await say(ann, room, '@B', { mentions: [{ user: ben.id, start: 0, length: 2 }] });
  const [to = ''] = replyTo(await mailTo(server, 'held@site.example'));
  const bytes = bytesOf({ body: '\nhello\n' }, to, { from: 'held@site.example' });
  expect(await passMail(site.chat.url, bytes)).toBe('held');
  expect((await ann.request('held:list', {})).held).toMatchObject([{ text: 'hello', user: { id: ben.id } }]);
});

/** Takes an answer of Ben to a mail of a user with this address. @returns the outcome, and the mails about it */
async function takenFrom(
  from: string,
  addressOf: () => Promise<string>,
  { expired = false, onFailure = () => {} }: { expired?: boolean; onFailure?: (reason: string) => void } = {},
) {
  const answered: string[] = [];
  const replies = new MailReplies({
    address: { local: 'replies', domain: 'garden.example' },
    from: 'chat@garden.example',
    names: [],
    tokens: {
      find: async () => ({ id: '', user: 'ben', roomId: 'lobby', at: 0, expired }),
    } as Partial<ReplyTokens> as ReplyTokens,
    addressOf,
    send: async () => 'sent',
    answer: async ({ kind }) => {
      answered.push(kind);
      return 'sent';
    },
    noteRejection: async () => false,
    dropRejection: async () => {},
    onBounced: async () => {},
    onWritten() {},
    onFailure,
    onOutcome() {},
  });
  const mail = bytesOf({ body: '\nhello\n' }, `replies+${'a'.repeat(26)}@garden.example`, { from });
  return [await replies.take(mail), ...answered];
}

test('an answer to a mail that is too old is not posted, and its sender learns why', async () => {
  const outcome = await takenFrom('ben@site.example', async () => 'ben@site.example', {
    expired: true,
  });
  expect(outcome).toEqual(['rejected', 'expired']);
});

test('an answer may write the domain of its sender in ASCII', async () => {
  const address = async () => 'Ben@bücher.example';
  expect(await takenFrom('ben@xn--bcher-kva.example', address)).toEqual(['posted']);
  expect(await takenFrom('ben@bucher.example', address)).toEqual(['rejected', 'sender']);
});

test('an answer is delivered again while the site’s mail addresses cannot be read', async () => {
  const reasons: string[] = [];
  const refused = () => Promise.reject(new Error('connect ECONNREFUSED'));
  const onFailure = (reason: string) => void reasons.push(reason);
  const taken = takenFrom('ben@site.example', refused, { onFailure });
  await expect(taken).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(reasons).toEqual(['connect ECONNREFUSED']);
});
