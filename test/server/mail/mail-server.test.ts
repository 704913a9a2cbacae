import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { doctor } from '../../../server/doctor/report.ts';
import { type Mail, type MailServer, openMailServer } from '../../../server/mail/mail-server.ts';
import { type MailPlace, readMailPlace } from '../../../server/mail/place.ts';
import { startMailServer, type TestMailServer } from '../../helpers/mail-server.ts';

let tls: TestMailServer;
let later: TestMailServer;
beforeAll(async () => {
  [tls, later] = await Promise.all([startMailServer('smtps'), startMailServer('smtp')]);
});
afterAll(async () => {
  await Promise.all([tls.stop(), later.stop()]);
});

const place = (url: string) => readMailPlace(url) as MailPlace;
const mail: Mail = {
  from: { name: 'Garden', address: 'chat@garden.example' },
  to: 'alice@site.example',
  subject: 'Olá, 18 new messages',
  text: 'a text\n.\nafter a dot',
  html: '<p>a text</p>',
  id: 'one@garden.example',
  thread: 'room@garden.example',
  headers: { 'Auto-Submitted': 'auto-generated' },
  isCurrent: async () => true,
};

async function over<Result>(url: string, use: (server: MailServer) => Promise<Result>): Promise<Result> {
  const server = await openMailServer(place(url));
  try {
    return await use(server);
  } finally {
    server.close();
  }
}

test.each(['smtps', 'smtp'] as const)('%s: delivers mails completely over one connection', async (scheme) => {
  const server = scheme === 'smtps' ? tls : later;
  await over(server.url, async (client) => {
    expect(await client.send(mail)).toEqual({ is: 'sent' });
    const { from, to, subject, text, html, headers } = await server.mail(1);
    expect({ from, to, subject, text, html }).toEqual({
      from: 'chat@garden.example',
      to: ['alice@site.example'],
      subject: mail.subject,
      text: mail.text,
      html: mail.html,
    });
    expect(headers.get('message-id')).toEqual(['<one@garden.example>']);
    expect(headers.get('references')).toEqual(['<room@garden.example>']);
    expect(await client.send(mail)).toEqual({ is: 'sent' });
    expect(server.connections).toBe(1);
  });
});

test('begins the value of each header on the line of its name', async () => {
  const domain = `${'chat-of-the-garden-club.'.repeat(4)}example`;
  const unsubscribe = `<https://${domain}/chat/stop?t=${'x'.repeat(33)}>`;
  const before = tls.mails.length;
  await over(tls.url, (client) =>
    client.send({
      ...mail,
      id: `one@${domain}`,
      thread: `room@${domain}`,
      to: `alice@${domain}`,
      subject: 'ñ'.repeat(100),
      headers: { 'List-Unsubscribe': unsubscribe, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' },
    }),
  );
  const { head, headers, subject } = await tls.mail(before + 1);
  expect(head).toContain(`List-Unsubscribe: ${unsubscribe}\r\n`);
  expect(head).not.toMatch(/^[\w-]+:[ \t]*\r$/m);
  expect([headers.get('message-id'), headers.get('references')]).toEqual([
    [`<one@${domain}>`],
    [`<room@${domain}>`],
  ]);
  expect(subject).toBe('ñ'.repeat(100));
  for (const line of head.split('\r\n')) expect(line.length).toBeLessThan(998);
});

test('waits for a server that delays its greeting', async () => {
  const server = await startMailServer();
  server.greet = (done) => {
    vi.advanceTimersByTime(15_000);
    done();
  };
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true });
  try {
    expect(await over(server.url, (client) => client.send(mail))).toEqual({ is: 'sent' });
  } finally {
    vi.useRealTimers();
    await server.stop();
  }
});

test('adds no header or command from values with special characters', async () => {
  const evil = 'x\r\nBcc: evil@site.example\nX-A: 1\u2028X-B: 2\u0085X-C: 3\u202egnp\u0000.';
  const before = tls.mails.length;
  await over(tls.url, async (client) => {
    const hostile = { ...mail, subject: `${evil}${'ñ'.repeat(5000)}`, from: { ...mail.from, name: evil } };
    expect(await client.send(hostile)).toEqual({ is: 'sent' });
  });
  const { headers, to } = await tls.mail(before + 1);
  expect(to).toEqual(['alice@site.example']);
  expect([...headers.keys()].sort()).toEqual(
    ['auto-submitted', 'content-type', 'date', 'from', 'in-reply-to', 'message-id', 'mime-version'].concat([
      'references',
      'subject',
      'to',
    ]),
  );
  expect([...headers.values()].every((all) => all.length === 1)).toBe(true);
});

test('distinguishes permanent rejections of a recipient from temporary ones', async () => {
  const answers = {
    refused: ['550 5.1.1 <gone@site.example> no such user', '550 gone', '553 5.1.3 bad', '550 5.4.1 denied'],
    failed: ['450 4.2.1 later', '554 5.7.1 relay denied', '552 5.2.2 full', '552 full', '451 busy'],
  };
  await over(tls.url, async (client) => {
    for (const [is, texts] of Object.entries(answers)) {
      for (const text of texts) {
        tls.refusals.set('gone@site.example', text);
        const outcome = await client.send({ ...mail, to: 'gone@site.example' });
        expect(outcome, text).toMatchObject({
          is,
          reason: expect.stringMatching(/^the response to RCPT TO was \d/),
        });
        expect(JSON.stringify(outcome), text).not.toMatch(/gone|site/);
      }
    }
    // The connection stays usable.
    expect(await client.send(mail)).toEqual({ is: 'sent' });
  });
});

