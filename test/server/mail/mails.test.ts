import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Directory } from '../../../server/chat/directory.ts';
import type { History, StoredMessage } from '../../../server/history/history.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { Mails } from '../../../server/mail/mails.ts';
import { type MailPlace, readMailPlace } from '../../../server/mail/place.ts';
import { MailStops } from '../../../server/mail/stops.ts';
import { readTemplates, type WriteMail } from '../../../server/mail/templates.ts';
import { Due } from '../../../server/notify/due.ts';
import type { NotifySettings } from '../../../server/notify/settings.ts';
import type { Unread } from '../../../server/notify/unread.ts';
import { historyFolder } from '../../helpers/chat-server.ts';
import { doctorSays } from '../../helpers/doctor-says.ts';
import { pngOf } from '../../helpers/logo.ts';
import { startMailServer, type TestMailServer } from '../../helpers/mail-server.ts';
import { meanwhile } from '../../helpers/meanwhile.ts';
import { noon } from '../../helpers/noon.ts';
import {
  exportOf,
  nextOf,
  type PeopleSite,
  type Person,
  say,
  startPeopleSite,
} from '../../helpers/people.ts';
import { roomsOf } from '../../helpers/rooms-of.ts';

let server: TestMailServer;
beforeAll(async () => {
  server = await startMailServer();
});
afterAll(() => server.stop());

test('the doctor warns of a mail that the mail server does not take, and reports three recipients as a problem', async () => {
  const own = historyFolder();
  const down = await startMailServer();
  const env = {
    CHAT_HISTORY: own.url,
    CHAT_MAIL: down.url,
    CHAT_MAIL_FROM: 'Our garden <chat@garden.example>',
    CHAT_URL: 'https://127.0.0.1:2/chat',
    CHAT_USER_MAIL: 'account.mail',
    CHAT_TIME_ZONE: noon,
    CHAT_NOTIFY_AFTER: '50ms',
  };
  const site = await startPeopleSite(env);
  onTestFinished(async () => {
    await site.close();
    await down.stop();
    own.remove();
  });
  const ann = await site.person();
  /** Mentions a new user, whom the mail server does not take. */
  async function mentionNext(mail: string) {
    down.refusals.set(mail, '421 4.3.2 shutting down');
    const ben = await site.person({ account: { mail } });
    const { id: den } = await site.den(ann, [ben], {});
    for (const one of [ann, ben]) await one.request('room:join', { room: den });
    await say(ann, den, '@B', { mentions: [{ user: ben.id, start: 0, length: 2 }] });
  }
  const says = () => expect.poll(() => doctorSays({ ...env, CHAT_SESSION_STORE: 'file:///nowhere' }));
  await mentionNext('ben@site.example');
  await says().toMatch(
    /^! The last mail could not be sent through smtps:\/\/localhost:\d+, perhaps because of its recipient: .*421.* since .*\n {2}→ If no mail arrives: Correct CHAT_MAIL/m,
  );
  await mentionNext('ben2@site.example');
  await mentionNext('ben3@site.example');
  await says().toMatch(
    /^✗ The last mail could not be sent through smtps:\/\/localhost:\d+: .*421.* since .*\n {2}→ Correct CHAT_MAIL/m,
  );
});

