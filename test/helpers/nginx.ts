import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, ownPort, startChild } from './child.ts';

export interface Nginx {
  readonly port: number;
  stop(): Promise<void>;
}

/** What a page of docs/ tells operators to write: the block of a configuration that begins like this. */
export function advised(file: string, language: string, start: string): string {
  const page = readFileSync(new URL(`../../docs/${file}`, import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```(\w+)\n([\s\S]*?)```/g)];
  const block = blocks.find(([, name, text = '']) => name === language && text.startsWith(start))?.[2];
  if (block === undefined) throw new Error(`docs/${file} has no ${language} block that begins with ${start}`);
  return block;
}

/**
 * Port and TLS are the test's own; all else is as it is advised: the chat under a host name of its own, or under a path
 * of the site where that is named.
 */
function configuration(port: number, server: number, php: number | undefined): string {
  const block =
    php === undefined
      ? advised('install.md', 'nginx', 'server {').replace('listen 443 ssl', `listen 127.0.0.1:${port}`)
      : `server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://127.0.0.1:${php}; proxy_set_header Host $http_host; }
    ${advised('install.md', 'nginx', 'location /chat/ {')}
}`;
  return (advised('install.md', 'nginx', 'map ') + block).replace(
    'proxy_pass http://127.0.0.1:7070',
    `proxy_pass http://127.0.0.1:${server}`,
  );
}

/** The whole file, with what is in its `http` block. */
function fileWith(http: string, folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  return `daemon off; master_process off; pid ${join(folder, 'pid')}; error_log stderr;
events { worker_connections 4096; }
http { access_log off; ${temporary.join(' ')}
${http}}`;
}

/** nginx as it is advised, in front of a chat server on this machine; a process of its own, not Debian's service. */
export async function startNginx(server: number, site?: { port?: number; php?: number }): Promise<Nginx> {
  const port = site?.port ?? (await ownPort());
  const php = site?.php;
  const http = configuration(port, server, php);
  return runNginx(http, port, `http://127.0.0.1:${port}${php === undefined ? '' : '/chat'}/healthz`);
}

/** nginx with that in its `http` block. @param url what has to be answered before it is ready */
export async function runNginx(http: string, port: number, url: string): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'chat-nginx-'));
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, fileWith(http, folder));
  // Debian has it where only root's PATH leads.
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

/** A proxy opens its port before its servers can be reached. */
export async function untilAnswered(url: string, proxy: Child): Promise<void> {
  for (;;) {
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return;
    if (proxy.process.exitCode !== null) throw new Error(`the proxy has ended:\n${proxy.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
