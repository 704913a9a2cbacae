import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { Profile } from '../wire/events.ts';
import { isListed } from '../wire/origins.ts';
import type { Coding } from './encoding.ts';

export interface ClientFile {
  type: string;
  cacheControl: string;
  /** The original, and its compressed forms from the build. */
  forms: ReadonlyMap<Coding, { body: Buffer; etag: string }>;
}

/** The output of `npm run build`. */
export const clientFolder = new URL('../../client/dist/', import.meta.url);

/** The pages with an address of their own. */
const pages: Readonly<Record<string, string>> = { 'index.html': '/', 'moderate.html': '/moderate' };

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.map': 'application/json',
};

/** The build writes these beside a file: client/compress-plugin.ts. */
const compressed: readonly [Coding, string][] = [
  ['br', '.br'],
  ['gzip', '.gz'],
];

/**
 * The built browser client, read into memory once, by path. Only paths in this map are served, so none can lead out of
 * the folder. Empty when the client has not been built.
 */
export function readClientFiles(folder = clientFolder): ReadonlyMap<string, ClientFile> {
  const files = new Map<string, ClientFile>();
  if (!existsSync(folder)) return files;
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const type = types[extname(name)];
    if (type === undefined) continue;
    const path = new URL(name, folder);
    const forms = new Map([['identity' as Coding, form(readFileSync(path))]]);
    for (const [coding, ending] of compressed) {
      const beside = new URL(`${path}${ending}`);
      if (existsSync(beside)) forms.set(coding, form(readFileSync(beside)));
    }
    files.set(pages[name] ?? `/${name}`, {
      type,
      // The build names the files under assets/ by their content.
      cacheControl: name.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
      forms,
    });
  }
  return files;
}

/** What the chat's own pages say about the site. */
interface SiteAddresses {
  readonly login: string;
  /** Templates for the picture and the page of a user; absent if the page can use those of the settings. */
  readonly avatar?: string | undefined;
  readonly profile?: string | undefined;
}

/**
 * Returns the addresses for the chat's own pages. They may have another origin than the site, where a path of the site
 * leads nowhere, so such paths become addresses of the site that the login belongs to.
 */
export function siteAddresses(
  login: string,
  { avatar, url }: Profile,
  origins: readonly string[],
): SiteAddresses {
  const origin = URL.parse(login)?.origin;
  // The login may be on another host, such as that of a single sign-on. Pages of the site embed the chat.
  const site = origin !== undefined && isListed(new Set(origins), origin) ? origin : undefined;
  const absolute = (template: string | undefined) =>
    site !== undefined && template?.startsWith('/') ? site + template : undefined;
  return { login, avatar: absolute(avatar), profile: absolute(url) };
}

/** Returns the files with the addresses in the pages, where the build left a place for them. */
export function withSiteAddresses(
  files: ReadonlyMap<string, ClientFile>,
  { login, avatar, profile }: SiteAddresses,
): ReadonlyMap<string, ClientFile> {
  const attributes = Object.entries({ 'login-url': login, 'avatar-url': avatar, 'profile-url': profile })
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${escapeHtml(value)}"`]))
    .join(' ');
  const filled = new Map(files);
  for (const path of Object.values(pages)) {
    const page = files.get(path);
    const body = page?.forms.get('identity')?.body.toString();
    if (page === undefined || body === undefined) continue;
    const named = body
      .replaceAll('login-url="__LOGIN_URL__"', () => attributes)
      .replaceAll('__LOGIN_URL__', () => escapeHtml(login));
    filled.set(path, { ...page, forms: new Map([['identity', form(Buffer.from(named))]]) });
  }
  return filled;
}

function form(body: Buffer): { body: Buffer; etag: string } {
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
