import { type Branding, lightDarkAccent, textOn } from '../wire/branding.ts';
import { type ClientFile, escapeHtml, hashOf, unchangingFile } from './client-files.ts';

/** Files and HTML that show the look of the site on the chat's own pages. */
export interface BrandedPages {
  /** The logo, the icon and the style sheet, by path. */
  files: ReadonlyMap<string, ClientFile>;
  /** Adds the look to a built page. */
  brand(page: string): string;
}

type AddFile = (start: string, end: string, type: string, body: Buffer) => string;

/**
 * @param client the built client, for its icon
 * @param url the public address of the server. Without it, previews of links to the chat have no picture.
 */
export function brandedPages(
  { name, accent, logo }: Branding,
  client: ReadonlyMap<string, ClientFile>,
  url: string | undefined,
): BrandedPages {
  const files = new Map<string, ClientFile>();
  /** Serves a file under a name that depends on its content. */
  const add: AddFile = (start, end, type, body) => {
    const path = `assets/${start}-${hashOf(body)}.${end}`;
    files.set(`/${path}`, unchangingFile(type, body));
    return path;
  };
  if (logo) files.set(`/${logo.path}`, unchangingFile(logo.type, logo.bytes));
  const icon = logo?.path ?? (accent && coloredIcon(client, accent, add));
  const sheet = accent && add('site', 'css', 'text/css; charset=utf-8', Buffer.from(styleOf(accent)));
  const head = [
    sheet && `<link rel="stylesheet" href="./${sheet}">`,
    name && `<meta property="og:site_name" content="${escapeHtml(name)}">`,
    name && `<meta property="og:title" content="${escapeHtml(name)}">`,
    logo && url && `<meta property="og:image" content="${escapeHtml(`${url}/${logo.path}`)}">`,
  ].filter(Boolean);
  const title = name && `<bdi>${escapeHtml(name)}</bdi>`;
  /** Returns the content of the slot `logo`. The moderators' page shows its own title next to the logo. */
  const slot = (isModerate: boolean) => {
    // There is little space next to a wide logo, which usually contains the name.
    const isWide = logo !== undefined && logo.width > 2 * logo.height;
    const shown = isModerate || isWide ? undefined : title;
    // Without a text, the logo is the heading of the rooms.
    const alt = isModerate || shown ? '' : escapeHtml(name ?? 'Chat');
    const picture = logo && `<img src="./${logo.path}" alt="${alt}">`;
    const parts = [picture, shown].filter(Boolean);
    return parts.length === 0 ? '' : `<span slot="logo" class="site">${parts.join('')}</span>`;
  };
  return {
    files,
    brand: (page) =>
      page
        .replace(/<link rel="icon"[^>]*>/, (link) => (icon ? `<link rel="icon" href="./${icon}">` : link))
        .replace(/(<title>\w+)(<\/title>)/, (whole, start, end) =>
          name ? `${start} · ${escapeHtml(name)}${end}` : whole,
        )
        .replace('</head>', (end) => [...head, end].join('\n'))
        .replace(/<php-chat(-moderate)? [^>]*>/, (tag, moderate) => tag + slot(moderate !== undefined)),
  };
}

const styleOf = (accent: string) =>
  `php-chat, php-chat-moderate { --pc-accent: ${lightDarkAccent(accent)} }\n`;

/** Serves the built icon in the colour of the site. */
function coloredIcon(
  client: ReadonlyMap<string, ClientFile>,
  accent: string,
  add: AddFile,
): string | undefined {
  const [, built] = [...client].find(([path]) => /^\/assets\/icon-[\w-]+\.svg$/.test(path)) ?? [];
  const picture = built?.forms.get('identity')?.body.toString();
  if (built === undefined || picture === undefined) return undefined;
  const colored = picture.replaceAll('#fff', textOn(accent)).replaceAll('#3f4fb0', accent);
  return add('icon', 'svg', built.type, Buffer.from(colored));
}
