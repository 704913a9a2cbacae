import dns from 'node:dns';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { run } from '../../server/command/run.ts';
import { nginxLocation, nginxMap } from '../../server/init/web-server.ts';
import { CommandProblem } from '../../server/program/problem.ts';
import { size } from '../guarantees/size.ts';
import { ConnectRefused, connectChat } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { emptyHistory, type RunningChat, usual } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { doctorRun } from '../helpers/doctor-says.ts';
import { runNginx } from '../helpers/nginx.ts';

// Names of the site. The address of this machine alone would always be allowed.
const lookup = dns.lookup;
dns.lookup = ((host: string, options: object, answer: (error: Error | null) => void) =>
  host.endsWith('.invalid')
    ? answer(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }))
    : lookup(
        host.endsWith('site.example') ? '127.0.0.1' : host,
        options as never,
        answer as never,
      )) as typeof dns.lookup;

const folder = mkdtempSync(join(tmpdir(), 'broken-'));
const session = 'a'.repeat(26);
writeFileSync(join(folder, `sess_${session}`), 'user_id|i:7;firstname|s:3:"Ann";');
const webhookKey = join(folder, 'webhook-key');
writeFileSync(webhookKey, `whsec_${Buffer.alloc(32, 7).toString('base64')}\n`);
writeFileSync(join(folder, 'file'), '');
mkdirSync(join(folder, 'sessions'));
const otherProgram = createServer((_, res) => res.end('hello')).listen(0, '127.0.0.1');
await once(otherProgram, 'listening');
const otherPort = (otherProgram.address() as { port: number }).port;
afterAll(() => {
  dns.lookup = lookup;
  otherProgram.close();
  rmSync(folder, { recursive: true });
});

/** An installation as `init` makes it, behind nginx with the lines that `init` prints. */
interface Installation {
  env: Record<string, string>;
  port: number;
  sitePort: number;
}

interface Row {
  /** How the installation is broken. */
  broken: string;
  settings?: (installation: Installation) => Record<string, string>;
  nginx?: (lines: string, installation: Installation) => string;
  /** What happens instead of a start with these settings. */
  starts?: 'not at all' | 'with the right settings';
  /** What a visitor of the site gets: `chats`, or an error code or status. */
  visitor: string;
  /** A finding of the doctor. */
  doctor: RegExp;
  /** A finding of `run --check`. Absent if it can only be seen once the server runs, which the output says. */
  check?: RegExp;
  /** The missing parts. Absent if the server is ready. */
  readyz?: string;
  /** A log line, or the error of the start. Absent if the server cannot see it. */
  log?: RegExp;
}

const remove = (line: RegExp) => (lines: string) => {
  expect(lines).toMatch(line);
  return lines.replace(line, '');
};
const replace = (line: RegExp, by: string) => (lines: string) => {
  expect(lines).toMatch(line);
  return lines.replace(line, by);
};

const notAllowed =
  /^✗ Pages of http:\/\/www\.site\.example:\d+ may not connect: CHAT_ORIGINS is .*\n {2}→ Add it, and restart/m;
const rejectsOrigin =
  /"code":"origin_not_allowed","reason":"CHAT_ORIGINS does not list http:\/\/www\.site\.example/;
const noServer = /^✗ The chat server does not run: nothing answers at http:\/\/127\.0\.0\.1:\d+/m;