describe('a site with CHAT_MAIL', () => {
  const kept = historyFolder();
  let site: PeopleSite;
  beforeAll(async () => {
    site = await startPeopleSite({
      CHAT_HISTORY: kept.url,
      CHAT_MAIL: server.url,
      CHAT_MAIL_FROM: 'Our garden <chat@garden.example>',
      CHAT_MAIL_TEXT: 'on',
      CHAT_URL: 'https://garden.example/chat',
      CHAT_PAGE_URL: 'https://garden.example/talk?page=1',
      CHAT_USER_MAIL: 'account.mail',
      CHAT_TIME_ZONE: noon,
      CHAT_NOTIFY_AFTER: '200ms',
    });
  });
  afterAll(async () => {
    await site.close();
    kept.remove();
  });

  const mailTo = (address: string) => expect.poll(() => server.mails.find(({ to }) => to.includes(address)));
  const came = async (address: string) => {
    await mailTo(address).toBeDefined();
    return server.mails.find(({ to }) => to.includes(address)) as TestMailServer['mails'][number];
  };
  /** Creates a user with this address, and a private room with a message that mentions the user. */
  async function away(address: string, set: object = {}) {
    const ann = await site.person();
    const ben: Person = await site.person({ account: { mail: address } });
    if (Object.keys(set).length > 0) await ben.request('notify:set', set);
    const { id: den } = await site.den(ann, [ben], { name: 'spring market' });
    for (const one of [ann, ben]) await one.request('room:join', { room: den });
    const mentions = [{ user: ben.id, start: 0, length: 2 }];
    await say(ann, den, '@B shall we take it?', { mentions });
    return { ann, ben, den };
  }
  const stop = (link: string, init: RequestInit = {}) =>
    fetch(link.replace('https://garden.example/chat', site.chat.url), init);
  const oneClick = {
    method: 'POST',
    body: 'List-Unsubscribe=One-Click',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  };

  test('sends one mail to an offline user, with a link that stops mails', async () => {
    const { ann, ben, den } = await away('ben@site.example', { lang: 'en-GB' });
    const { from, subject, text, html, headers } = await came('ben@site.example');
    expect([from, subject]).toEqual(['chat@garden.example', `Name of ${ann.id} mentioned you`]);
    expect(text).toContain('@B shall we take it?');
    expect(html).toContain(`href="https://garden.example/talk?page=1#m=${den}/1"`);
    const [link = ''] = headers.get('list-unsubscribe') ?? [];
    expect(link).toMatch(/^<https:\/\/garden\.example\/chat\/stop\?t=[\w-]{30,33}>$/);
    expect(headers.get('list-unsubscribe-post')).toEqual(['List-Unsubscribe=One-Click']);
    expect(headers.get('auto-submitted')).toEqual(['auto-generated']);
    expect(headers.get('precedence')).toEqual(['bulk']);
    expect(headers.get('references')).toEqual(headers.get('in-reply-to'));
    expect(await ben.request('notify:get', {})).toMatchObject({ mailTo: 'ben@site.example' });
    const token = link.slice(1, -1);

    // A GET request does not stop mails.
    const page = await stop(token);
    expect([page.status, page.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(page.headers.get('content-security-policy')).toContain("form-action 'self'");
    expect(await page.text()).toContain('<form method="post">');
    expect((await stop(token, { method: 'POST', body: 'x=y' })).status).toBe(400);
    expect(await ben.request('notify:get', {})).toMatchObject({ mail: 0.2 / 60 });
    // The form of the page stops them.
    const stopped = await stop(token, {
      ...oneClick,
      headers: { ...oneClick.headers, 'accept-language': 'de' },
    });
    const stoppedPage = await stopped.text();
    expect(stoppedPage).toContain('Keine E-Mails mehr');
    const after = await ben.request('notify:get', {});
    expect(after).toMatchObject({ mail: 'off', mailStoppedAt: expect.any(Number) });
    // A mail program sends the form again, as multipart.
    const form = new FormData();
    form.set('List-Unsubscribe', 'One-Click');
    expect((await stop(token, { method: 'POST', body: form })).status).toBe(200);
    expect(await ben.request('notify:get', {})).toEqual(after);

    // An unknown token gets the same response. One that is expired or malformed gets an explanation.
    const unknown = token.replace(/.{24}$/, 'A'.repeat(24));
    const other = await stop(unknown, {
      ...oneClick,
      headers: { ...oneClick.headers, 'accept-language': 'de' },
    });
    expect([other.status, await other.text()]).toEqual([stopped.status, stoppedPage]);
    for (const old of [token.replace(/t=\w+-/, 't=100000-'), token.slice(0, -1), token.replace(/t=.*/, '')]) {
      expect(await (await stop(old, oneClick)).text()).toContain('This link is too old');
    }
    expect((await stop(token, { method: 'DELETE' })).status).toBe(405);

    expect(await ben.request('notify:set', { mail: 60 })).not.toHaveProperty('mailStoppedAt');

    const files = await exportOf(site, ben.id);
    expect(Object.values(files).join()).toMatch(/"mailAddress": ?"ben@site\.example"/);
    ann.close();
    ben.close();
  });

  test('sends no text of users from rooms that the reader has not accepted', async () => {
    const lure = 'Account locked! Log in at https://evil.example';
    const eve = await site.person({ firstname: lure });
    const [invited, alone, named] = [
      await site.person({ account: { mail: 'invited@site.example' } }),
      await site.person({ account: { mail: 'alone@site.example' } }),
      await site.person({ account: { mail: 'named@site.example' } }),
    ] as const;
    const { id: den } = await site.den(eve, [invited], { name: lure });
    const { id: direct } = (await eve.request('direct:open', { user: alone.id })).room;
    for (const room of [den, direct, 'lobby']) await eve.request('room:join', { room });
    const mentions = (user: Person) => ({ mentions: [{ user: user.id, start: 0, length: 1 }] });
    await say(eve, den, lure, mentions(invited));
    await say(eve, direct, lure);
    await say(eve, 'lobby', lure, mentions(named));
    for (const address of ['invited', 'alone', 'named']) {
      const { subject, text, html } = await came(`${address}@site.example`);
      expect(subject).toBe('1 new message while you were away');
      expect(`${address}: ${subject} ${text} ${html}`).not.toMatch(/locked|evil/i);
    }
    expect((await came('named@site.example')).text).toContain('lobby');
    // The link opens the message, not another room.
    expect((await came('alone@site.example')).text).toContain(`#m=${direct}/1`);
    for (const one of [eve, invited, alone, named]) one.close();
  });

  test('breaks up addresses in text of users, so mail programs do not link them', async () => {
    const lure =
      'https://evil.example www.evil.example me@evil.example me＠evil.example mailto:me evil。example 192.0.2.1/a 10:30 v2.0 plan.pdf';
    const eve = await site.person({ firstname: 'evil.example' });
    const ben = await site.person({ account: { mail: 'accepted@site.example' } });
    const { id: den } = await site.den(eve, [ben], { name: 'https://evil.example/?a=b' });
    for (const one of [eve, ben]) await one.request('room:join', { room: den });
    // The mention of the reader splits the address.
    await say(eve, den, `www.evil.example ${lure}`, {
      mentions: [{ user: ben.id, start: 4, length: 4 }],
    });
    const { subject, text, html } = await came('accepted@site.example');
    expect(subject).toBe('evil. example mentioned you');
    const ofUsers = (all: string) => all.replaceAll(/https:\/\/garden\.example\S*/g, '');
    for (const all of [subject, ofUsers(text), ofUsers(html.replaceAll(/<[^>]*>/g, ''))])
      expect(all).not.toMatch(/https?:\/|www\.\S|evil[.。]\S|\S[@＠]\S|mailto:\S|192\.0/i);
    expect(text).toContain('https: //evil. example www. evil. example');
    expect(text).toContain('10:30 v2.0 plan.pdf');
    for (const one of [eve, ben]) one.close();
  });

  test('stores address and time zone again when an erased user returns', async () => {
    const ben = await site.person({ account: { mail: 'first@site.example' } });
    const address = async (person: Person) => (await person.request('notify:get', {})).mailTo;
    const zone = async (person: Person) => (await person.request('notify:get', {})).quiet?.zone;
    await ben.request('client:active', { zone: 'Asia/Tokyo', lang: 'ja' });
    await expect.poll(() => zone(ben)).toBe('Asia/Tokyo');
    await expect.poll(() => address(ben)).toBe('first@site.example');
    expect((await site.api('DELETE', `/users/${ben.id}`)).status).toBe(202);
    const erased = () => site.api('GET', `/users/${ben.id}/export`).then(({ status }) => status);
    ben.close();
    await expect.poll(erased).toBe(404);
    const again = await site.person({ account: { mail: 'first@site.example' } }, ben.id);
    await again.request('client:active', { zone: 'Asia/Tokyo', lang: 'ja' });
    await expect.poll(() => address(again)).toBe('first@site.example');
    await expect.poll(() => zone(again)).toBe('Asia/Tokyo');
    again.close();
  });

  test('uses a changed address of the session at once, even during a chat', async () => {
    const ben = await site.person({ account: { mail: 'former@site.example' } });
    const address = async () => (await ben.request('notify:get', {})).mailTo;
    await expect.poll(address).toBe('former@site.example');
    await site.writeSession(ben, { account: { mail: 'new@site.example' } });
    await expect.poll(address).toBe('new@site.example');
    // A session without the key leaves the address unchanged.
    const renamed = nextOf(ben, 'session:changed');
    await site.writeSession(ben, { firstname: 'Benny' });
    await renamed;
    expect(await address()).toBe('new@site.example');
    await site.writeSession(ben, { account: { mail: '' } });
    await expect.poll(address).toBeNull();
    ben.close();
  });

  test('does not mail a user whom the session bans, until a session admits the user again', async () => {
    const ann = await site.person();
    const session = { account: { mail: 'dan@site.example' } };
    const dan: Person = await site.person(session);
    const later: Person = await site.person({ account: { mail: 'later@site.example' } });
    const { id: den } = await site.den(ann, [dan, later], { name: 'spring market' });
    await ann.request('room:join', { room: den });
    await site.writeSession(dan, { ...session, banned: true });
    expect(await dan.ended).toMatchObject({ reason: 'kicked' });
    await say(ann, den, 'after the ban');
    await came('later@site.example');
    const refused = await site.again(dan).catch((error: Error) => error.message);
    expect(refused).toBe('forbidden');
    expect(server.mails.filter(({ to }) => to.includes('dan@site.example'))).toEqual([]);
    await site.writeSession(dan, session);
    const again = await site.again(dan);
    await expect.poll(async () => (await again.request('notify:get', {})).mailTo).toBe('dan@site.example');
    for (const one of [ann, later, again]) one.close();
  });

  test('sends no mail to an invalid address, and no message text to a reader who disabled it', async () => {
    const none = await away('');
    const broken = await away('ben@site.example\r\nBcc: evil@site.example');
    const { ann, ben } = await away('cat@site.example', { text: 'name' });
    const { text, html } = await came('cat@site.example');
    expect(text + html).toContain('spring market');
    expect(text + html).not.toContain('shall we');
    for (const one of [none, broken]) {
      expect(await one.ben.request('notify:get', {})).toMatchObject({ mailTo: null });
      expect(server.mails.filter(({ text }) => text.includes(one.den))).toEqual([]);
      one.ann.close();
      one.ben.close();
    }
    ann.close();
    ben.close();
  });
});

describe('Mails.send', () => {
  let history: History;
  const kept = historyFolder();
  const at = 1_700_000_000_000;
  beforeAll(async () => {
    const onFailure = ({ message }: Error) => expect.unreachable(message);
    history = await openSqliteHistory({ path: kept.path, onFailure });
  });
  afterAll(async () => {
    await history.close();
    kept.remove();
  });

  const settings: NotifySettings = { mail: 15, push: false, quiet: null, text: 'text', zone: 'UTC' };
  const unread = (id: string): Unread => ({
    user: { id, name: id },
    total: 1,
    rooms: [
      {
        room: 'den',
        kind: 'private',
        name: 'Den',
        member: { sources: 4, role: 'member', readSeq: 0, acted: 1 },
        unread: 1,
        mentions: 0,
        from: 1,
        since: at,
        newest: 1,
        latest: at,
        authors: [],
        messages: [],
      },
    ],
  });
  const reasons: string[] = [];
  const open = (over: Partial<Parameters<typeof Mails.open>[0]> = {}) =>
    Mails.open({
      server: readMailPlace(server.url) as MailPlace,
      from: { name: '', address: 'chat@garden.example' },
      branding: {},
      text: true,
      pageUrl: 'https://garden.example/chat/',
      history,
      stops: new MailStops(history, 'https://garden.example/chat', async () => {}),
      onFailure: (reason) => void reasons.push(reason),
      ...over,
    });
  const send = (mails: Mails, about: Unread, over: Partial<NotifySettings> = {}) =>
    mails.send(about.user.id, async () => ({ unread: about, settings: { ...settings, ...over } }));
  const arrive = async (id: string, address?: string) => {
    await history.write.arrive({ user: { id, name: id }, at });
    if (address !== undefined) await history.write.noteMailAddress({ user: id, address });
  };

  test('escapes text of users in the owner’s template', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chat-mail-'));
    try {
      expect(() => readTemplates(folder)).toThrow('contains neither mail.html nor mail.txt');
      const put = (name: string, text: string) => writeFileSync(join(folder, name), text);
      put('mail.html', '<p>{{title}}</p>');
      expect(() => readTemplates(folder)).toThrow('lacks {{stop.address}}');
      put('mail.html', '{{#rooms}}<p>{{stop.address}}');
      expect(() => readTemplates(folder)).toThrow('is not a valid template: Unclosed section "rooms"');
      // The example of docs/operate/mail.md.
      const [, example = ''] =
        /```html\n(<html lang="{{lang}}".*?)```/s.exec(readFileSync('docs/operate/mail.md', 'utf8')) ?? [];
      put('mail.html', example);
      const mails = await open({ write: readTemplates(folder) });
      await arrive('pat', 'pat@site.example');
      const one = unread('pat');
      const user = { id: 'x', name: '<b>Xu</b>' };
      const message = { id: 'm', room: 'den', seq: 1, rev: 1, clientId: 'c', user, sentAt: at };
      one.rooms[0]?.messages.push({ ...message, text: '<img src=x>&' });
      const before = server.mails.length;
      expect(await send(mails, one)).toBe('sent');
      const { html, text, headers } = await server.mail(before + 1);
      expect(html).toContain('&lt;img src&#x3D;x&gt;&amp;');
      expect(html).toContain('&lt;b&gt;Xu');
      expect(html).toContain('<h2>Den <small>private 1 new</small></h2>');
      const [link = ''] = headers.get('list-unsubscribe') ?? [];
      expect(text).toContain(link.slice(1, -1));
      expect(html.replaceAll('&#x2F;', '/').replaceAll('&#x3D;', '=')).toContain(
        `href="${link.slice(1, -1)}"`,
      );
      mails.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  describe('with a logo', () => {
    const logo = {
      path: 'assets/logo.png',
      type: 'image/png',
      width: 64,
      height: 64,
      bytes: pngOf(64),
    } as const;

    test('attaches it, so that reading a mail requests nothing', async () => {
      const mails = await open({ branding: { name: 'Großer Garten', logo } });
      await arrive('lia', 'lia@site.example');
      const before = server.mails.length;
      expect(await send(mails, unread('lia'))).toBe('sent');
      const { html, text, headers, pictures } = await server.mail(before + 1);
      expect(html).toContain('<img src="cid:logo@garden.example" alt="" width="30" height="30"');
      expect(html).not.toMatch(/<img src="(?!cid:)|url\(/);
      expect(html).toContain('Großer Garten');
      expect(text).not.toBe('');
      expect(pictures).toMatchObject([{ id: '<logo@garden.example>', bytes: logo.bytes }]);
      expect(pictures[0]?.disposition).toMatch(/^inline; filename="?logo\.png/);
      expect(headers.get('from')?.[0]).toMatch(/^=\?UTF-8\?.*<chat@garden\.example>$/);
      mails.close();
    });

    test('attaches nothing to a template without the logo', async () => {
      const write: WriteMail = () => ({ text: 'text', html: '<p>html</p>' });
      const mails = await open({ branding: { logo }, write });
      await arrive('mia', 'mia@site.example');
      const before = server.mails.length;
      expect(await send(mails, unread('mia'))).toBe('sent');
      expect((await server.mail(before + 1)).pictures).toEqual([]);
      mails.close();
    });
  });

  test('does not retry a permanently rejected address until it changes', async () => {
    const mails = await open();
    await arrive('dan', 'dan@site.example');
    server.refusals.set('dan@site.example', '450 4.2.1 later');
    expect(await send(mails, unread('dan'))).toBe('failed');
    server.refusals.set('dan@site.example', '550 5.1.1 <dan@site.example> is not here');
    expect(await send(mails, unread('dan'))).toBe('refused');
    server.refusals.delete('dan@site.example');
    const before = server.mails.length;
    expect(await send(mails, unread('dan'))).toBe('refused');
    expect(server.mails.length).toBe(before);
    await history.write.noteMailAddress({ user: 'dan', address: 'dan2@site.example' });
    expect(await send(mails, unread('dan'))).toBe('sent');
    // After a bounce.
    await mails.pause('dan', 'dan2@site.example');
    expect(await send(mails, unread('dan'))).toBe('refused');
    expect(reasons.join()).not.toMatch(/dan|site/);
    mails.close();
  });

  test('does not soon reconnect to a mail server that rejected the login', async () => {
    const { password: _, ...place } = readMailPlace(server.url) as MailPlace;
    const mails = await open({ server: { ...place, password: 'wrong' } });
    await arrive('ivy', 'ivy@site.example');
    const before = server.connections;
    expect(await send(mails, unread('ivy'))).toBe('failed');
    const tried = server.connections;
    expect(tried).toBeGreaterThan(before);
    expect(await send(mails, unread('ivy'))).toEqual({ pausedUntil: mails.pausedUntil });
    expect(server.connections).toBe(tried);
    mails.close();
  });

  test('sends at most three mails in an hour to the guests of one mailbox, and the others later', async () => {
    const mails = await open();
    const guests = ['a', 'b', 'c', 'd'].map((letter) => `g-${letter.repeat(32)}`);
    const tags = ['', '+1', '+2', '+3'];
    for (const [n, id] of guests.entries()) await arrive(id, `Eve${tags[n]}@site.example`);
    await arrive('eve', 'eve@site.example');
    server.refusals.set('Eve@site.example', '451 4.7.1 try again later');
    expect(await send(mails, unread(guests[0] as string))).toBe('failed');
    server.refusals.delete('Eve@site.example');
    for (const id of guests.slice(0, 3)) expect(await send(mails, unread(id))).toBe('sent');
    const before = Date.now();
    const outcome = await send(mails, unread(guests[3] as string));
    expect(outcome).toEqual({ pausedUntil: expect.any(Number) });
    expect((outcome as { pausedUntil: number }).pausedUntil).toBeGreaterThan(before + 50 * 60_000);
    expect(await send(mails, unread('eve'))).toBe('sent');
    mails.close();
  });

  test('does not count mails to guests that wait for the mail server', async () => {
    const { password: _, ...place } = readMailPlace(server.url) as MailPlace;
    const mails = await open({ server: { ...place, password: 'wrong' } });
    const id = `g-${'e'.repeat(32)}`;
    await arrive(id, 'waiting@site.example');
    expect(await send(mails, unread(id))).toBe('failed');
    for (let n = 0; n < 4; n++)
      expect(await send(mails, unread(id))).toEqual({ pausedUntil: mails.pausedUntil });
    mails.close();
  });

  test('sends no mail to the former address of a guest who changes it while the mail is written', async () => {
    const mails = await open();
    const id = `g-${'f'.repeat(32)}`;
    await arrive(id, 'former@site.example');
    let asked = 0;
    const outcome = await mails.send(id, async () => {
      if (++asked === 2) await history.write.noteMailAddress({ user: id, address: 'new@site.example' });
      return { unread: unread(id), settings };
    });
    expect([outcome, asked]).toEqual(['failed', 2]);
    expect(server.mails.filter(({ to }) => to.includes('former@site.example'))).toEqual([]);
    mails.close();
  });

  test('puts mails about a room into one thread', async () => {
    const mails = await open({ text: false });
    await arrive('eve', 'eve@site.example');
    const message = {
      id: 'm',
      room: 'den',
      seq: 1,
      rev: 1,
      clientId: 'c',
      user: { id: 'x', name: 'Xu' },
      sentAt: at,
    };
    const first = unread('eve');
    first.rooms[0]?.messages.push({ ...message, text: 'a secret' });
    const before = server.mails.length;
    for (const one of [first, unread('eve')]) expect(await send(mails, one)).toBe('sent');
    const [a, b] = [await server.mail(before + 1), await server.mail(before + 2)];
    expect(a.headers.get('references')).toEqual(b.headers.get('references'));
    expect(a.headers.get('message-id')).not.toEqual(b.headers.get('message-id'));
    expect(a.headers.get('list-unsubscribe')).not.toEqual(b.headers.get('list-unsubscribe'));
    expect(a.text + a.html).not.toContain('secret');
    expect(a.html).toContain('>garden.example</span>');
    mails.close();
  });

  test('uses a different thread for each reader, and the same thread for all rooms if names are off', async () => {
    const mails = await open();
    await arrive('ida', 'ida@site.example');
    await arrive('jim', 'jim@site.example');
    const of = (id: string, room: string): Unread => {
      const one = unread(id);
      return { ...one, rooms: one.rooms.map((found) => ({ ...found, room })) };
    };
    const before = server.mails.length;
    const threads: string[] = [];
    const mail = async (about: Unread, over?: Partial<NotifySettings>) => {
      expect(await send(mails, about, over)).toBe('sent');
      const { headers } = await server.mail(before + threads.length + 1);
      threads.push(headers.get('references')?.[0] ?? '');
    };
    await mail(of('ida', 'den'));
    await mail(of('jim', 'den'));
    await mail(of('ida', 'den'), { text: 'nothing' });
    await mail(of('ida', 'hall'), { text: 'nothing' });
    const [ida, jim, nameless, other] = threads;
    expect(new Set([ida, jim, nameless]).size).toBe(3);
    expect(other).toBe(nameless);
    mails.close();
  });

  test('encodes a sender in another script as ASCII headers', async () => {
    const mails = await open({ from: { name: '', address: 'chat@gärten.example' } });
    await arrive('uma', 'uma@site.example');
    const before = server.mails.length;
    expect(await send(mails, unread('uma'))).toBe('sent');
    const { headers, html } = await server.mail(before + 1);
    expect([...headers.values()].join()).toMatch(/^[\x20-\x7e]*$/);
    expect(headers.get('message-id')?.[0]).toMatch(/@xn--grten-gra\.example>$/);
    expect(html).toContain('>gärten.example</span>');
    mails.close();
  });

  test('takes the address only from the table of the site', async () => {
    const mails = await open({
      async addressOf(user) {
        if (user === 'hal') throw new Error('the table does not answer');
        return user === 'fay' ? 'fay@site.example' : null;
      },
    });
    for (const user of ['fay', 'gil', 'hal']) await arrive(user, 'session@site.example');
    const all = await Promise.all(['fay', 'gil', 'hal'].map((user) => send(mails, unread(user))));
    expect(all).toEqual(['sent', 'no_address', 'failed']);
    expect(reasons.at(-1)).toBe('the table does not answer');
    mails.close();
  });

  test('sends a mail only if its content is unchanged after the greeting', async () => {
    const mails = await open();
    await arrive('liz', 'liz@site.example');
    const plan = { id: 'f', name: 'plan.txt', type: 'text/plain', size: 1 };
    let message: Omit<StoredMessage, 'text'> = {
      ...{ id: 'm', room: 'den', seq: 1, rev: 1, clientId: 'c', sentAt: at },
      ...{ user: { id: 'x', name: 'X' }, files: [plan] },
    };
    let [text, isGone, isMore] = ['before', false, false];
    const about = async () => {
      if (isGone) throw new Error('the history does not answer');
      const one = unread('liz');
      const messages = [{ ...message, text }];
      if (isMore) messages.push({ ...message, id: 'n', seq: 2, text: 'more' });
      one.rooms[0]?.messages.push(...messages);
      return { unread: one, settings };
    };
    onTestFinished(() => {
      server.greet = (done) => done();
    });
    const count = server.mails.length;
    for (const happens of [
      () => (text = 'after'),
      () => (message = { ...message, user: { id: '0', name: 'Deleted user' } }),
      () => (message = { ...message, files: [] }),
      () => (isGone = true),
    ]) {
      server.greet = (done) => {
        happens();
        done();
      };
      expect(await mails.send('liz', about)).toBe('failed');
      isGone = false;
    }
    // An additional message does not delay the mail.
    server.greet = (done) => {
      isMore = true;
      done();
    };
    expect(await mails.send('liz', about)).toBe('sent');
    expect(server.mails.slice(count).map((mail) => /before|after/.exec(mail.text)?.[0])).toEqual(['after']);
    mails.close();
  });

  const changes: typeof meanwhile = [
    ...meanwhile,
    ['mails are switched off', (write, { user }) => write.setNotices({ user, set: { mail: 'off' } }), 0],
  ];
  test.each([
    // The last step before a mail is sent, and an earlier one.
    ...changes.map((change) => ['the mail server greets', ...change] as const),
    ...changes.slice(-1).map((change) => ['the site’s table is asked', ...change] as const),
  ])('respects a change while %s: %s', async (during, what, happens, sent) => {
    const [user, room, now] = [`to ${what}, ${during}`, `den ${what}, ${during}`, Date.now()];
    await arrive('ann');
    await arrive(user);
    await history.write.setNotices({ user, set: { quiet: 'off' } });
    const { den, say } = roomsOf(history, now);
    await den(room, ['ann', user]);
    await say(room, 'ann');
    await history.write.noteDue({ room, users: [user], due: now, pushes: [], pushDue: now });
    let asked = 0;
    const once = async () => {
      if (asked++ === 0) await happens(history.write, { user, room });
    };
    const isTable = during === 'the site’s table is asked';
    const mails = await open({
      async addressOf() {
        if (isTable) await once();
        return 'kim@site.example';
      },
    });
    const before = server.mails.length;
    if (!isTable) server.greet = (done) => once().then(done, done);
    onTestFinished(() => {
      server.greet = (done) => done();
    });
    const due = new Due({
      history,
      directory: { banOf: () => null, isVisible: () => true } as unknown as Directory,
      defaults: { after: 0, zone: 'UTC', newMembers: true },
      firstLook: 0,
      mail: mails,
      events: false,
      onPushes() {},
      onEvent() {},
      onMail() {},
      onQuiet() {},
      onFailure: (error) => expect.unreachable(error.message),
    });
    // The user has been processed when no user is due.
    const left = () => history.write.claimDueUsers({ at: 0, until: 1, most: 1 });
    await expect.poll(left).toEqual({ users: [] });
    await due.stop();
    mails.close();
    expect([asked, server.mails.length - before]).toEqual([1, sent]);
  });
});
