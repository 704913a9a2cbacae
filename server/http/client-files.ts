import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';

export interface ClientFile {
  body: Buffer;
  type: string;
  etag: string;
  cacheControl: string;
}

/** What `npm run build` makes. */
export const clientFolder = new URL('../../client/dist/', import.meta.url);

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.map': 'application/json',
};

/**
 * The built browser client, read once into memory by its paths: what is not in this map is not served, so that
 * no path can lead out of the folder. Empty when the client has not been built.
 */
export function readClientFiles(folder: URL, loginUrl: string): ReadonlyMap<string, ClientFile> {
  const files = new Map<string, ClientFile>();
  if (!existsSync(folder)) return files;
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const type = types[extname(name)];
    if (type === undefined) continue;
    let body = readFileSync(new URL(name, folder));
    if (name === 'index.html')
      body = Buffer.from(body.toString().replaceAll('__LOGIN_URL__', escapeHtml(loginUrl)));
    files.set(name === 'index.html' ? '/' : `/${name}`, {
      body,
      type,
      etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
      // The build names the files under assets/ by their content.
      cacheControl: name.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    });
  }
  return files;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