const ways: Row[] = [
  // The origin of the pages.
  {
    broken: 'CHAT_ORIGINS without www',
    settings: ({ sitePort }) => ({ CHAT_ORIGINS: `http://site.example:${sitePort}` }),
    visitor: '403 origin_not_allowed',
    doctor: notAllowed,
    check: notAllowed,
    log: rejectsOrigin,
  },
  {
    broken: 'CHAT_ORIGINS left at its default',
    settings: () => ({ CHAT_ORIGINS: '' }),
    visitor: '403 origin_not_allowed',
    doctor: notAllowed,
    check: notAllowed,
    log: rejectsOrigin,
  },
  {
    broken: 'a proxy that removes the header Origin, without native clients',
    settings: () => ({ CHAT_NATIVE_CLIENTS: 'false' }),
    nginx: replace(/proxy_http_version 1\.1;/, '$& proxy_set_header Origin "";'),
    visitor: '403 origin_not_allowed',
    doctor:
      /^✗ The chat server rejects pages of .*\n {2}→ CHAT_ORIGINS lists this origin, so restart the server, and let the proxy pass the header Origin on/m,
    log: /the header Origin is missing/,
  },
  // The server.
  {
    broken: 'a server that does not run',
    starts: 'not at all',
    visitor: '502',
    doctor: noServer,
    readyz: 'down',
  },
  {
    broken: 'a proxy to another port',
    nginx: replace(/proxy_pass \S+:\d+/, 'proxy_pass http://127.0.0.1:1'),
    visitor: '502',
    doctor:
      /^✗ The web server answers at .*, but the chat server behind it does not \(status 502\)\.\n {2}→ Start the chat server\. If it runs, let the proxy forward to its address: http:\/\/127\.0\.0\.1:\d+/m,
  },
  {
    broken: 'settings that changed after the start',
    starts: 'with the right settings',
    settings: ({ sitePort }) => ({ CHAT_ORIGINS: `http://site.example:${sitePort}` }),
    visitor: 'chats',
    doctor: /^! The running server started with other values of CHAT_ORIGINS\.\n {2}→ Restart/m,
    check: notAllowed,
  },
  {
    broken: 'a port that another program has',
    settings: () => ({ CHAT_PORT: String(otherPort) }),
    visitor: '502',
    doctor: /^✗ The chat server does not run: nothing answers at .* \(another program\)/m,
    check:
      /^✗ The server cannot listen at port \d+ of 127\.0\.0\.1 \(EADDRINUSE\)\.\n {2}→ Another program has the port/m,
    readyz: 'down',
    log: /EADDRINUSE/,
  },
  {
    broken: 'a misspelt setting',
    settings: () => ({ CHAT_ORIGIN: 'http://www.site.example' }),
    visitor: '502',
    doctor: /CHAT_ORIGIN: there is no such setting; the nearest is CHAT_ORIGINS/,
    check: /CHAT_ORIGIN: there is no such setting; the nearest is CHAT_ORIGINS/,
    readyz: 'down',
    log: /CHAT_ORIGIN: there is no such setting/,
  },
  // The storage.
  {
    broken: 'a history below a file',
    settings: () => ({ CHAT_HISTORY: `sqlite:${folder}/file/chat.db` }),
    visitor: '502',
    doctor: /^✗ The history .* cannot be created, because .*file is not a folder/m,
    check: /^✗ The history .* cannot be created, because .*file is not a folder/m,
    readyz: 'down',
    log: /file\/chat\.db|ENOTDIR|EEXIST/,
  },
  {
    broken: 'a database of the history that does not run',
    settings: () => ({ CHAT_HISTORY: 'postgres://chat:geheim@127.0.0.1:1/chat' }),
    visitor: '502',
    doctor: /^✗ The history postgres:\/\/127\.0\.0\.1:1\/chat cannot be opened: .*ECONNREFUSED/m,
    check: /^✗ The history postgres:\/\/127\.0\.0\.1:1\/chat cannot be opened: .*ECONNREFUSED/m,
    readyz: 'down',
    log: /postgres:\/\/127\.0\.0\.1:1\/chat/,
  },
  {
    broken: 'a folder for files below a file',
    settings: () => ({ CHAT_FILES: `dir:${folder}/file/files` }),
    visitor: 'chats',
    doctor: /^✗ The server cannot store files in the folder .*file\/files: ENOTDIR\.\n {2}→ Let the account/m,
    check: /^✗ Files cannot be stored in the folder .*file\/files \(ENOTDIR\)\.\n {2}→ Let the account/m,
    log: /file storage unavailable, uploads fail/,
  },
  // The logins.
  {
    broken: 'a session store that does not run',
    settings: () => ({ CHAT_SESSION_STORE: 'memcached://127.0.0.1:1' }),
    visitor: 'session_store_unavailable',
    doctor:
      /^✗ The server cannot read logins, so nobody can connect: memcached at 127\.0\.0\.1:1 cannot be reached/m,
    check:
      /^✗ The server cannot read logins, so nobody can connect: memcached at 127\.0\.0\.1:1 cannot be reached/m,
    readyz: 'session store',
    log: /session store unavailable, rejecting connections/,
  },
  {
    broken: 'a session folder that does not exist',
    settings: () => ({ CHAT_SESSION_STORE: `file://${folder}/none` }),
    visitor: 'session_store_unavailable',
    doctor: /^✗ The server cannot read logins, .*the session folder .*none/m,
    check: /^✗ The server cannot read logins, .*the session folder .*none/m,
    readyz: 'session store',
    log: /session store unavailable, rejecting connections/,
  },
  {
    broken: 'another session folder',
    settings: () => ({ CHAT_SESSION_STORE: `file://${folder}/sessions` }),
    visitor: 'unauthorized',
    doctor: /^✗ .*the store has no such session/m,
    log: /the store has no such session/,
  },
  {
    broken: 'a path to the user that the session lacks',
    settings: () => ({ CHAT_USER_ID: 'account.id' }),
    visitor: 'unauthorized',
    doctor: /account.* is not in the session[\s\S]*^ {2}→ .*CHAT_USER_ID=user_id/m,
    log: /is not in the session/,
  },
  {
    broken: 'another name of the cookie',
    settings: () => ({ CHAT_SESSION_NAME: 'SITESESS' }),
    visitor: 'unauthorized',
    doctor: /^✗ There is no cookie SITESESS among these: PHPSESSID/m,
    log: /SITESESS/,
  },
  // The proxy.
  {
    broken: 'a proxy that does not remove the prefix',
    nginx: replace(/(proxy_pass \S+:\d+)\//, '$1'),
    visitor: '404 not_found',
    doctor:
      /^✗ There is no chat at .*\/chat: \/socket\.io\/ returns status 404\.\n {2}→ Configure the proxy to forward this path without its prefix/m,
  },
  {
    broken: 'a proxy without WebSocket',
    nginx: remove(/proxy_set_header Upgrade .*;/),
    visitor: 'chats by polling',
    doctor:
      /^✗ WebSockets do not reach the chat at .*\n {2}→ Configure the proxy to forward the WebSocket upgrade/m,
  },
  {
    broken: 'a proxy that does not pass the host on',
    nginx: remove(/proxy_set_header Host .*;/),
    visitor: 'chats',
    doctor:
      /^✗ The proxy passes the host 127\.0\.0\.1:\d+ to the chat server instead of www\.site\.example:\d+.*\n {2}→ .*proxy_set_header Host \$http_host/m,
  },
  {
    broken: 'a proxy that hides the address of the client',
    nginx: remove(/proxy_set_header X-Forwarded-For .*;/),
    visitor: 'chats',
    doctor:
      /^✗ The proxy 127\.0\.0\.1 does not send X-Forwarded-For, .*\n {2}→ .*proxy_set_header X-Forwarded-For \$remote_addr/m,
  },
  {
    broken: 'no trusted proxy',
    settings: () => ({ CHAT_TRUSTED_PROXIES: '' }),
    visitor: 'chats',
    doctor:
      /^✗ Requests come through the proxy 127\.0\.0\.1, which CHAT_TRUSTED_PROXIES does not list, .*\n {2}→ .*CHAT_TRUSTED_PROXIES=127\.0\.0\.1/m,
    check: /^✗ All visitors would share the limits of one address/m,
  },
  {
    broken: 'all addresses as trusted proxies',
    settings: () => ({ CHAT_TRUSTED_PROXIES: '0.0.0.0/0' }),
    visitor: 'chats',
    doctor: /^✗ CHAT_TRUSTED_PROXIES has 0\.0\.0\.0\/0/m,
    check: /^✗ CHAT_TRUSTED_PROXIES has 0\.0\.0\.0\/0/m,
  },
  {
    broken: 'the limit of uploads that nginx has by default',
    nginx: remove(/client_max_body_size .*;/),
    visitor: 'chats',
    doctor: /^✗ The web server rejects uploads of 10 MB, .*\n {2}→ .*client_max_body_size 10m/m,
  },
  {
    broken: 'a password for the whole site',
    nginx: replace(/proxy_http_version 1\.1;/, `$& auth_basic site; auth_basic_user_file ${folder}/file;`),
    visitor: '401',
    doctor:
      /^✗ The web server rejects requests to .* \(status 401\)\.\n {2}→ Let the web server admit all visitors/m,
  },
  {
    broken: 'a proxy that admits only GET',
    nginx: replace(/proxy_http_version 1\.1;/, '$& limit_except GET { deny all; }'),
    visitor: 'chats',
    doctor:
      /^✗ The web server rejects POST requests to .* \(status 403\), .*\n {2}→ Let the web server forward all methods/m,
  },
  {
    broken: 'a redirect to another host',
    nginx: replace(/proxy_pass .*;/, 'return 301 https://new.example$request_uri;'),
    visitor: '301',
    doctor:
      /^✗ There is no chat at .*: it redirects to https:\/\/new\.example\/chat\/.*\n {2}→ Use the address to which it redirects/m,
  },
  {
    broken: 'a path of the chat that the proxy does not forward in CHAT_URL',
    settings: ({ sitePort }) => ({ CHAT_URL: `http://www.site.example:${sitePort}/talk` }),
    visitor: 'chats',
    doctor: /^✗ There is no chat at .*\/talk: \/socket\.io\/ returns status 404/m,
  },
  {
    broken: 'a port without a web server in CHAT_URL',
    settings: () => ({ CHAT_URL: 'http://www.site.example:2/chat' }),
    visitor: 'chats',
    doctor:
      /^✗ The chat cannot be reached at http:\/\/www\.site\.example:2\/chat \(ECONNREFUSED\)\.\n {2}→ Check that the web server listens/m,
  },
  {
    broken: 'a host that does not exist in CHAT_URL',
    settings: () => ({ CHAT_URL: 'http://chat.invalid/chat' }),
    visitor: 'chats',
    doctor:
      /^✗ The chat cannot be reached at http:\/\/chat\.invalid\/chat \(ENOTFOUND\)\.\n {2}→ This machine cannot resolve the host/m,
  },
  // What the site and others should receive.
  {
    broken: 'a site that does not accept events',
    settings: () => ({
      CHAT_WEBHOOK_URL: 'http://127.0.0.1:1/chat-events',
      CHAT_WEBHOOK_KEY_FILE: webhookKey,
    }),
    visitor: 'chats',
    doctor:
      /^✗ The site does not accept events at http:\/\/127\.0\.0\.1:1\/chat-events: .*ECONNREFUSED.* since .*\n {2}→ Correct the site, or CHAT_WEBHOOK_URL/m,
    log: /could not deliver an event to the site/,
  },
  {
    broken: 'a WordPress plugin without PHP_SESSION_CHAT_WEBHOOK_KEY',
    // The site answers 404, as WordPress does for an unknown route.
    settings: ({ sitePort }) => ({
      CHAT_WEBHOOK_URL: `http://127.0.0.1:${sitePort}/wp-json/php-session-chat/v1/events`,
      CHAT_WEBHOOK_KEY_FILE: webhookKey,
    }),
    visitor: 'chats',
    doctor:
      /^✗ The site does not accept events at http:\/\/127\.0\.0\.1:\d+\/wp-json\/\S+: .*status 404.*\n {2}→ Set PHP_SESSION_CHAT_WEBHOOK_KEY in wp-config\.php/m,
    log: /could not deliver an event to the site/,
  },
  {
    broken: 'a mail server that does not run',
    settings: () => ({ CHAT_MAIL: 'smtp://127.0.0.1:1', CHAT_MAIL_FROM: 'chat@site.example' }),
    visitor: 'chats',
    doctor: /^✗ Mails cannot be sent through smtp:\/\/127\.0\.0\.1:1: .*\n {2}→ Correct CHAT_MAIL/m,
    check: /^✗ Mails cannot be sent through smtp:\/\/127\.0\.0\.1:1: .*\n {2}→ Correct CHAT_MAIL/m,
  },
];

/** Other ways to the findings of rows above. */
const others: Row[] = [
  {
    broken: 'CHAT_ORIGINS with https for a site with http',
    settings: ({ sitePort }) => ({ CHAT_ORIGINS: `https://www.site.example:${sitePort}` }),
    visitor: '403 origin_not_allowed',
    doctor: notAllowed,
    check: notAllowed,
    log: rejectsOrigin,
  },
  {
    broken: 'CHAT_ORIGINS without the port of the site',
    settings: () => ({ CHAT_ORIGINS: 'http://www.other.example' }),
    visitor: '403 origin_not_allowed',
    doctor: notAllowed,
    check: notAllowed,
    log: rejectsOrigin,
  },
  {
    broken: 'an address of another machine in CHAT_HOST',
    settings: () => ({ CHAT_HOST: '203.0.113.7' }),
    visitor: '502',
    doctor: /^✗ The chat server does not run/m,
    check: /^✗ The server cannot listen at port \d+ of 203\.0\.113\.7 \(EADDRNOTAVAIL\)/m,
    readyz: 'down',
    log: /EADDRNOTAVAIL/,
  },
  {
    broken: 'a key file that does not exist',
    settings: () => ({ CHAT_API_KEY_FILE: join(folder, 'none') }),
    visitor: '502',
    doctor: /CHAT_API_KEY_FILE: .*none/,
    check: /CHAT_API_KEY_FILE: .*none/,
    readyz: 'down',
    log: /CHAT_API_KEY_FILE/,
  },
  {
    broken: 'a folder as history',
    settings: () => ({ CHAT_HISTORY: `sqlite:${folder}/sessions` }),
    visitor: '502',
    doctor: /^✗ The history .*sessions is not a file/m,
    check: /^✗ The history .*sessions is not a file/m,
    readyz: 'down',
    log: /sessions/,
  },
  {
    broken: 'a proxy without the chat',
    nginx: () => '',
    visitor: '404',
    doctor: /^✗ There is no chat at .*\/chat: \/socket\.io\/ returns status 404/m,
  },
  {
    broken: 'a proxy to another program',
    nginx: replace(/proxy_pass \S+:\d+/, `proxy_pass http://127.0.0.1:${otherPort}`),
    visitor: '200',
    doctor: /^✗ There is no chat at .*\/chat: \/socket\.io\/ returns status 200/m,
  },
  {
    broken: 'a proxy that sends another host',
    nginx: replace(/Host \$http_host/, 'Host backend'),
    visitor: 'chats',
    doctor: /^✗ The proxy passes the host backend to the chat server instead of www\.site\.example/m,
  },
  {
    broken: 'another address in CHAT_TRUSTED_PROXIES',
    settings: () => ({ CHAT_TRUSTED_PROXIES: '10.0.0.5' }),
    visitor: 'chats',
    doctor:
      /^✗ Requests come through the proxy 127\.0\.0\.1, which CHAT_TRUSTED_PROXIES does not list, .*\n {2}→ .*CHAT_TRUSTED_PROXIES=10\.0\.0\.5,127\.0\.0\.1/m,
  },
  {
    broken: 'a proxy that only some addresses may use',
    nginx: replace(/proxy_http_version 1\.1;/, '$& deny all;'),
    visitor: '403',
    doctor: /^✗ The web server rejects requests to .* \(status 403\)/m,
  },
  {
    broken: 'a web server that fails',
    nginx: replace(/proxy_pass .*;/, 'return 500;'),
    visitor: '500',
    doctor: /^✗ The web server answers at .*, but the chat server behind it does not \(status 500\)/m,
  },
];

const table = size([...ways, ...others], ways);

async function install({ settings, nginx }: Pick<Row, 'settings' | 'nginx'>) {
  const history = await emptyHistory();
  const [port, sitePort] = [await ownPort(), await ownPort()];
  const right = {
    ...usual,
    CHAT_PORT: String(port),
    CHAT_ORIGINS: `http://www.site.example:${sitePort}`,
    CHAT_TRUSTED_PROXIES: '127.0.0.1',
    CHAT_URL: `http://www.site.example:${sitePort}/chat`,
    CHAT_SESSION_STORE: `file://${folder}`,
    CHAT_HISTORY: history.url,
    CHAT_FILES: history.files,
  };
  const installation = { env: right, port, sitePort };
  const location = nginxLocation('/chat/', `127.0.0.1:${port}`);
  const web = await runNginx(
    `${nginxMap} server { listen 127.0.0.1:${sitePort}; location = /up { return 200; }
    ${nginx === undefined ? location : nginx(location, installation)} }`,
    sitePort,
    `http://127.0.0.1:${sitePort}/up`,
  );
  return {
    right,
    env: { ...right, ...settings?.(installation) },
    site: `http://www.site.example:${sitePort}`,
    async remove() {
      await web.stop();
      history.remove();
    },
  };
}

/** Does what the browser of a logged-in visitor does. */
async function visit(site: string): Promise<string> {
  const cookie = `PHPSESSID=${session}`;
  for (const transport of ['websocket', 'polling'] as const) {
    try {
      const client = await connectChat(site, null, {
        path: '/chat/socket.io/',
        transports: [transport],
        extraHeaders: { cookie, origin: site },
      });
      await client.request('room:join', { room: 'lobby' });
      await client.request('message:send', { room: 'lobby', clientId: crypto.randomUUID(), text: 'hello' });
      client.close();
      return transport === 'websocket' ? 'chats' : 'chats by polling';
    } catch (error) {
      if (!(error instanceof ConnectRefused)) return (error as Error).message;
      if (error.data !== undefined) return error.data.code;
    }
  }
  const response = await fetch(`${site}/chat/socket.io/?EIO=4&transport=polling`, {
    method: 'POST',
    headers: { cookie, origin: site },
    redirect: 'manual',
  });
  const code = /"code":"(\w+)"/.exec(await response.text())?.[1];
  return [response.status, ...(code === undefined ? [] : [code])].join(' ');
}

async function readiness({ CHAT_HOST, CHAT_PORT }: Record<string, string>): Promise<string> {
  const answer = await fetch(`http://${CHAT_HOST}:${CHAT_PORT}/readyz`, { signal: AbortSignal.timeout(2000) })
    .then((response) => response.json() as Promise<{ status: string; missing?: string[] }>)
    .catch(() => undefined);
  return answer === undefined ? 'down' : (answer.missing?.join(', ') ?? answer.status);
}

/** Runs `run --check`. @returns its exit code and output */
async function check(env: Record<string, string>): Promise<{ code: number | undefined; output: string }> {
  const lines: string[] = [];
  const print = vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line));
  const umask = vi.spyOn(process, 'umask').mockReturnValue(0);
  try {
    const code = await run(['--settings=', '--check'], env);
    return { code, output: lines.join('\n') };
  } catch (error) {
    if (!(error instanceof CommandProblem)) throw error;
    return { code: error.code, output: error.message };
  } finally {
    print.mockRestore();
    umask.mockRestore();
  }
}

