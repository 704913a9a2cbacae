import { type IncomingHttpHeaders, request } from 'node:http';
import { expect } from 'vitest';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Sends a request unchanged. `fetch` does not allow another Host header or source address. */
export function raw(
  url: string,
  options: {
    method?: string;
    path?: string;
    headers?: Record<string, string>;
    /** The source address, such as 127.0.0.2. */
    from?: string;
    body?: string;
  } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = request({
      hostname,
      port,
      method: options.method ?? 'GET',
      path: options.path ?? '/',
      headers: {
        ...(options.body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...options.headers,
      },
      localAddress: options.from,
    });
    outgoing.on('error', reject).on('response', (incoming) => {
      let body = '';
      incoming
        .setEncoding('utf8')
        .on('data', (chunk: string) => {
          body += chunk;
        })
        .on('error', reject)
        .on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }));
    });
    outgoing.end(options.body);
  });
}

/** Checks a response while the store fails. It does not set a cookie, because the session may still exist. */
export function expectUnavailable(answer: Answer): void {
  expect(answer.status).toBe(503);
  expect(answer.headers).not.toHaveProperty('set-cookie');
  expect(answer.headers['retry-after']).toBe('5');
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(answer.body).toContain('Login is not possible right now. Please try again soon.');
}

/** Checks every page that needs the session, with this cookie, without a cookie and with invented cookies. */
export async function expectEveryPageUnavailable(url: string, cookie: string, csrf: string): Promise<void> {
  const form = `username=alice&password=alice&csrf=${csrf}`;
  const answers = await Promise.all([
    raw(url),
    raw(url, { headers: { cookie } }),
    raw(url, { headers: { cookie: `PHPSESSID=${'a'.repeat(26)}` } }),
    raw(url, { headers: { cookie: 'PHPSESSID=../../etc/passwd' } }),
    raw(url, { path: '/session', headers: { cookie } }),
    raw(url, { path: '/login', method: 'POST', headers: { cookie }, body: form }),
    raw(url, { path: '/logout', method: 'POST', headers: { cookie }, body: `csrf=${csrf}` }),
  ]);
  for (const answer of answers) expectUnavailable(answer);
}
