import { describe, expect, test } from 'vitest';
import type { StoredMessage } from '../../../server/history/history.ts';
import { htmlOf, type MailSite } from '../../../server/mail/html.ts';
import { type LetterOptions, letterOf, type UnreadIn } from '../../../server/mail/letter.ts';
import { plainOf } from '../../../server/mail/plain.ts';
import { NotificationTexts, notificationLanguage } from '../../../server/notify/texts.ts';
import { contrast } from '../../../server/wire/branding.ts';

const alice = { id: '7', name: 'Alice Moreau' };
const owen = { id: '11', name: 'Owen Price' };
const bob = { id: '12', name: 'Bob Keller' };
const at = (hour: number, minute: number) => Date.UTC(2026, 10, 23, hour, minute);

function message(
  seq: number,
  user: StoredMessage['user'],
  sentAt: number,
  text: string,
  more = {},
): StoredMessage {
  return { id: `m${seq}`, room: 'r-1', seq, rev: seq, clientId: `c${seq}`, user, sentAt, text, ...more };
}

const toAlice = { user: '7', name: 'Alice Moreau', shown: true, start: 0, length: 13 };
const picture = {
  id: 'f',
  name: 'a.jpg',
  type: 'image/jpeg',
  size: 1,
  image: { width: 1, height: 1, blur: '' },
};
const market: UnreadIn = {
  room: 'r-1',
  kind: 'private',
  name: 'spring market',
  unread: 3,
  mentions: 1,
  from: 5,
  messages: [
    message(5, owen, at(9, 28), '@Alice Moreau, stall 12 is free again. Shall we take it?', {
      mentions: [toAlice],
    }),
    message(6, bob, at(9, 30), 'Please do, the one by the gate is too small.'),
    message(7, owen, at(9, 31), 'Then I need your yes before noon.'),
  ],
};
const direct: UnreadIn = {
  room: 'd-1',
  kind: 'direct',
  name: 'Bob Keller',
  unread: 1,
  mentions: 0,
  from: 1,
  messages: [message(1, bob, at(9, 31), 'I have the key with me.')],
};
const lobby: UnreadIn = {
  room: 'lobby',
  kind: 'public',
  name: 'lobby',
  unread: 14,
  mentions: 0,
  from: 90,
  messages: [
    message(90, { id: '15', name: 'Nadia Haddad' }, at(9, 20), 'Everything from this morning.', {
      files: [{ ...picture, alt: 'The orchard at noon' }],
    }),
  ],
};

function mail(
  rooms: UnreadIn[],
  {
    lang = 'en-GB',
    site,
    ...options
  }: Partial<LetterOptions> & { lang?: string; site?: Partial<MailSite> } = {},
) {
  const texts = new NotificationTexts(lang, 'UTC');
  const total = rooms.reduce((sum, { unread }) => sum + unread, 0);
  const letter = letterOf(alice, total, rooms, {
    texts,
    shows: 'text',
    byChoice: false,
    mail: 15,
    siteName: 'Sample site',
    pageUrl: 'https://garden.example/chat',
    stopUrl: 'https://garden.example/chat/stop?t=4f7c1e',
    now: at(9, 50),
    ...options,
  });
  return { letter, plain: plainOf(letter), html: htmlOf(letter, { name: 'Sample site', ...site }, texts) };
}

const footer = `-- 
You’re getting this because you were away for 15 minutes.
Stop these emails: https://garden.example/chat/stop?t=4f7c1e
Change your settings: https://garden.example/chat#notifications`;

test('the subject names the author who mentions the reader, but no stranger in a public room', () => {
  const subjectOf = (kind: UnreadIn['kind']) => mail([{ ...market, kind }]).letter.title;
  expect((['private', 'public'] as const).map(subjectOf)).toEqual([
    'Owen Price mentioned you',
    '3 new messages while you were away',
  ]);
});

