import { expect, test } from 'vitest';
import { readIncoming } from '../../../../server/mail/replies/incoming.ts';
import { answers, automatic, ben, bytesOf } from '../../../helpers/mail-answers.ts';

const token = 'abcdefghijklmnopqrstuvwxy2';
const to = `replies+${token}@garden.example`;
const options = {
  replies: { local: 'replies', domain: 'garden.example' },
  from: 'chat@garden.example',
  names: ['Our garden', ''],
};

test.each(answers)('finds the own text in an answer of $of', async (answer) => {
  const mail = await readIncoming(bytesOf(answer, to), options);
  expect(mail).toMatchObject({ from: ben, isAutomatic: false, tokens: [token], text: answer.text });
  expect(mail.files.map(({ name }) => name)).toEqual(answer.files ?? []);
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

test('has no sender with two addresses in From', async () => {
  const mail = bytesOf({ body: '\nhello\n' }, to, { from: 'ann@site.example, ben@site.example' });
  expect((await readIncoming(mail, options)).from).toBeUndefined();
});

test('finds the token in another case, in the headers of the mail server, and in the envelope', async () => {
  const mail = bytesOf({ body: '\nhello\n' }, `REPLIES+${token.toUpperCase()}@garden.example`);
  expect((await readIncoming(mail, options)).tokens).toEqual([token]);
  const other = token.replace('a', 'z');
  const delivered = bytesOf({ headers: [`Delivered-To: ${to}`], body: '\nhello\n' }, 'garden@lists.example');
  expect((await readIncoming(delivered, options)).tokens).toEqual([token]);
  const recipient = `replies+${other}@garden.example`;
  expect((await readIncoming(delivered, { ...options, recipient })).tokens).toEqual([other, token]);
});

test.each([
  ['hello', undefined],
  ['<a@b.example>\r\nBcc: x@y.example', 'a@b.example'],
  ['<a b@c.example>', undefined],
  [`<${'x'.repeat(600)}@b.example>`, undefined],
])('reads the message ID %j as %s', async (id, messageId) => {
  expect((await readIncoming(bytesOf({ body: '\nhello\n' }, to, { id }), options)).messageId).toBe(messageId);
});
