import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownPort, startChild } from './child.ts';
import { advised, advisedForServers, runNginx, untilAnswered } from './nginx.ts';

export interface Balancer {
  /** The address of the chat behind the balancer. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Replaces the two servers of docs/operate/several-servers.md with servers at these ports. */
const withServers = (block: string, ports: readonly number[]): string =>
  block.replace(/^( *server \S*) ?10\.0\.0\.11:7070(.*)\n.*10\.0\.0\.12:7070.*\n/gm, (_, start, rest) =>
    ports.map((port, n) => `${start}${/one$/.test(start) ? n : ''} 127.0.0.1:${port}${rest}\n`).join(''),
  );

/** Starts nginx, configured as in docs/operate/several-servers.md, in front of the servers at these local ports. */
export async function startNginxBalancer(ports: readonly number[]): Promise<Balancer> {
  const port = await ownPort();
  const { http: upstreams, location } = advisedForServers();
  const http = `${withServers(upstreams, ports)}
server {
    listen 127.0.0.1:${port};
    ${location}
}
`;
  const url = `http://127.0.0.1:${port}/chat`;
  const nginx = await runNginx(http, port, `${url}/healthz`);
  return { url, stop: nginx.stop };
}

/** Starts HAProxy, configured as in docs/operate/several-servers.md, in front of the servers at these local ports. */
export async function startHaproxy(ports: readonly number[]): Promise<Balancer> {
  const [port, httpPort] = [await ownPort(), await ownPort()];
  const folder = mkdtempSync(join(tmpdir(), 'chat-haproxy-'));
  const file = join(folder, 'haproxy.cfg');
  const block = withServers(advised('operate/several-servers.md', 'haproxy', 'defaults chat'), ports);
  const listening = block
    .replace(/bind :443 .*/, `bind 127.0.0.1:${port}`)
    .replace('bind :80', `bind 127.0.0.1:${httpPort}`);
  writeFileSync(file, listening);
  const child = startChild('haproxy', ['-db', '-f', file], {
    env: { PATH: `${process.env.PATH}:/usr/sbin` },
  });
  const url = `http://127.0.0.1:${port}/chat`;
  await untilAnswered(`${url}/healthz`, child);
  return {
    url,
    async stop() {
      await child.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