/** Starts the server. @returns the error if it does not start */
async function start(env: Record<string, string>): Promise<RunningChat | string> {
  try {
    return await chatServerHere(env);
  } catch (error) {
    return (error as Error).message;
  }
}

test('an installation as init makes it has no problem', async () => {
  const { env, site, remove } = await install({});
  expect((await check(env)).code).toBe(0);
  const server = await chatServerHere(env);
  expect(await visit(site)).toBe('chats');
  const { code, output } = await doctorRun(env, '--cookie', session);
  expect(output).not.toMatch(/^✗/m);
  expect(code).toBe(0);
  expect(output).toMatch(/^✓ The requests of visitors arrive as they should\.$/m);
  const passes = /^✓ The host and the address of the client reach the chat server\.$/m;
  expect(output).toMatch(passes);
  const proxied = `http://127.0.0.1:${new URL(site).port}/chat`;
  expect((await doctorRun({ ...env, CHAT_URL: proxied })).output).toMatch(passes);
  // No proxy is between the doctor and the port of the server.
  const direct = await doctorRun({ ...env, CHAT_URL: `http://127.0.0.1:${server.port}` });
  expect(direct.output).toMatch(/^✓ A WebSocket reaches/m);
  expect(direct.output).not.toMatch(/host and the address of the client|the proxy/i);
  expect(await readiness(env)).toBe('ready');
  expect(server.output()).not.toMatch(/"level":[456]0/);
  await server.stop();
  await remove();
});