test('sends nothing without TLS, with a wrong certificate or with a wrong password', async () => {
  const plain = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('220 plain\r\n');
    socket.on('data', (data) => void socket.write(/^EHLO/.test(`${data}`) ? '250 plain\r\n' : '502 no\r\n'));
  });
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  const { port } = plain.address() as { port: number };
  const before = tls.mails.length;
  const failing = [
    `smtp://chat:p%40ss%2Fword@localhost:${port}?tls=on`,
    `smtps://chat:p%40ss%2Fword@localhost:${tls.port}`,
    // The certificate is for `localhost`.
    `smtps://chat:p%40ss%2Fword@127.0.0.1:${tls.port}?ca=${tls.ca}`,
    tls.url.replace('p%40ss', 'wrong'),
  ];
  for (const url of failing) {
    const { is, reason } = (await over(url, (client) => client.send(mail))) as { is: string; reason: string };
    expect(is, url).toBe('down');
    expect(reason).not.toMatch(/p@ss|wrong|chat/);
  }
  expect(tls.mails.length).toBe(before);
  plain.close();
});

test('reports a mail as lost if the connection breaks before the response', async () => {
  const breaking = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('220 localhost\r\n');
    let isMail = false;
    socket.on('data', (data) => {
      if (isMail) return void (`${data}`.endsWith('.\r\n') && socket.destroy());
      isMail = /^DATA/.test(`${data}`);
      socket.write(isMail ? '354 go on\r\n' : '250 localhost\r\n');
    });
  });
  await new Promise<void>((resolve) => breaking.listen(0, '127.0.0.1', resolve));
  const { port } = breaking.address() as { port: number };
  const send = () => over(`smtp://localhost:${port}`, (client) => client.send(mail));
  expect(await send()).toMatchObject({ is: 'lost' });
  await new Promise((resolve) => breaking.close(resolve));
  expect(await send()).toMatchObject({ is: 'down' });
});

test('reports as lost only the mail that is being sent when the client closes', async () => {
  const server = await startMailServer();
  const connected = new Promise<void>((resolve) => {
    server.greet = () => resolve();
  });
  const early = await openMailServer(place(server.url));
  const waiting = early.send(mail);
  await connected;
  early.close();
  const ends = { is: 'down', reason: 'this server is shutting down' };
  expect(await waiting).toEqual(ends);
  expect(await early.send(mail)).toEqual(ends);

  server.greet = (done) => done();
  server.answer = () => {};
  const client = await openMailServer(place(server.url));
  const sending = client.send(mail);
  await server.mail(1);
  client.close();
  expect((await sending).is).toBe('lost');
  await server.stop();
});

test('trusts the certificate of a mail server if the system does', async () => {
  const settings = {
    CHAT_SESSION_STORE: 'file:///nowhere',
    CHAT_MAIL: tls.url.replace(/\?ca=.*/, ''),
    CHAT_MAIL_FROM: 'chat@garden.example',
    CHAT_URL: 'https://garden.example/chat',
  };
  const examine = async (authorities: string) => {
    const doctor = spawn(process.execPath, ['server/command/main.ts', 'doctor', '--settings='], {
      env: { ...process.env, ...settings, SSL_CERT_FILE: authorities },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return (await doctor.stdout.setEncoding('utf8').toArray()).join('');
  };
  expect(await examine(tls.ca)).toContain('✓ The mail server');
  expect(await examine('/dev/null')).toContain('✗ Mails cannot be sent through');
});

test('the doctor checks the mail server without printing the password', async () => {
  const examine = async (url: string, more: Record<string, string> = {}) => {
    const said: string[] = [];
    const env = {
      CHAT_SESSION_STORE: 'file:///nowhere',
      CHAT_MAIL: url,
      CHAT_MAIL_FROM: 'Garden <chat@garden.example>',
      CHAT_URL: 'https://127.0.0.1:2/chat',
      ...more,
    };
    const say = (line: string) => void said.push(line);
    await doctor(['--settings='], env, { finding: say, problem: say });
    const text = said.join('\n');
    expect(text).not.toMatch(/p@ss|p%40ss|secret/);
    return text;
  };
  expect(await examine(tls.url)).toContain(
    `✓ The mail server smtps://localhost:${tls.port} accepts the login.`,
  );
  expect(await examine(tls.url.replace('p%40ss%2Fword', 'secret'))).toMatch(
    /✗ Mails cannot be sent through smtps:.*the response to AUTH PLAIN was 535 5\.7\.8\.\n {2}→ Correct the user/,
  );
  expect(await examine(tls.url)).toMatch(/✗ Mails cannot be sent, .*\n {2}→ Set CHAT_USER_MAIL/);
  expect(await examine(tls.url, { CHAT_USER_MAIL: 'user.mail' })).toContain(
    '✓ The addresses for mails come from the sessions',
  );
  const port = later.port;
  expect(await examine(`smtps://chat:secret@localhost:${port}`)).toMatch(
    /✗ Mails cannot be sent through smtps:/,
  );
});