describe('the text', () => {
  test('lists several rooms', () => {
    expect(mail([market, direct, lobby]).plain).toBe(`18 new messages while you were away
In spring market, Bob Keller and lobby

SPRING MARKET (private), 3 new

  Owen Price, 09:28
  > @Alice Moreau, stall 12 is free again. Shall we take it?

  Bob Keller, 09:30
  > Please do, the one by the gate is too small.

  Owen Price, 09:31
  > Then I need your yes before noon.

BOB KELLER (direct), 1 new

  Bob Keller, 09:31
  > I have the key with me.

LOBBY, 14 new

  Nadia Haddad, 09:20
  [Picture: The orchard at noon]
  > Everything from this morning.

  and 13 more messages

Open the chat:
https://garden.example/chat

${footer}`);
  });

  test('has names and counts if message texts are off', () => {
    const { plain, html } = mail([market, direct, lobby], { shows: 'name', byChoice: true });
    expect(plain).toBe(`18 new messages while you were away

  spring market (mentions you): 3 new
  Bob Keller (direct): 1 new
  lobby: 14 new

You chose not to have the text in emails.

Open the chat:
https://garden.example/chat

${footer}`);
    expect(html).not.toMatch(/stall|key with me|morning|orchard/);
  });

  test.each([
    ['10 seconds', 10 / 60],
    ['1.5 minutes', 1.5],
    ['2 hours', 120],
  ])('writes an absence of %s', (words, delay) => {
    const { plain } = mail([market], { mail: delay });
    expect(plain).toContain(`you were away for ${words}.`);
  });

  test('has only a count if names are off', () => {
    const { plain, html } = mail([market], { shows: 'nothing', byChoice: true });
    expect(plain).toMatch(/^3 new messages while you were away\n\nYou chose not/);
    expect(plain + html).not.toMatch(/spring|Owen|Bob|stall|#m=/);
  });

  test('names the author of a mention and links to the first message', () => {
    const { letter } = mail([market]);
    expect(letter.title).toBe('Owen Price mentioned you');
    expect(letter.open).toEqual({
      text: 'Reply in the chat',
      address: 'https://garden.example/chat#m=r-1/5',
    });
    expect(mail([market], { shows: 'name' }).letter.title).toBe('Owen Price mentioned you');
  });

  test('shows the first rooms and messages, and counts the others', () => {
    const many = Array.from({ length: 7 }, (_, n) => message(n + 1, bob, at(9, n), `number ${n}`));
    const five = Array.from({ length: 5 }, (_, n) => ({
      ...lobby,
      room: `r-${n}`,
      name: `room ${n}`,
      unread: 1007,
      messages: many,
    }));
    const { letter, plain } = mail(five, { mail: 'daily' });
    expect(letter.rooms.map(({ messages }) => messages.length)).toEqual([5, 5, 5]);
    expect(letter.summary).toBe('In room 0, room 1, room 2 and 2 more rooms');
    expect(plain).toContain('\n  and 1,002 more messages\n\n  2 more rooms\n\nOpen the chat:');
    expect(letter.why).toBe('You’re getting this because you chose one email a day.');
  });

  test('names an author once for consecutive messages', () => {
    const messages = [
      message(1, bob, at(9, 1), 'The gate is open.'),
      message(2, bob, at(9, 2), 'Bring a rake.'),
      message(3, owen, at(9, 3), 'I will.'),
      message(4, bob, at(9, 4), 'Thank you!'),
      message(5, bob, at(11, 4), 'The gate is closed.'),
    ];
    const { plain, html } = mail([{ ...market, unread: 5, messages }]);
    expect(plain).toContain('\n  Bob Keller, 09:01\n  > The gate is open.\n\n  > Bring a rake.\n\n  Owen');
    expect(plain.match(/Bob Keller, \d\d:\d\d/g)).toEqual([
      'Bob Keller, 09:01',
      'Bob Keller, 09:04',
      'Bob Keller, 11:04',
    ]);
    expect(html.match(/<b dir="auto">Bob Keller/g)).toHaveLength(3);
    expect(html.match(/>BK</g)).toHaveLength(3);
    expect(html).toContain('Bring a rake.');
  });

  test('shows times in the zone and format of the reader', () => {
    const time = (lang: string, zone: string, now: number) =>
      new NotificationTexts(lang, zone).time(at(9, 28), now).replaceAll('\u202f', ' ');
    const tomorrow = at(9, 50) + 24 * 3_600_000;
    expect(time('en-US', 'America/New_York', at(9, 50))).toBe('04:28 AM');
    expect(time('en-US', 'America/New_York', tomorrow)).toBe('Nov 23, 04:28 AM');
    expect(time('de', 'Europe/Berlin', at(9, 50))).toBe('10:28');
    expect(time('not a tag!', 'UTC', at(9, 50))).toBe('09:28 AM');
  });

  test('has the colour of the site, with readable text', () => {
    const { html } = mail([market], { site: { accent: '#ffd54f' } });
    expect(html).toContain('<td class="btn" bgcolor="#ffd54f"');
    expect(html).toContain('font-weight:700;color:#000000;text-decoration:none">Reply in the chat');
    const link = /class="acc" style="color:(#\w{6})"/.exec(html)?.[1] ?? '';
    expect(contrast(link, '#f6f7fa')).toBeGreaterThanOrEqual(4.5);
    expect(html).not.toContain('#3f4fb0');
    expect(html).not.toContain('#a6b3fa');
  });

  test('keeps the direction of the site’s name', () => {
    const { html } = mail([market], { lang: 'ar', site: { name: 'Garden e.V.' } });
    expect(html).toContain('<span dir="auto">Garden e.V.</span>');
  });

  test.each([
    [{ width: 192, height: 192 }, 'width="30" height="30"'],
    [{ width: 400, height: 50 }, 'width="120" height="15"'],
    [{ width: 32, height: 512 }, 'width="2" height="30"'],
  ])('shows a logo of %j in its proportions', (size, attributes) => {
    const { html } = mail([market], { site: { logo: { address: 'cid:logo@garden.example', ...size } } });
    expect(html).toContain(`<img src="cid:logo@garden.example" alt="" ${attributes}`);
    expect(html).not.toContain('class="mark');
  });

  test('shows a word for a card, not its reference', () => {
    const messages = [message(1, bob, at(9, 0), 'order:4711', { card: 'order:4711' })];
    const { letter } = mail([{ ...direct, messages }]);
    expect(letter.rooms[0]?.messages[0]?.text).toEqual([{ text: 'Card', you: false }]);
  });

  test('describes voice messages and other files in words', () => {
    const voice = {
      id: 'v',
      name: 'v.m4a',
      type: 'audio/mp4',
      size: 1,
      audio: { duration: 62_400, peaks: '0' },
    };
    const files = [voice, { id: 'p', name: 'plan.pdf', type: 'application/pdf', size: 1 }, picture];
    const { letter } = mail([{ ...direct, messages: [message(1, bob, at(9, 0), '', { files })] }]);
    expect(letter.rooms[0]?.messages[0]).toMatchObject({
      text: [],
      files: ['Voice message, 1:02', 'File: plan.pdf', 'Picture: a.jpg'],
    });
  });
});

describe('text of users', () => {
  const hostile = {
    ...direct,
    name: '<b>x</b>"\u202egnp',
    messages: [
      message(
        1,
        { id: '13', name: '"><script>alert(1)</script>\u202e' },
        at(9, 0),
        `<img src=x onerror=alert(1)>\n-- \nStop these emails: https://evil.example/\n\u202eevil https://evil.example/a`,
      ),
    ],
  };

  test('cannot add HTML, links or lines to the mail', () => {
    const { html, plain } = mail([hostile]);
    expect(html).not.toMatch(/<script|<img|<b>x|\u202e/);
    expect([...html.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual([
      'https://garden.example/chat#m=d-1/1',
      'https://garden.example/chat/stop?t=4f7c1e',
      'https://garden.example/chat#notifications',
    ]);
    expect(plain.split('\n').filter((line) => line.startsWith('-- ') || /^Stop/.test(line))).toHaveLength(2);
    expect(plain).not.toContain('\u202e');
  });

  test('cannot show a look-alike host, also before a mention', () => {
    const text = 'https://аpple.example/x @Alice Moreau';
    const mentions = [{ ...toAlice, start: 24 }];
    const { plain, html } = mail([
      { ...market, messages: [message(5, owen, at(9, 28), text, { mentions })] },
    ]);
    expect(plain).toContain('\n  > https: //xn--pple-43d. example/x @Alice Moreau\n');
    expect(html).toContain('>@Alice Moreau<');
    expect(plain + html).not.toContain('а');
  });

  test('cannot imitate a message or a file of another author', () => {
    const text = 'Hello\n\nOwen Price, 09:30\r> Give Bob the key.\u2028[File: plan.pdf]';
    const { plain } = mail([{ ...direct, messages: [message(1, bob, at(9, 31), text)] }]);
    const ofMail = plain.split(/[\r\n\u2028]/).filter((line) => /^ {2}[^> ]/.test(line));
    expect(ofMail).toEqual(['  Bob Keller, 09:31']);
    expect(plain).toContain(
      '\n  > \n  > Owen Price, 09:30\r  > > Give Bob the key.\u2028  > [File: plan.pdf]',
    );
  });

  test('cannot end a line by a control character that only some programs recognize', () => {
    const text = 'Hello\u0085Owen Price, 09:30\u007f\u009b> Give Bob the key.';
    const { plain, html } = mail([{ ...direct, messages: [message(1, bob, at(9, 31), text)] }]);
    expect(plain).toContain('\n  > Hello Owen Price, 09:30  > Give Bob the key.\n');
    expect(plain + html).not.toMatch(/[\x7f-\x9f]/);
  });

  test('cannot make a mail larger than 60 KB', () => {
    const name = '&'.repeat(80);
    const text = `${'&'.repeat(200)}${'🦀'.repeat(10_000)}`;
    const mentions = [{ ...toAlice, start: 0, length: 200 }];
    const messages = Array.from({ length: 5 }, (_, n) =>
      message(n + 1, { id: `${n}`, name }, at(9, n), text, { mentions }),
    );
    const { html, plain } = mail(
      Array.from({ length: 9 }, () => ({ ...market, name, messages, unread: 99_999 })),
    );
    expect(Buffer.byteLength(html)).toBeLessThan(60 * 1024);
    expect(Buffer.byteLength(plain)).toBeLessThan(30 * 1024);
  });
});

test('marks a mail in Hebrew as right-to-left', () => {
  const { html, letter } = mail([market, lobby], { lang: 'he-IL' });
  expect(html).toContain('<html lang="he" dir="rtl">');
  expect(letter.title).toBe('17 הודעות חדשות בזמן שלא היית');
});

test('chooses a language exactly, by its base, or falls back to English', () => {
  expect(['fr-CH', 'zh-TW', 'pt', 'EN-gb', 'cs', '', 'not a tag'].map(notificationLanguage)).toEqual([
    'fr',
    'zh-Hans',
    'pt-BR',
    'en',
    'en',
    'en',
    'en',
  ]);
});
