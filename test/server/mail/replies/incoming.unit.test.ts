import { expect, test } from 'vitest';
import { readIncoming } from '../../../../server/mail/replies/incoming.ts';
import { headOf, tokensOfRecipients } from '../../../../server/mail/replies/reply-address.ts';
import { size } from '../../../guarantees/size.ts';
import { answers, automatic, ben, bounceOf, bytesOf } from '../../../helpers/mail-answers.ts';

const token = 'abcdefghijklmnopqrstuvwxy2';
const to = `replies+${token}@garden.example`;
const options = {
  replies: { local: 'replies', domain: 'garden.example' },
  from: 'chat@garden.example',
  names: ['Our garden', ''],
};

test.each(answers)('finds the own text in an answer of $of', async (answer) => {
  const mail = await readIncoming(bytesOf(answer, to), options);
  expect(mail).toMatchObject({ from: ben, isAutomatic: false, text: answer.text });
  expect(mail.files.map(({ name }) => name)).toEqual(answer.files ?? []);
  expect(mail.lost).toEqual(answer.lost ?? []);
});

const returned = ['From: Our garden <chat@garden.example>', `Reply-To: <${to}>`, 'To: <Ben@site.example>'];

test.each([
  ['the headers of the mail', {}],
  ['the whole mail', { type: 'message/rfc822' }],
  ['a code for a mailbox that was closed', { status: '5.2.1' }],
  ['a code for a domain that does not exist', { status: '5.4.4' }],
  ['a code without a detail', { status: '5.0.0' }],
])('recognises a bounce with %s', async (_, over) => {
  const mail = await readIncoming(bounceOf(returned, over), options);
  const { status = '5.1.1' } = over as { status?: string };
  expect(mail).toMatchObject({ isAutomatic: true, bounce: { to: ben, status, token } });
});

test.each([
  ['a delay', returned, { action: 'delayed', status: '4.4.1' }],
  ['a delivered mail', returned, { action: 'delivered', status: '2.0.0' }],
  ['a server that does not respond for days', returned, { status: '4.4.1' }],
  ['a full mailbox', returned, { status: '5.2.2' }],
  ['a mail that is too large', returned, { status: '5.3.4' }],
  ['a policy, such as that of a spam filter', returned, { status: '5.7.1' }],
  ['a mail without a reply address', returned.toSpliced(1, 1), {}],
  ['a mail to two users', [...returned, 'To: ann@site.example'], {}],
  ['a mail whose text has the reply address', [...returned.toSpliced(1, 1), '', `Reply-To: <${to}>`], {}],
])('does not pause an address after a report about %s', async (_, headers, over) => {
  const mail = await readIncoming(bounceOf(headers, over), options);
  expect(mail).toMatchObject({ isAutomatic: true, bounce: undefined });
});

test.each(automatic)('recognises $of', async ({ headers = [] }) => {
  const body = headers.some((one) => one.startsWith('Content-Type')) ? '\n--x--\n' : '\nhello\n';
  expect(await readIncoming(bytesOf({ headers, body }, to), options)).toMatchObject({ isAutomatic: true });
});

test.each([
  ['chat@garden.example', true],
  ['MAILER-DAEMON@mx.example', true],
  ['Postmaster <postmaster@mx.example>', true],
  ['Ben <ben@site.example>', false],
])('a mail from %s is automatic: %s', async (from, isAutomatic) => {
  const mail = bytesOf({ body: '\nhello\n' }, to, { from });
  expect(await readIncoming(mail, options)).toMatchObject({ isAutomatic });
});

test.each([
  ['two headers From', ['From: ann@site.example']],
  ['no address', []],
])('has no sender with %s', async (_, headers) => {
  const mail = bytesOf({ headers, body: '\nhello\n' }, to, headers.length === 0 ? { from: 'Ben' } : {});
  expect((await readIncoming(mail, options)).from).toBeUndefined();
});

