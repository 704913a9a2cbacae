import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { type Child, ownPort, startChild } from './child.ts';
import { reachable } from './memcached.ts';

export interface PhpCookies extends Child {
  /** Returns the ID of the session that PHP finds in a Cookie header, or null if PHP starts a new session. */
  sessionOf(cookieName: string, header: string): Promise<string | null>;
}

const script = fileURLToPath(new URL('../fixtures/cookie-session.php', import.meta.url));

/** Starts PHP's own web server with a script that reports how PHP reads cookies. */
export async function startPhpCookies(): Promise<PhpCookies> {
  const port = await ownPort();
  const php = startChild('php', ['-S', `127.0.0.1:${port}`, script]);
  await reachable(port, php);
  const agent = new Agent({ maxSockets: 4 });
  return Object.assign(php, {
    sessionOf(cookieName: string, header: string) {
      return new Promise<string | null>((resolve, reject) => {
        const headers = { Cookie: header, 'X-Session-Name': cookieName };
        request({ port, agent, headers }, (answer) => {
          let id = '';
          answer.setEncoding('latin1').on('data', (text: string) => {
            id += text;
          });
          answer.on('end', () => resolve(id === '' ? null : id));
        })
          .on('error', reject)
          .end();
      });
    },
  });
}
