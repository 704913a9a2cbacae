import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, ownPort, startChild } from './child.ts';

export interface Nginx {
  readonly port: number;
  stop(): Promise<void>;
}

/** Returns the configuration block in a page of docs/ that begins with this text. */
export function advised(file: string, language: string, start: string): string {
  const page = readFileSync(new URL(`../../docs/${file}`, import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```(\w+)\n([\s\S]*?)```/g)];
  const block = blocks.find(([, name, text = '']) => name === language && text.startsWith(start))?.[2];
  if (block === undefined) throw new Error(`docs/${file} has no ${language} block that begins with ${start}`);
  return block;
}

/** Returns the configuration of docs/install.md, changed for several servers as in docs/operate/several-servers.md. */
export function advisedForServers(): { http: string; location: string } {
  const page = 'operate/several-servers.md';
  const lines = advised(page, 'nginx', '    rewrite ');
  return {
    http: advised(page, 'nginx', 'upstream ') + advised('install.md', 'nginx', 'map '),
    location: advised('install.md', 'nginx', 'location ^~ /chat/ {').replace(
      / *#.*\n *proxy_pass .*\n/,
      () => lines,
    ),
  };
}

/**
 * Returns the documented configuration with the test's port and without TLS: the chat under a separate host name, as
 * in docs/operate/subdomain.md, or under a path of the site if `php` is given.
 */
function configuration(port: number, server: number, php: number | undefined): string {
  const location = advised('install.md', 'nginx', 'location ^~ /chat/ {');
  const block = `server {
    listen 127.0.0.1:${port};
    ${php === undefined ? location.replaceAll('/chat/', '/') : `location / { proxy_pass http://127.0.0.1:${php}; proxy_set_header Host $http_host; }\n${location}`}
}`;
  return (advised('install.md', 'nginx', 'map ') + block).replace(
    'proxy_pass http://127.0.0.1:7070',
    `proxy_pass http://127.0.0.1:${server}`,
  );
}

/** Returns the whole file, with this content in its `http` block. */
function fileWith(http: string, folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  return `daemon off; master_process off; pid ${join(folder, 'pid')}; error_log stderr;
events { worker_connections 4096; }
http { access_log off; ${temporary.join(' ')}
${http}}`;
}

/**
 * Starts nginx with the documented configuration in front of a chat server on this machine, as a separate process and
 * not as Debian's service.
 */
export async function startNginx(server: number, site?: { port?: number; php?: number }): Promise<Nginx> {
  const port = site?.port ?? (await ownPort());
  const php = site?.php;
  const http = configuration(port, server, php);
  return runNginx(http, port, `http://127.0.0.1:${port}${php === undefined ? '' : '/chat'}/healthz`);
}

/** Starts nginx with this content in its `http` block. @param url must be answered before it is ready */
export async function runNginx(http: string, port: number, url: string): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'chat-nginx-'));
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, fileWith(http, folder));
  // Debian installs nginx where only root's PATH finds it.
  const PATH = `${process.env.PATH}:/usr/sbin`;
  const child = startChild('nginx', ['-p', folder, '-c', file], { env: { PATH } });
  await untilAnswered(url, child);
  return {
    port,
    async stop() {
      await child.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits for the servers behind the proxy, because a proxy opens its port before they are reachable. */
export async function untilAnswered(url: string, proxy: Child): Promise<void> {
  for (;;) {
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return;
    if (proxy.process.exitCode !== null) throw new Error(`the proxy ended:\n${proxy.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
