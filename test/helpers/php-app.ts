import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, ownPort, startChild } from './child.ts';
import { reachable } from './memcached.ts';

export interface PhpApp extends Child {
  readonly url: string;
  /** The folder of its database, unless APP_DATA names another folder. */
  readonly data: string;
  /** The page with the whole chat. */
  readonly chatPage: string;
  /** Logs a user in over HTTP, as the form does. @returns the session cookie, `PHPSESSID=…` */
  login(username: string, password?: string): Promise<string>;
  /** Logs out over HTTP with that cookie. Resolves when PHP has responded. */
  logout(cookie: string): Promise<void>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

const databases = new Map<string, Buffer>();

/**
 * Returns the database as the first request creates it. Hashing the passwords of its users needs more CPU than most
 * tests.
 */
function usersOfSite(checkout: string): Buffer {
  let database = databases.get(checkout);
  if (database === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'chat-php-'));
    const code = `require 'php-app/src/autoload.php'; PhpSessionChat\\Database::open($argv[1]);`;
    execFileSync('php', ['-r', code, '--', folder], { cwd: checkout });
    database = readFileSync(join(folder, 'site.db'));
    databases.set(checkout, database);
    rmSync(folder, { recursive: true });
  }
  return database;
}

/** Starts the sample application under PHP's own web server, with its own user database. */
export async function startPhpApp(options: {
  /** The port of a memcached for its sessions, if there is no SESSION_STORE in `env`. */
  memcachedPort?: number;
  chatUrl?: string;
  port?: number;
  env?: NodeJS.ProcessEnv;
  /** The folder of its sources. */
  checkout?: string;
}): Promise<PhpApp> {
  const { checkout = root } = options;
  const port = options.port ?? (await ownPort());
  const data = mkdtempSync(join(tmpdir(), 'chat-php-'));
  if (options.env?.APP_DATA === undefined) {
    writeFileSync(join(data, 'site.db'), usersOfSite(checkout), { mode: 0o600 });
  }
  const settings = ['-d', 'session.upload_progress.enabled=0'];
  const child = startChild(
    'php',
    [...settings, '-S', `127.0.0.1:${port}`, '-t', 'php-app/public', 'php-app/public/index.php'],
    {
      cwd: checkout,
      env: {
        ...process.env,
        APP_DATA: data,
        SESSION_STORE: `memcached://127.0.0.1:${options.memcachedPort}?prefix=sessions/&format=json`,
        ...(options.chatUrl === undefined ? {} : { CHAT_URL: options.chatUrl }),
        PHP_CLI_SERVER_WORKERS: '4',
        ...options.env,
      },
    },
  );
  await reachable(port, child);
  child.process.on('close', () => rmSync(data, { recursive: true, force: true }));
  const url = `http://127.0.0.1:${port}`;
  return Object.assign(child, {
    url,
    data,
    chatPage: `${url}/messages`,
    login: (username: string, password?: string) => logIn(url, username, password),
    async logout(cookie: string) {
      const page = await (await fetch(`${url}/`, { headers: { cookie } })).text();
      const answer = await post(`${url}/logout`, cookie, { csrf: csrfToken(page) });
      if (answer.status !== 303) throw new Error(`logout: HTTP ${answer.status}`);
    },
  });
}

/** Logs in to the sample application at that address. */
export async function logIn(url: string, username: string, password = username): Promise<string> {
  const form = await fetch(`${url}/`);
  const before = sessionCookie(form);
  const answer = await post(`${url}/login`, before, {
    username,
    password,
    csrf: csrfToken(await form.text()),
  });
  if (answer.status !== 303) throw new Error(`login of ${username}: HTTP ${answer.status}`);
  return sessionCookie(answer);
}

export function post(url: string, cookie: string, fields: Record<string, string>): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie },
    body: new URLSearchParams(fields),
  });
}

export function csrfToken(page: string): string {
  const match = /name="csrf" value="([^"]+)"/.exec(page);
  if (match?.[1] === undefined) throw new Error('the page has no CSRF token');
  return match[1];
}

export function sessionCookie(answer: Response): string {
  const cookie = answer.headers
    .getSetCookie()
    .findLast((line) => line.startsWith('PHPSESSID='))
    ?.split(';')[0];
  if (cookie === undefined) throw new Error(`HTTP ${answer.status} sets no session cookie`);
  return cookie;
}