test.each([
  'ann@site.example, ben@site.example',
  '<ben@site.example> <eve@evil.example>',
  '<ben@site.example>@evil.example',
  '<eve@evil.example <ben@site.example>>',
  'ben@site.example eve@evil.example',
  '"eve@evil.example"<ben@site.example',
  '=?utf-8?q?=22?= <ben@site.example> =?utf-8?q?=22?= <eve@evil.example>',
  '"ben@site.example "@evil.example',
])('has no sender with From: %s, in which others may find another address', async (from) => {
  const mail = bytesOf({ body: '\nhello\n' }, to, { from });
  expect((await readIncoming(mail, options)).from).toBeUndefined();
});

test.each([
  'ben@site.example',
  'ben@site.example <Ben@site.example>',
  '"Ben <B> (\\"Bo\\")" <ben@site.example>',
  'Ben (of the garden) <ben@site.example> (at home)',
  'ben@site.example (Ben)',
  '=?utf-8?q?B=C3=A9n_=3Cx=40y=2Eexample=3E?=\n <ben@site.example>',
])('finds the sender in From: %s', async (from) => {
  const mail = bytesOf({ body: '\nhello\n' }, to, { from });
  expect((await readIncoming(mail, options)).from).toBe(ben);
});

test('finds the token in another case, in the headers of the mail server, and in the envelope', () => {
  const tokensOf = (mail: Buffer, recipient?: string) =>
    tokensOfRecipients(options.replies, headOf(mail), recipient);
  expect(tokensOf(bytesOf({ body: '\nhello\n' }, `REPLIES+${token.toUpperCase()}@garden.example`))).toEqual([
    token,
  ]);
  const other = token.replace('a', 'z');
  const delivered = bytesOf({ headers: [`Delivered-To: ${to}`], body: '\nhello\n' }, 'garden@lists.example');
  expect(tokensOf(delivered)).toEqual([token]);
  expect(tokensOf(delivered, `replies+${other}@garden.example`)).toEqual([other, token]);
  const folded = bytesOf({ body: '\nhello\n' }, `ann@site.example>,\n "Our\n\tgarden" <${to}`);
  expect(tokensOf(folded)).toEqual([token]);
  // Texts of the sender are no recipients.
  const text = { headers: [`Subject: ${to}`, `X-To: ${to}`], body: `\nTo: ${to}\n` };
  expect(tokensOf(bytesOf(text, 'garden@lists.example'))).toEqual([]);
});

test.each([
  ['parts', `Content-Type: multipart/mixed; boundary=x\n\n${'--x\n\nx\n'.repeat(6000)}--x--\n`],
  [
    'levels',
    Array.from({ length: 40 }, (_, n) => `Content-Type: multipart/mixed; boundary=b${n}\n\n--b${n}\n`).join(
      '',
    ),
  ],
  ['headers', `${'X-A: b\n'.repeat(50_000)}\nhello\n`],
])('rejects a mail with too many %s', async (_, body) => {
  await expect(readIncoming(bytesOf({ body }, to), options)).rejects.toThrow();
});

test('reads HTML as far as a message could need it, in linear time', async () => {
  const textOf = async (html: string) => {
    const body = `Content-Type: text/html\n\n${html}`;
    return (await readIncoming(bytesOf({ body }, to), options)).text;
  };
  expect(await textOf(`${'<blockquote>'.repeat(size(1_000_000, 300_000))}deep`)).toBe('');
  // Quadratic time would be minutes.
  expect(await textOf('<'.repeat(size(10_000_000, 1_000_000)))).toMatch(/^<{200000}/);
  expect(await textOf(`<p>${'<i>x</i>'.repeat(size(1_000_000, 200_000))}`)).toMatch(/^x{100000}/);
  expect(await textOf('<p>one <a href="https://a.example/b">two <b>three</b></a> four</p>')).toBe(
    'one two three (https://a.example/b) four',
  );
});

test.each([
  ['hello', undefined],
  ['<a@b.example>\r\nBcc: x@y.example', 'a@b.example'],
  ['<a b@c.example>', undefined],
  [`<${'x'.repeat(600)}@b.example>`, undefined],
])('reads the message ID %j as %s', async (id, messageId) => {
  expect((await readIncoming(bytesOf({ body: '\nhello\n' }, to, { id }), options)).messageId).toBe(messageId);
});
