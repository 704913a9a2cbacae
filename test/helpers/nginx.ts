import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startChild } from './child.ts';

export interface Nginx {
  readonly port: number;
  stop(): Promise<void>;
}

/** Port and TLS are the test's own; all else is what docs/install.md tells operators to write. */
function configuration(folder: string, port: number, server: number): string {
  const page = readFileSync(new URL('../../docs/install.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```nginx\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  const advised = ['map ', 'server {'].map((start) => {
    const block = blocks.find((text) => text.startsWith(start));
    if (block === undefined) throw new Error(`docs/install.md has no nginx block that begins with ${start}`);
    return block;
  });
  const site = advised
    .join('')
    .replace('listen 443 ssl', `listen 127.0.0.1:${port}`)
    .replace('proxy_pass http://127.0.0.1:7070', `proxy_pass http://127.0.0.1:${server}`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  return `daemon off; master_process off; pid ${join(folder, 'pid')}; error_log stderr;
events { worker_connections 4096; }
http { access_log off; ${temporary.join(' ')}
${site}}`;
}

/** nginx as it is advised, in front of a chat server on this machine; a process of its own, not Debian's service. */
export async function startNginx(server: number): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'chat-nginx-'));
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration(folder, port, server));
  // Debian has it where only root's PATH leads.
  const PATH = `${process.env.PATH}:/usr/sbin`;
  const child = startChild('nginx', ['-p', folder, '-c', file], { env: { PATH } });
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null);
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
