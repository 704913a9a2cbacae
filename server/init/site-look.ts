import { Parser } from 'htmlparser2';
import { NotFetched, request } from '../outgoing/request.ts';
import { maxName } from '../settings/config.ts';
import { colour, readLogo } from '../settings/forms.ts';
import { isBlank, visibleLine } from '../text/blank.ts';
import { contrast, type Logo } from '../wire/branding.ts';

/** The name, colour and logo of a site, as far as its front page has them. */
export interface SiteLook {
  name?: string;
  accent?: string;
  logo?: Logo;
}

/** Timeout in ms for the page and all pictures. */
const maxMs = 5000;
const maxPageBytes = 512 * 1024;
/** Larger pictures cannot be a logo. */
const maxPictureBytes = 64 * 1024;
/** The maximum depth of elements, because the parser slows down with each level. The head of a page has only a few. */
const maxDepth = 100;
/** UTF-16 units that are parsed at once. */
const pieceLength = 8192;
const maxRedirects = 3;
const maxPictures = 4;
/** Maximum UTF-16 units of a text of the page. */
const maxText = 2000;

/**
 * Reads the look of a site from its front page. The page is untrusted, so everything is fetched only from the site's own
 * host and port.
 * @returns the reason if the page cannot be read
 */
export async function readSiteLook(site: URL): Promise<SiteLook | { problem: string }> {
  if (documentation.test(site.hostname)) return { problem: 'the name is reserved for examples' };
  const signal = AbortSignal.timeout(maxMs);
  try {
    const page = await fetchOwn(site, site, 'text/html', maxPageBytes, signal);
    const head = readHead(page.bytes, page.type);
    const base = URL.parse(head.base ?? '', page.url) ?? page.url;
    const name = nameIn(head, site.hostname);
    const accent = colour.safeParse(head.color?.trim()).data;
    const logo = await findLogo(head.icons, base, site, signal);
    return {
      ...(name !== '' && { name }),
      ...(accent !== undefined && isColorful(accent) && { accent }),
      ...(logo !== undefined && { logo }),
    };
  } catch (error) {
    const { name, message, code } = error as NodeJS.ErrnoException;
    return { problem: name === 'TimeoutError' ? `no answer within ${maxMs / 1000} s` : (code ?? message) };
  }
}

/** Hosts in examples (RFC 2606). Development sites use `.test`. */
const documentation = /(^|\.)(example(\.(com|net|org))?|invalid)$/;

interface Fetched {
  url: URL;
  type: string;
  bytes: Buffer;
}

/** Fetches a file of the site, up to `maxBytes`. @throws NotFetched for another host, or a status other than 200 */
async function fetchOwn(
  address: URL,
  site: URL,
  accept: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Fetched> {
  let url = address;
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    if (!isOwn(url, site)) throw new NotFetched(`it leads to another host, ${url.host}`);
    const headers = { Accept: accept, 'User-Agent': 'Mozilla/5.0 (compatible; php-session-chat)' };
    const answer = await request(url, { headers, allowed: new Set([url.host]), signal });
    const { statusCode: status = 0, headers: said } = answer;
    const next = status >= 300 && status < 400 ? URL.parse(said.location ?? '', url) : null;
    if (next !== null) {
      answer.destroy();
      url = next;
      continue;
    }
    if (status !== 200) {
      answer.destroy();
      throw new NotFetched(`status ${status}`);
    }
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of answer as AsyncIterable<Buffer>) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes >= maxBytes) break;
    }
    return { url, type: said['content-type'] ?? '', bytes: Buffer.concat(pieces).subarray(0, maxBytes) };
  }
  throw new NotFetched('too many redirects');
}

/** Whether an address is at the host and port of the site. A usual port is empty, so http may redirect to https. */
const isOwn = (url: URL, site: URL) =>
  /^https?:$/.test(url.protocol) &&
  url.hostname === site.hostname &&
  url.port === site.port &&
  !(site.protocol === 'https:' && url.protocol === 'http:');

interface Icon {
  href: string;
  /** The width in pixels; 0 if unknown. */
  size: number;
}

interface Head {
  title: string;
  /** Contents of `<meta>`, by name. */
  names: Map<string, string>;
  color?: string;
  base?: string;
  icons: Icon[];
}

