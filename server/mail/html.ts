import { hue, initials } from '../wire/avatar.ts';
import { readableOn, textOn } from '../wire/branding.ts';
import type { User } from '../wire/events.ts';
import { escaped, Html, html } from './escaping.ts';
import type { Letter, LetterMessage, LetterRoom } from './letter.ts';

const nothing = html``;
const when = (text: string, made: () => Html) => (text === '' ? nothing : made());
const lines = (text: string) => new Html(escaped(text).replaceAll('\n', '<br>'));

/** Styles are inline, because many mail programs ignore style sheets. Outlook needs tables and `bgcolor`. */
const font = new Html(
  "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Noto Sans',Helvetica,Arial,sans-serif",
);
const ink = new Html('color:#1a1d29');
const soft = new Html('color:#596076');

/** The background and text colours of avatars by hue, as in the client. */
const faces: Record<string, readonly [tile: string, letters: string]> = {
  h0: ['#ffd5d5', '#6a2b30'],
  h1: ['#fcdac1', '#653401'],
  h2: ['#ebe2bd', '#514100'],
  h3: ['#ccebcf', '#194f25'],
  h4: ['#bcede9', '#00514d'],
  h5: ['#c4e7ff', '#00476d'],
  h6: ['#deddff', '#3f3a70'],
  h7: ['#f9d5ec', '#612d51'],
};

/** The site, as a mail shows it. */
export interface MailSite {
  name: string;
  /** A colour such as `#a3420b`. */
  accent?: string | undefined;
  /** `address`: the `cid:` URL of the attached picture. Width and height are in pixels. */
  logo?: { address: string; width: number; height: number } | undefined;
}

/** The backgrounds of mails. */
const backgrounds = { light: '#f6f7fa', dark: '#171920' };

/** Colours that depend on the site. */
interface Accent {
  /** The background of the button, and the text on it. */
  fill: string;
  text: string;
  link: string;
}

const accents: Record<'light' | 'dark', Accent> = {
  light: { fill: '#3f4fb0', text: '#ffffff', link: '#3f4fb0' },
  dark: { fill: '#a6b3fa', text: '#0b0d13', link: '#a6b3fa' },
};

function accentsOf(accent: string | undefined): typeof accents {
  if (accent === undefined) return accents;
  const dark = readableOn(backgrounds.dark, accent, 3);
  return {
    light: { fill: accent, text: textOn(accent), link: readableOn(backgrounds.light, accent) },
    dark: { fill: dark, text: textOn(dark), link: readableOn(backgrounds.dark, accent) },
  };
}

const stylesOf = ({ fill, text, link }: Accent) =>
  new Html(`:root{color-scheme:light dark;supported-color-schemes:light dark}
@media (max-width:480px){.pad{padding-left:18px!important;padding-right:18px!important}.outer{padding:0!important}.card{border-radius:0!important}.h1{font-size:20px!important;line-height:26px!important}}
@media (prefers-color-scheme:dark){.bg{background:#111318!important}.card{background:#171920!important}.ink{color:#e8eaf1!important}.soft{color:#a4aabc!important}.line{border-color:#2b2f3a!important}.bub{background:#252833!important;color:#e8eaf1!important}.you{background:#2c2618!important}.acc{color:${link}!important}.btn,.mark{background:${fill}!important}.btn-a,.mark-a{color:${text}!important}.mention{background:#6a5310!important;color:#ffffff!important}}
[data-ogsc] .ink{color:#e8eaf1!important}[data-ogsc] .soft{color:#a4aabc!important}[data-ogsb] .card{background:#171920!important}[data-ogsb] .bub{background:#252833!important}`);

const table = new Html('role="presentation" cellpadding="0" cellspacing="0" border="0"');

/** Values that depend on the direction of writing. */
interface Sides {
  end: 'left' | 'right';
  /** Returns a CSS padding at the start of the line. */
  atStart(px: number): Html;
  /** The corner radii of a bubble. The small corner is next to the author. */
  corners: Html;
}

const sides: Record<'ltr' | 'rtl', Sides> = {
  ltr: {
    end: 'right',
    atStart: (px) => new Html(`0 0 0 ${px}px`),
    corners: new Html('4px 14px 14px 14px'),
  },
  rtl: {
    end: 'left',
    atStart: (px) => new Html(`0 ${px}px 0 0`),
    corners: new Html('14px 4px 14px 14px'),
  },
};

