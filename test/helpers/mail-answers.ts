import { expect } from 'vitest';
import type { ReceivedMail, TestMailServer } from './mail-server.ts';
import { noon } from './noon.ts';
import { apiKey, type closedAfterEach, type PeopleSite, say } from './people.ts';

/** An answer to a mail of `Our garden <chat@garden.example>`, as a mail program writes it. */
export interface MailAnswer {
  /** The mail program. */
  of: string;
  /** Further headers, besides those of the program. */
  headers?: readonly string[];
  /** The headers of the content, an empty line, and the content. */
  body: string | Buffer;
  /** The expected text of the message. */
  text: string;
  /** The names of the expected files. */
  files?: readonly string[];
  /** The names of files that cannot be read. */
  lost?: readonly string[];
}

export const ben = 'ben@site.example';

/** Returns the bytes of a mail. @param to the reply address */
export function bytesOf(
  { headers = [], body }: Pick<MailAnswer, 'headers' | 'body'>,
  to: string,
  {
    from = `Ben <${ben}>`,
    id = `<${to.slice(8, 20)}@mail.site.example>`,
  }: { from?: string; id?: string } = {},
): Buffer {
  const head = [
    `From: ${from}`,
    `To: Our garden <${to}>`,
    'Subject: Re: Ann mentioned you',
    `Message-ID: ${id}`,
    'Date: Mon, 30 Nov 2026 10:05:00 +0100',
    'MIME-Version: 1.0',
    ...headers,
    '',
  ].join('\n');
  const whole =
    typeof body === 'string' ? Buffer.from(head + body) : Buffer.concat([Buffer.from(head), body]);
  return Buffer.from(whole.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');
}

const plain = (text: string, type = 'text/plain; charset=utf-8') => `Content-Type: ${type}\n\n${text}`;
const htmlOnly = (html: string) => plain(html, 'text/html; charset=utf-8');
const base64 = (text: string | Buffer, type: string, more = '') =>
  `Content-Type: ${type}\nContent-Transfer-Encoding: base64\n${more}\n${Buffer.from(text)
    .toString('base64')
    .replace(/.{76}/g, '$&\n')}`;
const multipart = (kind: string, ...parts: string[]) =>
  `Content-Type: multipart/${kind}; boundary="=_${kind}"\n\n${parts
    .map((part) => `--=_${kind}\n${part}\n`)
    .join('')}--=_${kind}--\n`;
const both = (text: string, html: string) => multipart('alternative', plain(text), htmlOnly(html));
const attached = (name: string, bytes: Buffer, type = 'application/pdf') =>
  base64(bytes, `${type}; name="${name}"`, `Content-Disposition: attachment; filename="${name}"\n`);
const inline = (id: string, bytes: Buffer) =>
  base64(bytes, 'image/png; name="image001.png"', `Content-ID: <${id}>\nContent-Disposition: inline\n`);

/** Returns a `winmail.dat` (MS-OXTNEF) with a text in the format of Outlook, and files with these names. */
function tnef(...names: string[]): Buffer {
  const attribute = (level: number, id: number, data: Buffer) => {
    const head = Buffer.alloc(9);
    head.writeUInt8(level);
    head.writeUInt32LE(id, 1);
    head.writeUInt32LE(data.length, 5);
    const sum = data.reduce((total, byte) => (total + byte) % 65_536, 0);
    return Buffer.concat([head, data, Buffer.from([sum % 256, sum >> 8])]);
  };
  const head = Buffer.alloc(6);
  head.writeUInt32LE(0x223e9f78);
  return Buffer.concat([
    head,
    attribute(1, 0x00089006, Buffer.from([0, 0, 1, 0])),
    ...names.flatMap((name) => [
      attribute(2, 0x00069002, Buffer.alloc(14)),
      attribute(2, 0x00018010, Buffer.from(`${name}\0`, 'latin1')),
      attribute(2, 0x0006800f, Buffer.from('%PDF-1.4')),
    ]),
  ]);
}

const quoted = `> Ann mentioned you
> In spring market
>
>   > @B shall we take it?
>
> --
> Answer this email to write in spring market.
> Stop these emails: https://garden.example/chat/stop?t=abc-def`;
const quotedHtml = `<h1>Ann mentioned you</h1><p>@B shall we take it?</p>
<p><a href="https://garden.example/chat/stop?t=abc-def">Stop these emails</a></p><img src="cid:logo@garden.example">`;
const outlookHead = (labels: readonly string[]) => {
  const values = [
    'Our garden <chat@garden.example>',
    'Monday, November 30, 2026 10:00 AM',
    'Ben <ben@site.example>',
    'Ann mentioned you',
  ];
  return labels.map((label, n) => `${label}: ${values[n]}`);
};
const outlookHtml = (labels: readonly string[]) =>
  outlookHead(labels)
    .map((line) =>
      line
        .replace('<', '&lt;')
        .replace('>', '&gt;')
        .replace(/^([^:]*:)/, '<b>$1</b>'),
    )
    .join('<br>');
const english = ['From', 'Sent', 'To', 'Subject'];
const german = ['Von', 'Gesendet', 'An', 'Betreff'];
const logo = Buffer.alloc(3000, 7);
const photo = Buffer.alloc(40_000, 9);

/** Answers to a mail, written anew in the formats of mail programs. */
export const answers: readonly MailAnswer[] = [
  {
    of: 'Gmail in a browser',
    body: both(
      `Yes, I will bring it.\n\nOn Mon, Nov 30, 2026 at 10:00 AM Our garden <chat@garden.example>\nwrote:\n\n${quoted}\n`,
      `<div dir="ltr">Yes, I will bring it.</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Mon, Nov 30, 2026 at 10:00 AM Our garden &lt;<a href="mailto:chat@garden.example">chat@garden.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote">${quotedHtml}</blockquote></div>`,
    ),
    text: 'Yes, I will bring it.',
  },
  {
    of: 'Gmail in German, with a wrapped address',
    body: plain(
      `Ja, gern.\n\nAm Mo., 30. Nov. 2026 um 10:00 Uhr schrieb Our garden <\nchat@garden.example>:\n\n${quoted}\n`,
    ),
    text: 'Ja, gern.',
  },
  {
    of: 'Gmail in French, in base64',
    body: base64(
      `Oui, à dix heures.\n\nLe lun. 30 nov. 2026 à 10:00, Our garden <chat@garden.example> a\nécrit :\n\n${quoted}\n`,
      'text/plain; charset="UTF-8"',
    ),
    text: 'Oui, à dix heures.',
  },
  {
    of: 'Gmail in Spanish',
    body: plain(
      `Sí.\n\nEl lun, 30 nov 2026 a las 10:00, Our garden (<chat@garden.example>) escribió:\n\n${quoted}\n`,
    ),
    text: 'Sí.',
  },
  {
    of: 'Gmail in Japanese',
    body: plain(`了解です。\n\n2026年11月30日(月) 10:00 Our garden <chat@garden.example>:\n\n${quoted}\n`),
    text: '了解です。',
  },
  {
    of: 'Gmail with answers between quoted lines',
    body: plain(
      'On Mon, Nov 30, 2026 at 10:00 AM Our garden <chat@garden.example> wrote:\n\n> tea?\n\nYes\n\n> cake?\n\nNo\n',
    ),
    text: 'Yes\n\nNo',
  },
  {
    of: 'Gmail with HTML only',
    body: htmlOnly(
      `<div dir="ltr">First line<div><br></div><div>Second &amp; last</div></div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">On Mon, Nov 30, 2026 at 10:00 AM Our garden &lt;<a href="mailto:chat@garden.example">chat@garden.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote">${quotedHtml}</blockquote></div>`,
    ),
    text: 'First line\n\nSecond & last',
  },
  {
    of: 'Outlook for Windows',
    body: plain(
      `Fine with me.\n\nRegards\nBen\n\n${outlookHead(english).join('\n')}\n\nAnn mentioned you\n@B shall we?\n`,
    ),
    text: 'Fine with me.\n\nRegards\nBen',
  },
  {
    of: 'Outlook for Windows in German, with HTML only',
    body: htmlOnly(
      `<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><style>p.MsoNormal{margin:0}</style></head><body><div class="WordSection1"><p class="MsoNormal">Passt so.<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p><p class="MsoNormal">Bis dann</p><div style="border:none;border-top:solid #E1E1E1 1.0pt"><p class="MsoNormal">${outlookHtml(german)}</p></div>${quotedHtml}</div></body></html>`,
    ),
    text: 'Passt so.\n\nBis dann',
  },
  {
    of: 'Outlook in French',
    body: plain(
      `Bien.\n\n________________________________\n${outlookHead(['De ', 'Envoyé ', 'À ', 'Objet ']).join('\n')}\n\n@B on y va ?\n`,
    ),
    text: 'Bien.',
  },
  {
    of: 'Outlook that shows only the name of the sender',
    body: plain(
      `Good.\n\nFrom: Our garden\nSent: Monday, November 30, 2026 10:00 AM\nTo: Ben <ben@site.example>\nSubject: x\n\n@B shall we?\n`,
    ),
    text: 'Good.',
  },
  {
    of: 'Outlook for iOS',
    body: htmlOnly(
      `<html><body><div dir="ltr">On my way</div><div id="ms-outlook-mobile-signature"><div><br></div>Get <a href="https://aka.ms/o0ukef">Outlook for iOS</a></div><hr><div id="divRplyFwdMsg" dir="ltr">${outlookHtml(english)}</div>${quotedHtml}</body></html>`,
    ),
    text: 'On my way',
  },
  {
    of: 'Outlook on the web',
    body: htmlOnly(
      `<div class="elementToProof">At ten then.</div><div id="appendonsend"></div><hr><div dir="ltr">${outlookHtml(english)}</div>${quotedHtml}`,
    ),
    text: 'At ten then.',
  },
  {
    of: 'Apple Mail',
    body: `Content-Type: text/plain;\n\tcharset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nThe caf=C3=A9 opens at ten, so let us meet there before we go to the =\nmarket.\n\n> On 30 Nov 2026, at 10:00, Our garden <chat@garden.example> wrote:\n>=20\n> @B shall we take it?\n`,
    text: 'The café opens at ten, so let us meet there before we go to the market.',
  },
  {
    of: 'an iPhone',
    body: plain(
      'See you there\n\nSent from my iPhone\n\n> On 30 Nov 2026, at 10:00, Our garden <chat@garden.example> wrote:\n> \n> @B shall we?\n',
    ),
    text: 'See you there',
  },
  {
    of: 'an iPhone in French, with HTML only',
    body: htmlOnly(
      `<html><body dir="auto">À demain<br id="lineBreakAtBeginningOfSignature"><div dir="ltr">Envoyé de mon iPhone</div><div dir="ltr"><br><blockquote type="cite">Le 30 nov. 2026 à 10:00, Our garden &lt;chat@garden.example&gt; a écrit :<br><br></blockquote></div><blockquote type="cite">${quotedHtml}</blockquote></body></html>`,
    ),
    text: 'À demain',
  },
  {
    of: 'an iPhone in Japanese',
    body: plain(
      '明日行きます\n\niPhoneから送信\n\n> 2026/11/30 10:00、Our garden <chat@garden.example>のメール:\n> \n> @B\n',
    ),
    text: '明日行きます',
  },
  {
    of: 'Thunderbird, below the quotation, with a signature',
    body: plain(
      'On 30/11/2026 10:00, Our garden wrote:\n> @B shall we take it? It would be a \n> pity otherwise.\n\nYes, but only if the weather \nis good.\n\n-- \nBen\nSite, first floor\n',
      'text/plain; charset=UTF-8; format=flowed',
    ),
    text: 'Yes, but only if the weather is good.',
  },
  {
    of: 'Thunderbird in German, above the quotation',
    body: plain(`Passt.\n\nAm 30.11.26 um 10:00 schrieb Our garden:\n${quoted}\n`),
    text: 'Passt.',
  },
  {
    of: 'Thunderbird with HTML only',
    body: htmlOnly(
      `<html><body><p>With pleasure</p><ul><li>tea</li><li>cake</li></ul><div class="moz-cite-prefix">On 30/11/2026 10:00, Our garden wrote:<br></div><blockquote type="cite" cite="mid:x">${quotedHtml}</blockquote><pre class="moz-signature">-- \nBen</pre></body></html>`,
    ),
    text: 'With pleasure\n- tea\n- cake',
  },
  {
    of: 'K-9 Mail',
    body: plain(
      `Sure!\n\nOn 30 November 2026 10:00:00 CET, Our garden <chat@garden.example> wrote:\n${quoted}\n-- \nSent from my Android device with K-9 Mail.\n`,
    ),
    text: 'Sure!',
  },
  {
    of: 'Samsung Email',
    body: htmlOnly(
      `<html><body>No time today<div id="composer_signature"><div>Sent from my Galaxy</div></div><div>-------- Original message --------</div><div>From: Our garden &lt;chat@garden.example&gt; </div><div>Date: 30/11/2026  10:00  (GMT+01:00) </div><div>To: ben@site.example </div><div>Subject: Ann mentioned you </div>${quotedHtml}</body></html>`,
    ),
    text: 'No time today',
  },
  {
    of: 'GMX in German',
    body: htmlOnly(
      `<html><body><div>Gerne!</div><div name="quote"><div><b>Gesendet:</b>&nbsp;Montag, 30. November 2026 um 10:00 Uhr<br><b>Von:</b>&nbsp;&quot;Our garden&quot; &lt;chat@garden.example&gt;<br><b>An:</b>&nbsp;ben@site.example<br><b>Betreff:</b>&nbsp;Ann mentioned you</div>${quotedHtml}</div></body></html>`,
    ),
    text: 'Gerne!',
  },
  {
    of: 'Proton Mail',
    body: plain(
      `Of course.\n\nSent with [Proton Mail](https://proton.example/) secure email.\n\nOn Monday, November 30th, 2026 at 10:00 AM, Our garden <chat@garden.example> wrote:\n\n${quoted}\n`,
    ),
    text: 'Of course.',
  },
  {
    of: 'Yahoo Mail',
    body: both(
      'Count me in\n\n    On Monday, November 30, 2026 at 10:00:00 AM GMT+1, Our garden <chat@garden.example> wrote:  \n \n Ann mentioned you\n@B shall we?\n',
      '<div>Count me in</div>',
    ),
    text: 'Count me in',
  },
  {
    of: 'Zoho Mail',
    body: plain(
      `Good idea\n\n---- On Mon, 30 Nov 2026 10:00:00 +0100 Our garden <chat@garden.example> wrote ----\n\nAnn mentioned you\n@B shall we?\n`,
    ),
    text: 'Good idea',
  },
  {
    of: 'Foxmail in Chinese',
    body: plain(
      '好的\n\n------------------ 原始邮件 ------------------\n发件人: "Our garden"<chat@garden.example>;\n发送时间: 2026年11月30日(星期一) 上午10:00\n收件人: "Ben"<ben@site.example>;\n主题: Ann mentioned you\n\n@B shall we?\n',
    ),
    text: '好的',
  },
  {
    of: 'Mail.ru in Russian',
    body: plain(
      `Хорошо\n\nПонедельник, 30 ноября 2026, 10:00 +03:00 от Our garden <chat@garden.example>:\n\n${quoted}\n`,
    ),
    text: 'Хорошо',
  },
  {
    of: 'a Japanese mail program, in ISO-2022-JP',
    body: Buffer.concat([
      Buffer.from('Content-Type: text/plain; charset=ISO-2022-JP\nContent-Transfer-Encoding: 7bit\n\n'),
      Buffer.from('\x1b$B$O$$\x1b(B\n', 'latin1'),
    ]),
    text: 'はい',
  },
  {
    of: 'a French mail program, in ISO-8859-1',
    body: 'Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nD=E9j=E0 fait\n',
    text: 'Déjà fait',
  },
  {
    of: 'an old mail program, in Windows-1252',
    body: 'Content-Type: text/plain; charset=windows-1252\nContent-Transfer-Encoding: quoted-printable\n\n5 =80 =96 each\n',
    text: '5 € – each',
  },
  { of: 'a mail program without MIME', body: '\nJust text\n', text: 'Just text' },
  {
    of: 'a user who quotes a friend',
    body: plain(
      `As she said:\n\n> never again\n\nSo no.\n\nOn Mon, Nov 30, 2026 at 10:00 AM Our garden <chat@garden.example> wrote:\n\n${quoted}\n`,
    ),
    text: 'As she said:\n\n> never again\n\nSo no.',
  },
  {
    of: 'a user who writes labels and lines',
    body: plain(
      'When: 10:30 on 2 May\nWhere: the garden\nWho: ask ann@site.example\n-- two\n== three\nCheers\nBen',
    ),
    text: 'When: 10:30 on 2 May\nWhere: the garden\nWho: ask ann@site.example\n-- two\n== three\nCheers\nBen',
  },
  {
    of: 'Outlook with the logo of a signature',
    body: multipart(
      'related',
      htmlOnly(
        `<p class="MsoNormal">Agreed</p><table class="x_gmail_signature"><tr><td>Ben<img src="cid:logo1"></td></tr></table><blockquote>${quotedHtml}</blockquote>`,
      ),
      inline('logo1', photo),
      inline('logo@garden.example', photo),
    ),
    text: 'Agreed',
  },
  {
    of: 'a mail program with a small logo in the text',
    body: multipart('related', htmlOnly('<p>Agreed <img src="cid:logo1"></p>'), inline('logo1', logo)),
    text: 'Agreed',
  },
  {
    of: 'Gmail with a pasted picture',
    body: multipart(
      'related',
      both('Look\n[image: image.png]', '<div>Look<br><img src="cid:ii_1" alt="image.png"></div>'),
      inline('ii_1', photo),
    ),
    text: 'Look\n[image: image.png]',
    files: ['image001.png'],
  },
  {
    of: 'a mail program with an attachment and an S/MIME signature',
    body: multipart(
      'mixed',
      plain('Here is the plan'),
      attached('plan.pdf', Buffer.from('%PDF-1.4 plan')),
      attached('smime.p7s', logo, 'application/pkcs7-signature'),
    ),
    text: 'Here is the plan',
    files: ['plan.pdf'],
  },
  {
    of: 'a mail program that attaches the answered mail',
    body: multipart(
      'mixed',
      plain('Yes'),
      `Content-Type: message/rfc822\nContent-Disposition: attachment; filename="mail.eml"\n\nFrom: Our garden <chat@garden.example>\nReply-To: <replies+abcdefghijklmnopqrstuvwxyz@garden.example>\n\nAnn mentioned you\n`,
      attached('notes.txt', Buffer.from('one'), 'text/plain'),
    ),
    text: 'Yes',
    files: ['notes.txt'],
  },
  {
    of: 'Exchange, which makes a file of the end of the quoted mail',
    body: multipart(
      'mixed',
      plain('Yes'),
      attached(
        'ATT00001.htm',
        Buffer.from('<a href="https://garden.example/chat/stop?t=abc-def">Stop these emails</a>'),
        'text/html',
      ),
    ),
    text: 'Yes',
  },
  {
    of: 'Outlook with formatted text in winmail.dat',
    body: multipart('mixed', plain('Hello'), attached('winmail.dat', tnef(), 'application/ms-tnef')),
    text: 'Hello',
  },
  {
    of: 'Outlook with files in winmail.dat',
    body: multipart(
      'mixed',
      plain('See attachment'),
      attached('winmail.dat', tnef('plan.pdf', 'Bücher.docx', ''), 'application/octet-stream'),
    ),
    text: 'See attachment',
    lost: ['plan.pdf', 'Bücher.docx', 'winmail.dat'],
  },
  {
    of: 'an attacker, with a winmail.dat that is cut off',
    body: multipart(
      'mixed',
      plain('Hello'),
      attached('winmail.dat', tnef('plan.pdf').subarray(0, 40), 'application/ms-tnef'),
    ),
    text: 'Hello',
    lost: ['winmail.dat'],
  },
  {
    of: 'a mail program with an encrypted mail (PGP)',
    headers: ['Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary="=_e"'],
    body: `\n--=_e\n${plain('Version: 1', 'application/pgp-encrypted')}\n--=_e\n${attached('encrypted.asc', logo, 'application/octet-stream')}\n--=_e--\n`,
    text: '',
  },
  {
    of: 'a mail program with an encrypted mail (S/MIME)',
    body: attached('smime.p7m', logo, 'application/pkcs7-mime'),
    text: '',
  },
  {
    of: 'Apple Mail with a picture between two texts',
    body: multipart(
      'mixed',
      plain('Before'),
      base64(photo, 'image/jpeg; name="IMG_1.jpeg"', 'Content-Disposition: inline; filename="IMG_1.jpeg"\n'),
      plain('After\n\nSent from my iPad'),
    ),
    text: 'Before\n\nAfter',
    files: ['IMG_1.jpeg'],
  },
  {
    of: 'a mail program with a text as a file',
    body: multipart(
      'mixed',
      `Content-Type: text/plain; charset=utf-8\nContent-Disposition: inline\n\nMy notes`,
      attached('notes.txt', Buffer.from('one'), 'text/plain'),
    ),
    text: 'My notes',
    files: ['notes.txt'],
  },
  {
    of: 'the mail app of Windows',
    body: plain(
      `Fine\n\nSent from Mail<https://go.microsoft.com/fwlink/?LinkId=550986> for Windows\n\n${outlookHead(english).join('\n')}\n\n@B shall we?\n`,
    ),
    text: 'Fine',
  },
  {
    of: 'Airmail, with an empty line before the quotation',
    body: plain(
      'Agreed\n\nOn 30 November 2026 at 10:00:00, Our garden (chat@garden.example) said:\n\n> @B shall we?\n',
    ),
    text: 'Agreed',
  },
  {
    of: 'a user who forwards the mail of a friend',
    body: plain(
      `Look at this\n\nFrom: John <john@friends.example>\nDate: Sun, 29 Nov 2026 10:00\nSubject: Tea\n\nI have tea.\n\nOn Mon, Nov 30, 2026 at 10:00 AM Our garden <chat@garden.example> wrote:\n\n${quoted}\n`,
    ),
    text: 'Look at this\n\nFrom: John <john@friends.example>\nDate: Sun, 29 Nov 2026 10:00\nSubject: Tea\n\nI have tea.',
  },
  {
    of: 'a user whose lines look like quotations',
    body: plain(
      'On two days:\n\n10.0.0.1,www.garden.example\n\n- at 10:30 - no\n-rain\n\nBen wrote this at 10:30 himself.\n\n--\nBen',
    ),
    text: 'On two days:\n\n10.0.0.1,www.garden.example\n\n- at 10:30 - no\n-rain\n\nBen wrote this at 10:30 himself.',
  },
  {
    of: 'Gmail for Android',
    body: both(
      `Sounds good 👍\n\nOn Mon, 30 Nov 2026, 10:00 Our garden, <chat@garden.example> wrote:\n\n${quoted}\n`,
      `<div dir="auto">Sounds good 👍</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Mon, 30 Nov 2026, 10:00 Our garden, &lt;<a href="mailto:chat@garden.example">chat@garden.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote">${quotedHtml}</blockquote></div>`,
    ),
    text: 'Sounds good 👍',
  },
  {
    of: 'Gmail in Portuguese, with the signature of its user',
    body: htmlOnly(
      `<div dir="ltr">Pode ser.<br clear="all"><div><br></div><span class="gmail_signature_prefix">-- </span><br><div dir="ltr" class="gmail_signature">Ben<br>Primeiro andar</div></div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">Em seg., 30 de nov. de 2026 às 10:00, Our garden &lt;chat@garden.example&gt; escreveu:<br></div><blockquote class="gmail_quote">${quotedHtml}</blockquote></div>`,
    ),
    text: 'Pode ser.',
  },
  {
    of: 'the new Outlook for Windows',
    body: htmlOnly(
      `<html><body><div class="elementToProof">Let me ask.</div><div class="elementToProof"><br></div><div id="Signature"><p>Ben</p></div><div id="mail-editor-reference-message-container"><hr>${outlookHtml(english)}${quotedHtml}</div></body></html>`,
    ),
    text: 'Let me ask.',
  },
  {
    of: 'Apple Mail in German, with HTML only',
    body: htmlOnly(
      `<html><head></head><body style="overflow-wrap: break-word;">Ich komme.<br id="lineBreakAtBeginningOfMessage"><div><br><blockquote type="cite"><div>Am 30.11.2026 um 10:00 schrieb Our garden &lt;chat@garden.example&gt;:</div><br class="Apple-interchange-newline"><div>${quotedHtml}</div></blockquote></div><br></body></html>`,
    ),
    text: 'Ich komme.',
  },
  {
    of: 'an iPad, with a picture between two texts',
    body: multipart(
      'mixed',
      plain('Before'),
      base64(
        photo,
        'image/jpeg; name="IMG_0001.jpeg"',
        'Content-Disposition: inline; filename="IMG_0001.jpeg"\n',
      ),
      plain('After\n\nSent from my iPad\n'),
    ),
    text: 'Before\n\nAfter',
    files: ['IMG_0001.jpeg'],
  },
  {
    of: 'Thunderbird for Android in Ukrainian',
    body: plain(
      `Так.\n\n30 листопада 2026 р. 10:00:00 GMT+02:00, Our garden <chat@garden.example> пише:\n${quoted}\n-- \nНадіслано з Thunderbird\n`,
    ),
    text: 'Так.',
  },
  {
    of: 'Roundcube',
    body: plain(`Agreed, see you.\n\nOn 2026-11-30 10:00, Our garden wrote:\n${quoted}\n\n-- \nBen\n`),
    text: 'Agreed, see you.',
  },
  {
    of: 'Fastmail',
    body: plain(`Lovely\n\nOn Mon, 30 Nov 2026, at 10:00 AM, Our garden wrote:\n${quoted}\n`),
    text: 'Lovely',
  },
  {
    of: 'a user who answers without own text',
    body: plain(`On Mon, Nov 30, 2026 at 10:00 AM Our garden <chat@garden.example> wrote:\n\n${quoted}\n`),
    text: '',
  },
  { of: 'a phone without own text', body: plain('\n\nSent from my iPhone\n'), text: '' },
  {
    of: 'a user who forwards the mail to the chat',
    body: plain(
      '---------- Forwarded message ---------\nFrom: Our garden <chat@garden.example>\nDate: Mon, Nov 30, 2026 at 10:00 AM\nSubject: Ann mentioned you\nTo: <ben@site.example>\n\n\n@B shall we?\n',
    ),
    text: '',
  },
  {
    of: 'an attacker, with HTML that would run',
    body: htmlOnly(
      '<script>alert(1)</script><style>b{}</style><p onclick="alert(2)">Hi <b>there</b><img src=x onerror=alert(3)></p><a href="javascript:alert(4)">here</a> <a href="https://evil.example/">our page</a><svg><script>alert(5)</script></svg>',
    ),
    text: 'Hi there\nhere our page (https://evil.example/)',
  },
  {
    of: 'an attacker, with control characters',
    body: plain('one\u0000two\u0008\u001b[31m\u200bthree\u2028four'),
    text: 'onetwo[31mthree\u2028four',
  },
  {
    of: 'a user who writes about what was sent',
    body: plain('Kargonuz dün gönderildi.'),
    text: 'Kargonuz dün gönderildi.',
  },
  {
    of: 'a user whose last line begins like that of a phone',
    body: plain('Where is it?\nSent from Leeds on Monday.'),
    text: 'Where is it?\nSent from Leeds on Monday.',
  },
  {
    of: 'a user who writes Persian, with a mark within a word',
    body: plain(
      '\u200c\u0633\u0644\u0627\u0645\u060c \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u200c',
    ),
    text: '\u0633\u0644\u0627\u0645\u060c \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645',
  },
  {
    of: 'a mail program that puts a document beside its text',
    body: [
      'Content-Type: multipart/related; boundary=r',
      '',
      '--r',
      'Content-Type: text/html; charset=utf-8',
      '',
      '<p>The plan</p>',
      '--r',
      'Content-Type: application/pdf; name="plan.pdf"',
      'Content-Disposition: inline; filename="plan.pdf"',
      'Content-ID: <plan@site.example>',
      '',
      '%PDF-1.4',
      '--r--',
      '',
    ].join('\n'),
    text: 'The plan',
    files: ['plan.pdf'],
  },
  {
    of: 'a mail program that quotes the footer without a mark',
    body: plain(
      'Yes\n\nStop these emails: https://garden.example/chat/stop?t=abc-def\nreplies+abcdefghijklmnopqrstuvwxyz@garden.example',
    ),
    text: 'Yes',
  },
  {
    of: 'a mail program that quotes the footer in one long line',
    body: htmlOnly(
      `<p>Yes</p><div><span>${'You get this mail because you asked. '.repeat(12)}</span><a href="https://garden.example/chat/stop?t=abc-def">Stop these emails</a></div>`,
    ),
    text: 'Yes',
  },
  {
    of: 'Outlook with links that a filter rewrote, which quotes the footer without a mark',
    body: htmlOnly(
      '<p>Yes</p><p><a href="https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fgarden.example%2Fchat%2Fstop%3Ft%3Dabc-def&amp;data=05">Stop these emails</a></p>',
    ),
    text: 'Yes',
  },
];

/** Mails that programs send, which must not be answered. */
export const automatic: readonly Pick<MailAnswer, 'of' | 'headers'>[] = [
  { of: 'a vacation notice (RFC 3834)', headers: ['Auto-Submitted: auto-replied'] },
  { of: 'a vacation notice of an old server', headers: ['Precedence: bulk'] },
  { of: 'an automatic answer with Precedence: auto_reply', headers: ['Precedence: auto_reply'] },
  { of: 'an autoresponder of cPanel', headers: ['X-Autorespond: Re: hello'] },
  { of: 'an autoresponder of Lotus', headers: ['X-Mail-Autoreply: yes'] },
  { of: 'an autoresponder of Horde', headers: ['X-Autogenerated: Reply'] },
  { of: 'a mailing list', headers: ['List-Id: <garden.lists.example>'] },
  { of: 'a mail with an empty sender', headers: ['Return-Path: <>'] },
  { of: 'a bounce', headers: ['Content-Type: multipart/report; report-type=delivery-status; boundary="x"'] },
];

/**
 * Returns a report about a mail of the server that was not delivered (RFC 3464), as mail servers send it to the sender.
 * @param returned the headers of that mail
 */
export const bounceOf = (
  returned: readonly string[],
  { status = '5.1.1', action = 'failed', type = 'text/rfc822-headers' } = {},
): Buffer =>
  bytesOf(
    {
      headers: [
        'Return-Path: <>',
        'Auto-Submitted: auto-replied',
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_report"',
      ],
      body: `\n${[
        plain('I’m sorry to have to inform you that your message could not be delivered.'),
        `Content-Description: Delivery report\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.garden.example\nArrival-Date: Mon, 30 Nov 2026 10:00:00 +0100\n\nFinal-Recipient: rfc822; someone@other.example\nAction: ${action}\nStatus: ${status}\nDiagnostic-Code: smtp; 550 ${status} no such user`,
        `Content-Description: Undelivered message headers\nContent-Type: ${type}\n\n${returned.join('\n')}\n\nAnn mentioned you`,
      ]
        .map((part) => `--=_report\n${part}\n`)
        .join('')}--=_report--\n`,
    },
    'chat@garden.example',
    { from: 'MAILER-DAEMON@mx.garden.example (Mail Delivery System)', id: '<report@mx.garden.example>' },
  );

/** The settings of a server whose mails can be answered, without the mail server. */
export const answerable = {
  CHAT_MAIL_FROM: 'Our garden <chat@garden.example>',
  CHAT_MAIL_REPLIES: 'replies@garden.example',
  CHAT_MAIL_TEXT: 'on',
  CHAT_URL: 'https://garden.example/chat',
  CHAT_USER_MAIL: 'account.mail',
  CHAT_TIME_ZONE: noon,
  CHAT_NOTIFY_AFTER: '100ms',
};

let users = 0;

/** Mentions a new user in a room, who then has a mail. @param over fields of the room */
export async function mentionByMail(
  site: PeopleSite,
  server: TestMailServer,
  closed: ReturnType<typeof closedAfterEach>,
  { mail = `ben${++users}@site.example`, ...over }: { mail?: string; [field: string]: unknown } = {},
) {
  const [ann, ben] = [closed(await site.person()), closed(await site.person({ account: { mail } }))];
  const { id: room } = await site.den(ann, [ben], { name: 'spring market', ...over });
  for (const one of [ann, ben]) await one.request('room:join', { room });
  const text = '@B shall we take it?';
  await say(ann, room, text, { mentions: [{ user: ben.id, start: 0, length: 2 }] });
  const got = await mailTo(server, mail);
  /** Returns what the user wrote in the room. */
  const texts = async () => {
    const { messages } = await ann.request('message:history', { room, limit: 50 });
    return messages.flatMap((message) => (message.user.id === ben.id ? message.text : []));
  };
  return { ann, ben, room, mail, to: got.headers.get('reply-to')?.[0] ?? '', got, texts };
}

/** Waits for the `n`th mail to this address. */
export async function mailTo({ mails }: TestMailServer, address: string, n = 1): Promise<ReceivedMail> {
  const all = () => mails.filter(({ to }) => to.includes(address));
  await expect.poll(() => all().length).toBeGreaterThanOrEqual(n);
  return all()[n - 1] as ReceivedMail;
}

/** Passes a mail to a chat server as `receive-mail` does. Returns its outcome, or the code of the error. */
export async function passMail(url: string, mail: Buffer): Promise<string | undefined> {
  const answer = await fetch(`${url}/mail`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}` },
    body: new Uint8Array(mail),
  });
  const { outcome, error } = (await answer.json()) as { outcome?: string; error?: { code: string } };
  return outcome ?? error?.code;
}
