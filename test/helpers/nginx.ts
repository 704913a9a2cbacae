import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startChild } from './child.ts';

export interface Nginx {
  readonly port: number;
  stop(): Promise<void>;
}

/** What docs/install.md tells operators to write: the block of a configuration that begins like this. */
function advised(start: string): string {
  const page = readFileSync(new URL('../../docs/install.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```nginx\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  const block = blocks.find((text) => text.startsWith(start));
  if (block === undefined) throw new Error(`docs/install.md has no nginx block that begins with ${start}`);
  return block;
}

/**
 * Port and TLS are the test's own; all else is as it is advised: the chat under a host name of its own, or under a path
 * of the site where that is named.
 */
function configuration(folder: string, port: number, server: number, php: number | undefined): string {
  const block =
    php === undefined
      ? advised('server {').replace('listen 443 ssl', `listen 127.0.0.1:${port}`)
      : `server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://127.0.0.1:${php}; proxy_set_header Host $http_host; }
    ${advised('location /chat/ {')}
}`;
  const site = (advised('map ') + block).replace(
    'proxy_pass http://127.0.0.1:7070',
    `proxy_pass http://127.0.0.1:${server}`,
  );
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  return `daemon off; master_process off; pid ${join(folder, 'pid')}; error_log stderr;
events { worker_connections 4096; }
http { access_log off; ${temporary.join(' ')}
${site}}`;
}

/** nginx as it is advised, in front of a chat server on this machine; a process of its own, not Debian's service. */
export async function startNginx(server: number, site?: { port?: number; php?: number }): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'chat-nginx-'));
  const port = site?.port ?? (await freePort());
  const php = site?.php;
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration(folder, port, server, php));
  // Debian has it where only root's PATH leads.
  const PATH = `${process.env.PATH}:/usr/sbin`;
  const child = startChild('nginx', ['-p', folder, '-c', file], { env: { PATH } });
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}${php === undefined ? '' : '/chat'}/healthz`).catch(
      () => null,
    );
    if (answer?.ok) break;
    if (child.process.exitCode !== null) throw new Error(`nginx has ended:\n${child.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    port,
    async stop() {
      await child.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