/** Renders a mail as HTML. */
export function htmlOf(
  letter: Letter,
  site: MailSite,
  { lang, direction }: { lang: string; direction: 'ltr' | 'rtl' },
): string {
  const side = sides[direction];
  const { light: accent, dark } = accentsOf(site.accent);
  const link = linkIn(accent);
  const { title, summary, rooms, moreRooms, hidden, open, answer, why, stop, change } = letter;
  const [first] = rooms.flatMap(({ messages }) => messages);
  const preview = first?.author
    ? `${first.author.name}: ${first.text.map(({ text }) => text).join('')}`
    : summary;
  const hasTexts = first !== undefined;
  return html`<!doctype html>
<html lang="${lang}" dir="${direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${title}</title>
<style>
${stylesOf(dark)}
</style>
</head>
<body class="bg" style="margin:0;padding:0;background:#f6f7fa">
<div style="display:none;max-height:0;overflow:hidden;opacity:0;mso-hide:all">${preview}${new Html(`&#8203;${'&zwnj;&nbsp;'.repeat(8)}`)}</div>
<table ${table} class="bg" width="100%" bgcolor="#f6f7fa" style="background:#f6f7fa"><tr><td class="outer" align="center" style="padding:28px 12px">
<!--[if mso]><table ${table} width="600"><tr><td><![endif]-->
<table ${table} class="card" width="100%" bgcolor="#ffffff" style="max-width:600px;background:#ffffff;border-radius:14px">
<tr><td class="pad" style="padding:28px 32px 0"><table ${table}><tr>${markOf(site, accent)}<td class="ink" style="padding:${side.atStart(10)};${font};font-size:15px;line-height:30px;font-weight:700;${ink}"><span dir="auto">${site.name}</span></td></tr></table></td></tr>
<tr><td class="pad" style="padding:20px 32px 0"><h1 class="ink h1" style="margin:0;${font};font-size:23px;line-height:30px;letter-spacing:-.3px;${ink}">${title}</h1>${when(summary, () => html`<p class="soft" style="margin:4px 0 0;${font};font-size:15px;line-height:22px;${soft}">${summary}</p>`)}</td></tr>
${hasTexts ? rooms.map((room) => roomWithMessages(room, side, link)) : list(rooms, side)}
${when(moreRooms + hidden, () => html`<tr><td class="pad" style="padding:14px 32px 0"><p class="soft" style="margin:0;${font};font-size:13px;line-height:20px;${soft}">${lines([moreRooms, hidden].filter((one) => one !== '').join('\n'))}</p></td></tr>`)}
<tr><td class="pad" style="padding:20px 32px 30px"><table ${table}><tr><td class="btn" bgcolor="${accent.fill}" style="border-radius:9px;background:${accent.fill}"><a href="${open.address}" class="btn-a" style="display:inline-block;padding:12px 20px;${font};font-size:15px;line-height:20px;font-weight:700;color:${accent.text};text-decoration:none">${open.text}</a></td></tr></table></td></tr>
</table>
<!--[if mso]></td></tr></table><![endif]-->
<table ${table} width="100%" style="max-width:600px"><tr><td class="pad soft" align="center" style="padding:18px 32px 26px;${font};font-size:13px;line-height:20px;${soft}">${when(answer, () => html`${answer}<br>`)}${why}<br>${link(stop)} &nbsp;·&nbsp; ${link(change)}</td></tr></table>
</td></tr></table>
</body>
</html>
`.text;
}

/** The maximum size of the logo in pixels. Wide, because logos often contain the name. */
const logoSpace = { width: 120, height: 30 };

/** Renders the logo, or the first letter of the name. */
function markOf({ name, logo }: MailSite, { fill, text }: Accent): Html {
  if (logo === undefined)
    return html`<td class="mark mark-a" width="30" height="30" align="center" bgcolor="${fill}" style="width:30px;height:30px;border-radius:8px;background:${fill};color:${text};${font};font-size:15px;line-height:30px;font-weight:700">${initials(name).slice(0, 1)}</td>`;
  // Outlook needs width and height. The white background keeps a dark, transparent logo visible in dark mode.
  const scale = Math.min(logoSpace.width / logo.width, logoSpace.height / logo.height);
  const [width, height] = [logo.width, logo.height].map((side) => `${Math.max(1, Math.round(side * scale))}`);
  return html`<td height="30" valign="middle"><img src="${logo.address}" alt="" width="${width ?? ''}" height="${height ?? ''}" style="display:block;border:0;border-radius:6px;background:#ffffff"></td>`;
}

type RenderLink = (link: { text: string; address: string }) => Html;

const linkIn =
  (accent: Accent): RenderLink =>
  ({ text, address }) =>
    html`<a href="${address}" class="acc" style="color:${accent.link}">${text}</a>`;

function roomWithMessages(
  { name, note, count, messages, more }: LetterRoom,
  side: Sides,
  link: RenderLink,
): Html {
  const line = new Html('padding:0 0 12px;border-bottom:1px solid #e3e5ec');
  return html`<tr><td class="pad" style="padding:24px 32px 0"><table ${table} width="100%"><tr><td class="line" style="${line}"><h2 class="ink" style="margin:0;${font};font-size:16px;line-height:22px;${ink}"><span dir="auto">${name}</span>${when(note, () => html`<span class="soft" style="font-weight:400;font-size:13px;${soft}">&nbsp; ${note}</span>`)}</h2></td><td class="line" align="${side.end}" style="${line};${font};font-size:13px;line-height:22px;white-space:nowrap"><span class="soft" style="${soft}">${count}</span></td></tr></table></td></tr>
<tr><td class="pad" style="padding:16px 32px 0"><table ${table} width="100%">${messages.map((message, n) => bubble(message, messages[n + 1], side))}</table>${when(more.text, () => html`<p style="margin:0 0 4px;padding:${side.atStart(42)};${font};font-size:14px;line-height:20px">${link(more)}</p>`)}</td></tr>
`;
}

/** Renders a message, with the picture and name of its author unless it continues the one before. */
function bubble(
  { author, time, text, files }: LetterMessage,
  next: LetterMessage | undefined,
  side: Sides,
): Html {
  const isYours = text.some(({ you }) => you);
  const [background, kind] = isYours ? ['#fdf4df', 'bub you'] : ['#f0f1f5', 'bub'];
  const file = (one: string, n: number) =>
    html`${n === 0 ? '' : new Html('<br>')}<i class="soft" style="${soft}">${one}</i>`;
  const pieces = text.map((piece) =>
    piece.you
      ? html`<span class="mention" style="background:#fdebae;border-radius:4px;padding:0 3px;font-weight:700">${piece.text}</span>`
      : lines(piece.text),
  );
  const gap = next !== undefined && next.author === undefined ? '3' : '14';
  return html`<tr><td width="42" valign="top" style="width:42px;padding:0 0 ${gap}px">${author === undefined ? nothing : face(author)}</td><td valign="top" style="padding:0 0 ${gap}px">${author === undefined ? nothing : html`<p class="ink" style="margin:0 0 3px;${font};font-size:14px;line-height:20px;${ink}"><b dir="auto">${author.name}</b> <span class="soft" style="${soft};font-size:12px">${time}</span></p>`}<table ${table}><tr><td class="${kind}" bgcolor="${background}" style="padding:8px 12px;border-radius:${side.corners};background:${background};${font};font-size:15px;line-height:22px;${ink};word-break:break-word">${files.map(file)}${text.length > 0 ? html`<div dir="auto">${pieces}</div>` : nothing}</td></tr></table></td></tr>`;
}

function face({ id, name }: User): Html {
  const [tile, letters] = faces[hue(id)] as readonly [string, string];
  return html`<table ${table}><tr><td width="32" height="32" align="center" valign="middle" bgcolor="${tile}" style="width:32px;height:32px;border-radius:16px;background:${tile};color:${letters};${font};font-size:12px;line-height:32px;font-weight:700">${initials(name)}</td></tr></table>`;
}

/** Renders rooms without messages, one per row. */
function list(rooms: readonly LetterRoom[], side: Sides): Html {
  if (rooms.length === 0) return nothing;
  const cell = html`padding:13px 0;border-bottom:1px solid #e3e5ec;${font};font-size:15px;line-height:22px;${ink}`;
  const row = ({ name, note, count }: LetterRoom) =>
    html`<tr><td class="line ink" style="${cell}"><b dir="auto">${name}</b> <span class="soft" style="${soft};font-size:13px">${note}</span></td><td class="line ink" align="${side.end}" style="${cell};white-space:nowrap">${count}</td></tr>`;
  return html`<tr><td class="pad" style="padding:14px 32px 0"><table ${table} width="100%">${rooms.map(row)}</table></td></tr>`;
}
