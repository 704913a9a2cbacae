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

/** The caching of a file whose name depends on its content. */
const unchanging = 'public, max-age=31536000, immutable';

/** The output of `npm run build`. */
export const clientFolder = new URL('../../client/dist/', import.meta.url);

/** The paths of the pages, by file name. */
const pages: Readonly<Record<string, string>> = { 'index.html': '/', 'moderate.html': '/moderate' };

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.map': 'application/json',
};

/** The build writes these files next to the original: see client/compress-plugin.ts. */
const compressed: readonly [Coding, string][] = [
  ['br', '.br'],
  ['gzip', '.gz'],
];

/**
 * Reads the built browser client into memory once, by path. Only paths in this map are served, so a request cannot
 * leave the folder. The map is empty if the client is not built.
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
      // The build derives the names under assets/ from the content.
      cacheControl: name.startsWith('assets/') ? unchanging : 'no-cache',
      forms,
    });
  }
  return files;
}

/** Addresses of the site that the chat's own pages need. */
interface SiteAddresses {
  readonly login: string;
  /** The origin of the site, for paths in cards. Absent if it is unknown. */
  readonly site?: string | undefined;
  /**
   * Templates for the avatar and the profile page of a user. Absent if the page can use the templates in the settings.
   */
  readonly avatar?: string | undefined;
  readonly profile?: string | undefined;
}

/**
 * Returns the addresses for the chat's own pages. Those pages may have another origin than the site, so paths become
 * full addresses on the site's origin.
 */
export function siteAddresses(
  login: string,
  { avatar, url }: Profile,
  origins: readonly string[],
): SiteAddresses {
  const origin = URL.parse(login)?.origin;
  // The login may be on another host, such as a single sign-on. Only origins whose pages embed the chat belong to the
  // site.
  const site = origin !== undefined && isListed(new Set(origins), origin) ? origin : undefined;
  const absolute = (template: string | undefined) =>
    site !== undefined && template?.startsWith('/') ? site + template : undefined;
  return { login, site, avatar: absolute(avatar), profile: absolute(url) };
}

/**
 * Returns the files with the addresses inserted into the pages, at the placeholders of the build.
 * @param brand adds the look of the site to a page
 */
export function withSiteAddresses(
  files: ReadonlyMap<string, ClientFile>,
  { login, site, avatar, profile }: SiteAddresses,
  brand: (page: string) => string,
): ReadonlyMap<string, ClientFile> {
  const named = { 'login-url': login, 'site-url': site, 'avatar-url': avatar, 'profile-url': profile };
  const attributes = Object.entries(named)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${escapeHtml(value)}"`]))
    .join(' ');
  const filled = new Map(files);
  for (const path of Object.values(pages)) {
    const page = files.get(path);
    const body = page?.forms.get('identity')?.body.toString();
    if (page === undefined || body === undefined) continue;
    const filledIn = brand(body)
      .replaceAll('login-url="__LOGIN_URL__"', () => attributes)
      .replaceAll('__LOGIN_URL__', () => escapeHtml(login));
    filled.set(path, { ...page, forms: new Map([['identity', form(Buffer.from(filledIn))]]) });
  }
  return filled;
}

/** Returns a file for a name that depends on its content. */
export const unchangingFile = (type: string, body: Buffer): ClientFile => ({
  type,
  cacheControl: unchanging,
  forms: new Map([['identity', form(body)]]),
});

/** Returns the start of the SHA-256 of a file's content. */
export const hashOf = (body: Buffer) => createHash('sha256').update(body).digest('base64url').slice(0, 22);

function form(body: Buffer): { body: Buffer; etag: string } {
  return { body, etag: `"${hashOf(body)}"` };
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
