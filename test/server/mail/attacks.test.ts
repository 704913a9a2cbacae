import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { size } from '../../guarantees/size.ts';
import { againInSoak } from '../../helpers/again-in-soak.ts';
import { hostileFiles } from '../../helpers/hostile-files.ts';
import { startImapServer, type TestImapServer } from '../../helpers/imap-server.ts';
import { answerable, bytesOf, mailTo, mentionByMail, passMail } from '../../helpers/mail-answers.ts';
import { startMailServer, type TestMailServer } from '../../helpers/mail-server.ts';
import { closedAfterEach, type PeopleSite, say, startPeopleSite } from '../../helpers/people.ts';
import { metrics } from '../../helpers/server-figures.ts';

/** Answers of one user in ten minutes. */
const mostOfUser = 30;

// test/server/mail/mailbox.test.ts passes the same mails both ways.
const ways: ('mailbox' | 'pipe')[] = ['mailbox', 'pipe'];
describe.each(ways.slice(0, size(2, 1)))('an attacker whose mails arrive by %s', (way) => {
  let server: TestMailServer;
  let imap: TestImapServer;
  let site: PeopleSite;
  beforeAll(async () => {
    server = await startMailServer();
    imap = await startImapServer();
    site = await startPeopleSite({
      ...answerable,
      CHAT_MAIL: server.url,
      ...(way === 'mailbox' && { CHAT_MAIL_IN: imap.url }),
      CHAT_FILE_TYPES: 'image/*,application/pdf',
    });
  });
  afterAll(async () => {
    await site.close();
    await imap.stop();
    await server.stop();
  });
  const closed = closedAfterEach();
  const mentioned = (over: Parameters<typeof mentionByMail>[3] = {}) =>
    mentionByMail(site, server, closed, over);

  let sent = 0;
  const newId = () => `<${++sent}@mail.example>`;
  const plain = (text: string) => `\n${text}\n`;

  async function outcomes(): Promise<Record<string, number>> {
    const samples = [...(await metrics(site.chat.url))].flatMap(([name, count]) => {
      const outcome = /^chat_mail_replies_total\{outcome="(\w+)"\}$/.exec(name)?.[1];
      return outcome === undefined ? [] : [[outcome, count] as const];
    });
    return Object.fromEntries(samples);
  }

  /** Lets mails arrive, in this order. @returns how many of them had each outcome */
  async function arrive(...mails: Buffer[]): Promise<Record<string, number>> {
    const before = await outcomes();
    if (way === 'pipe') for (const mail of mails) await passMail(site.chat.url, mail);
    else {
      for (const mail of mails) imap.deliver(mail);
      await expect.poll(() => imap.mails.every(({ seen }) => seen)).toBe(true);
    }
    const after = Object.entries(await outcomes());
    return Object.fromEntries(
      after.flatMap(([name, count]) => {
        const more = count - (before[name] ?? 0);
        return more === 0 ? [] : [[name, more]];
      }),
    );
  }
  const mailsTo = (address: string) => server.mails.filter(({ to }) => to.includes(address));

  test('writes nothing with a forged sender or the token of another user, and reaches only its reader', async () => {
    const [ben, cat] = [await mentioned(), await mentioned()];
    const attempts = server.attempts.length;
    const from = [
      'mallory@evil.example',
      `mallory@evil.example, ${ben.mail}`,
      `"${ben.mail}" <mallory@evil.example>`,
      `${ben.mail} <mallory@evil.example>`,
      `${ben.mail}\u00a0<mallory@evil.example>`,
      `mallory+${ben.mail}`,
      cat.mail,
    ];
    const mails = from.map((sender) =>
      bytesOf({ body: plain('mine') }, ben.to, { from: sender, id: newId() }),
    );
    // A mail server may read another one of two headers.
    mails.push(
      bytesOf({ headers: [`From: ${ben.mail}`], body: plain('mine') }, ben.to, {
        from: cat.mail,
        id: newId(),
      }),
    );
    expect(await arrive(...mails)).toEqual({ rejected: mails.length });
    expect([await ben.texts(), await cat.texts()]).toEqual([[], []]);
    expect(server.attempts.slice(attempts)).toEqual(Array(mails.length).fill(ben.mail));
  });

  test('causes no loop with mails of this server that come back, or go to another one', async () => {
    const ben = await mentioned();
    expect(await arrive(bytesOf({ body: plain('') }, ben.to, { from: ben.mail, id: newId() }))).toEqual({
      rejected: 1,
    });
    const rejection = await mailTo(server, ben.mail, 2);
    // The reply address of a mail of this server, as of one of another server.
    const cat = await mentioned({ mail: ben.to });
    const before = server.mails.length;
    const back = [ben.got.bytes, rejection.bytes].map((bytes) =>
      Buffer.concat([Buffer.from(`Delivered-To: ${ben.to}\r\n`), bytes]),
    );
    expect(await arrive(...back, cat.got.bytes)).toEqual({ automatic: 3 });
    expect(await arrive(bytesOf({ body: plain('x') }, ben.to, { from: ben.to, id: newId() }))).toEqual({
      rejected: 1,
    });
    // The rejection goes to the reader of the mail, not to the reply address.
    expect(server.mails.slice(before).map(({ to }) => to)).toEqual([[ben.mail]]);
    expect([await ben.texts(), await cat.texts()]).toEqual([[], []]);
  });

  test('adds no recipients, headers or texts to mails', async () => {
    const { ann, room, mail, to } = await mentioned();
    const bcc = 'Bcc: victim@evil.example';
    const encoded = `=?utf-8?q?x=0D=0A${bcc.replace(' ', '_')}?=`;
    const headers = [`Subject: ${encoded}`, `Reply-To: victim@evil.example`, `References: <x>\r ${bcc}`];
    const file = (name: string) =>
      `--x\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename="${name}"\n\nMZ\n`;
    const body = `Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhello\n${file(encoded)}${file('https://evil.example/')}--x--\n`;
    expect(
      await arrive(
        bytesOf({ headers, body: plain('') }, to, { from: mail, id: `<a@b.example>\r\n${bcc}` }),
        bytesOf({ headers, body }, to, { from: mail, id: newId() }),
      ),
    ).toEqual({ rejected: 1, posted: 1 });
    for (const { head, text, html, to } of [await mailTo(server, mail, 2), await mailTo(server, mail, 3)]) {
      expect([to, /evil/.test(head)]).toEqual([[mail], false]);
      expect(text + html).not.toMatch(/evil\.example/);
    }
    const { messages } = await ann.request('message:history', { room, limit: 1 });
    expect(messages).toMatchObject([{ text: 'hello' }]);
  });

  test('posts HTML as text without code', async () => {
    const { mail, to, texts } = await mentioned();
    const html = [
      '<p onclick="alert(1)">Hi <b>there</b></p><script>alert(2)</script><style>*{}</style>',
      '<img src=x onerror=alert(3)><svg onload=alert(4)><a xlink:href="javascript:alert(5)">x</a></svg>',
      '<a href="javascript:alert(6)">one</a> <a href="data:text/html,<script>">two</a> <a href="https://site.example/">three</a>',
      '<iframe srcdoc="<script>alert(7)</script>"></iframe><form action=/x><button>four</button></form>',
      '&lt;script&gt;alert(8)&lt;/script&gt;',
    ].join('');
    const body = `Content-Type: text/html; charset=utf-8\n\n${html}`;
    expect(await arrive(bytesOf({ body }, to, { from: mail, id: newId() }))).toEqual({ posted: 1 });
    const [text = ''] = await texts();
    expect(text).toContain('Hi there');
    expect(text).toContain('three (https://site.example/)');
    // What the reader of the mail saw as text, which clients show as text.
    expect(text).toContain('<script>alert(8)</script>');
    expect(text.replace('<script>alert(8)</script>', '')).not.toMatch(/<|alert|javascript:|data:/);
  });

  againInSoak('posts no bombs, and others can write meanwhile', async () => {
    const bombs = (await hostileFiles()).filter(({ what }) =>
      /unpacks to much|30,000|10,000|65,5/.test(what),
    );
    const attached = bombs.map(
      ({ bytes }, n) =>
        `--x\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="bomb${n}"\n\n${bytes.toString('base64').replace(/.{76}/g, '$&\n')}\n`,
    );
    const kept = bombs.flatMap(({ fate }, n) => (fate.startsWith('image/') ? [`bomb${n}`] : []));
    const nested = Array.from(
      { length: 200 },
      (_, n) => `Content-Type: multipart/mixed; boundary=b${n}\n\n--b${n}\n`,
    ).join('');
    const [ben, cat] = [await mentioned(), await mentioned()];
    const byBen = (body: string) => bytesOf({ body }, ben.to, { from: ben.mail, id: newId() });
    expect(
      await arrive(
        byBen(`Content-Type: multipart/mixed; boundary=x\n\n--x\n\nlook\n${attached.join('')}--x--\n`),
        byBen(`${nested}\nnested\n`),
        byBen(`Content-Type: multipart/mixed; boundary=x\n\n${'--x\n\n> x\n'.repeat(100_000)}--x--\n`),
        byBen(`Content-Type: text/html\n\n${'<blockquote>'.repeat(200_000)}deep`),
        // The parser needs more memory than its process gets.
        byBen(`\n${'x\n'.repeat(3_000_000)}`),
        bytesOf({ body: plain('hello') }, cat.to, { from: cat.mail, id: newId() }),
      ),
    ).toEqual({ posted: 2, rejected: 1, unreadable: 3 });
    // Each unreadable mail counts as ten.
    expect(await passMail(site.chat.url, byBen('\nagain'))).toBe('rate_limited');
    expect(await cat.texts()).toEqual(['hello']);
    const { messages } = await ben.ann.request('message:history', { room: ben.room, limit: 10 });
    const [message] = messages.filter(({ user }) => user.id === ben.ben.id);
    expect(message).toMatchObject({ text: 'look' });
    expect(message?.files?.every(({ type }) => type.startsWith('image/'))).toBe(true);
    expect(message?.files?.map(({ name }) => name.replace(/\..*/, ''))).toEqual(kept);
  });

  test(
    `posts at most ${mostOfUser} of ${size(10_000, 150)} answers in ten minutes, and others can write`,
    async () => {
      const [ben, cat] = [await mentioned(), await mentioned()];
      const many = Array.from({ length: size(10_000, 150) }, (_, n) =>
        bytesOf({ body: plain(`spam ${n}`) }, ben.to, { from: ben.mail, id: newId() }),
      );
      const one = bytesOf({ body: plain('hello') }, cat.to, { from: cat.mail, id: newId() });
      if (way === 'pipe') {
        const outcomes = [];
        for (const mail of many) outcomes.push(await passMail(site.chat.url, mail));
        expect(outcomes).toEqual([
          ...Array(mostOfUser).fill('posted'),
          ...Array(many.length - mostOfUser).fill('rate_limited'),
        ]);
        expect(await passMail(site.chat.url, one)).toBe('posted');
      } else {
        for (const mail of [...many, one]) imap.deliver(mail);
        await expect.poll(() => imap.mails.at(-1)?.seen, { timeout: size(600_000, 30_000) }).toBe(true);
        // Those above the limit stay in the mailbox for later.
        expect(imap.mails.filter(({ seen }) => !seen)).toHaveLength(many.length - mostOfUser);
      }
      expect([(await ben.texts()).length, await cat.texts()]).toEqual([mostOfUser, ['hello']]);
      expect(mailsTo(ben.mail)).toHaveLength(1);
      // The server still takes messages.
      await say(ben.ann, ben.room, 'done');
    },
    size(900_000, 60_000),
  );
});