describe('a broken installation', () => {
  test.each(table)('with $broken is named by everything that checks it', async (row) => {
    const { right, env, site, remove } = await install(row);
    const checked = await check(env);
    const isFree = /^✓ The port \d+ of \S+ is free/m;
    if (isFree.test(checked.output))
      expect(checked.output).toMatch(/is free: no chat server runs there now\.$/m);
    if (row.check === undefined) expect(checked.output).toContain('Not checked: ');
    else {
      expect(checked.output).toMatch(row.check);
      expect(checked.code).not.toBe(0);
    }

    const server = row.starts === 'not at all' ? '' : await start(row.starts === undefined ? env : right);
    expect(await visit(site)).toBe(row.visitor);
    expect(await readiness(env)).toBe(row.readyz ?? 'ready');
    const log = () => (typeof server === 'string' ? server : server.output());
    if (row.log !== undefined) await expect.poll(log).toMatch(row.log);

    const { code, output } = await doctorRun(env, '--cookie', `PHPSESSID=${session}`);
    expect(output).toMatch(row.doctor);
    // A running server that visitors can use may have advice only.
    if (row.visitor !== 'chats' || row.doctor.source.startsWith('^✗')) expect(code).not.toBe(0);
    if (typeof server !== 'string') await server.stop();
    await remove();
  });
});