/** Reads the elements of a page's head. */
function readHead(bytes: Buffer, type: string): Head {
  const start = bytes.subarray(0, 1024).toString('latin1');
  const charset = /charset\s*=\s*["']?\s*([\w:.-]+)/i;
  const html = decode(bytes, charset.exec(type)?.[1] ?? charset.exec(start)?.[1]);
  const head: Head = { title: '', names: new Map(), icons: [] };
  let depth = 0;
  let isTitle = false;
  let isOver = false;
  const parser = new Parser({
    onopentag(tag, { name, property, content = '', media, href = '', rel = '', sizes = '' }) {
      isOver ||= tag === 'body' || ++depth > maxDepth;
      if (isOver) return;
      isTitle = tag === 'title' && head.title === '';
      const key = (property ?? name)?.trim().toLowerCase() ?? '';
      if (tag === 'base') head.base ??= href;
      if (tag === 'meta' && key === 'theme-color' && !/dark/.test(media ?? '')) head.color ??= content;
      if (tag === 'meta' && !head.names.has(key)) head.names.set(key, content.slice(0, maxText));
      const words = rel.toLowerCase().split(/\s+/);
      if (
        tag !== 'link' ||
        href.length > maxText ||
        !words.some((word) => /^(icon|apple-touch-icon.*)$/.test(word))
      )
        return;
      const isApple = words.some((word) => word.startsWith('apple'));
      // An `apple-touch-icon` without `sizes` usually has 180 pixels.
      head.icons.push({ href, size: Number.parseInt(sizes, 10) || (isApple ? 180 : 0) });
    },
    ontext(text) {
      if (isTitle && head.title.length < maxText) head.title += text;
    },
    onclosetag(tag) {
      depth--;
      if (tag === 'title') isTitle = false;
      if (tag === 'head') isOver = true;
    },
  });
  for (let at = 0; at < html.length && !isOver; at += pieceLength)
    parser.write(html.slice(at, at + pieceLength));
  return head;
}

function decode(bytes: Buffer, charset = 'utf-8'): string {
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return new TextDecoder().decode(bytes);
  }
}

/** Finds the name of the site, or the part of the title that is not about the front page. */
function nameIn({ title, names }: Head, host: string): string {
  for (const key of ['og:site_name', 'application-name', 'apple-mobile-web-app-title']) {
    const name = nameFrom(names.get(key) ?? '');
    if (name !== '') return name;
  }
  const parts = title.split(/\s+[|–—·•»:-]+\s+|: /).map(nameFrom);
  const named = parts.filter((part) => part !== '' && !frontPage.test(part));
  const letters = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
  const inHost = named.find((part) => letters(part).length > 2 && letters(host).includes(letters(part)));
  return inHost ?? named[0] ?? '';
}

/** Titles of front pages. */
const frontPage =
  /^(home|home ?page|front ?page|main page|((board|forum) )?index( page)?|start|startseite|startpagina|welcome|welkom|willkommen|accueil|bienvenue|benvenuti|inicio|início|página (inicial|principal)|bem-vindo|strona główna|witamy|ana ?sayfa|hoş geldiniz|главная( страница)?|головна( сторінка)?|首页|主页|ホーム|トップページ|(الصفحة )?الرئيسية|(דף|עמוד) הבית)$/iu;

/** Returns the visible text on one line, cut after a word. */
function nameFrom(text: string): string {
  const words = text.slice(0, maxText).replace(/\s+/g, ' ');
  const line = withoutQuotes(visibleLine(words, maxText));
  if ([...line].length <= maxName) return line;
  const cut = [...line].slice(0, maxName).join('');
  return withoutQuotes(cut.slice(0, cut.lastIndexOf(' ') > 20 ? cut.lastIndexOf(' ') : undefined));
}

/** Removes quotes around a text, because a value with quotes is not a valid setting: see `readTexts`. */
function withoutQuotes(text: string): string {
  let line = text.trim();
  while (/^(['"]).*\1$/s.test(line)) line = line.slice(1, -1).trim();
  return isBlank(line) ? '' : line;
}

/** Whether a colour can be an accent. Many sites set a grey or almost white `theme-color`, for the browser's bars. */
function isColorful(accent: string): boolean {
  const channels = [1, 3, 5].map((at) => Number.parseInt(accent.slice(at, at + 2), 16));
  return Math.max(...channels) - Math.min(...channels) >= 40 && contrast(accent, '#ffffff') >= 1.5;
}

/** Returns the largest icon that can be a logo. */
async function findLogo(
  icons: readonly Icon[],
  base: URL,
  site: URL,
  signal: AbortSignal,
): Promise<Logo | undefined> {
  const own = icons
    .map(({ href, size }) => ({ url: URL.parse(href, base), size }))
    .filter((icon): icon is { url: URL; size: number } => icon.url !== null && isOwn(icon.url, site))
    .sort((a, b) => b.size - a.size)
    .slice(0, maxPictures);
  for (const { url } of own) {
    const picture = await fetchOwn(url, site, 'image/png,image/jpeg', maxPictureBytes + 1, signal).catch(
      () => undefined,
    );
    const logo = picture && readLogo(picture.bytes);
    if (logo !== undefined) return logo;
  }
  return undefined;
}
