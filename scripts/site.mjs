import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG, Problem } from './command.mjs';
import { root, runtime } from './npm-packages.mjs';
import { freePort, portFrom, requireFree } from './ports.mjs';
import { isEnding } from './processes.mjs';
import { accepts, answers, startService } from './service.mjs';

/** @typedef {{ app: number, chat: number }} Ports */

/**
 * The two ports that a browser uses, and a function that checks that they are free.
 * @param {string} command for the advice
 * @param {string} chat the program that will listen on the port of the chat
 */
export function sitePorts(command, chat) {
  const ports = { app: portFrom('APP_PORT', 8080), chat: portFrom('CHAT_PORT', 7070) };
  if (ports.app === ports.chat) throw new Problem(`APP_PORT and CHAT_PORT are both ${ports.app}`, CONFIG);
  return {
    ports,
    async requireFree() {
      await requireFree('APP_PORT', ports.app, 'the PHP application', command);
      await requireFree('CHAT_PORT', ports.chat, chat, command);
    },
  };
}

/** A key for PHP and the chat server only; a key in the environment is passed to both unchanged. */
export function apiKey() {
  const own = process.env.CHAT_API_KEY || process.env.CHAT_API_KEY_FILE;
  return own ? {} : { CHAT_API_KEY: randomBytes(32).toString('base64url') };
}

/**
 * The key and the address of the events for the site: PHP learns who has missed messages. An address in the environment is
 * left as it is.
 * @param {Ports} ports
 */
export function siteEvents(ports) {
  if (process.env.CHAT_WEBHOOK_URL || process.env.CHAT_WEBHOOK_KEY_FILE) return {};
  const folder = join(root, 'data');
  const file = join(folder, 'webhook-key');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(file, `whsec_${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
  return {
    CHAT_WEBHOOK_KEY_FILE: file,
    CHAT_WEBHOOK_URL: `http://127.0.0.1:${ports.app}/chat-events`,
    CHAT_WEBHOOK_EVENTS: 'notify.due',
    CHAT_NOTIFY_AFTER: '5m',
    // Nobody has quiet hours at another time than the clock of this machine says.
    CHAT_TIME_ZONE: Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
}

/** Starts a separate memcached for the sessions. */
export async function startSessionStore() {
  const port = await freePort();
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []; // memcached refuses to run as root without it
  const args = ['-l', '127.0.0.1', '-p', String(port), '-U', '0', ...user];
  const service = startService('memcached server', 'memcached', args, process.env);
  await service.ready(() => accepts(port));
  return { service, url: `memcached://127.0.0.1:${port}?prefix=sessions/&format=json` };
}

/** @param {Ports} ports @param {string} store @param {NodeJS.ProcessEnv} shared with the chat server */
export async function startPhp(ports, store, shared) {
  const env = {
    ...process.env,
    ...shared,
    CHAT_API_URL: `http://127.0.0.1:${ports.chat}`,
    SESSION_STORE: store,
    APP_DATA: join(root, 'data'),
    // Without workers a slow page would block all others.
    PHP_CLI_SERVER_WORKERS: '4',
    ...(ports.chat === 7070 ? {} : { CHAT_URL: `http://localhost:${ports.chat}` }),
  };
  // PHP's server binds one address. On 127.0.0.1 it serves everybody who says localhost (browsers fall back to it when
  // nobody answers on ::1) and nobody outside: the passwords of the demonstration are public.
  const args = ['-S', `127.0.0.1:${ports.app}`, '-t', 'php-app/public', 'php-app/public/index.php'];
  const service = startService('PHP application', 'php', args, env);
  await service.ready(() => answers(`http://127.0.0.1:${ports.app}/`));
  return service;
}

/**
 * @param {string} name the name that the reader sees
 * @param {number} port
 * @param {Ports} ports
 * @param {NodeJS.ProcessEnv} settings
 */
export async function startChat(name, port, ports, settings) {
  const { node, env } = runtime();
  const service = startService(
    name,
    node,
    // The settings of a chat on this machine do not count.
    [
      ...['--max-semi-space-size=4', '--heap-growing-percent=50', 'server/command/main.ts'],
      'run',
      '--settings=',
    ],
    {
      NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'node'),
      CHAT_ORIGINS: `http://localhost:${ports.app},http://127.0.0.1:${ports.app}`,
      CHAT_LOGIN_URL: `http://localhost:${ports.app}/`,
      CHAT_USER_ROLES: 'role',
      CHAT_USER_AVATAR: '/avatars/{id}.svg',
      CHAT_USER_URL: '/members/{id}',
      ...env,
      CHAT_HOST: '127.0.0.1',
      CHAT_PORT: String(port),
      ...settings,
    },
  );
  await service.ready(() => answers(`http://127.0.0.1:${port}/readyz`));
  return service;
}

/**
 * Lets the sample users talk, if nobody has written yet. Without it the chat is empty, but it works.
 * @param {Ports} ports
 */
export async function seedTalk(ports) {
  const addresses = [ports.app, ports.chat].map((port) => `http://127.0.0.1:${port}`);
  const service = startService('sample talk', 'php', ['php-app/seed/seed.php', ...addresses], process.env);
  const how = await service.ended;
  if (how !== 'code 0' && !isEnding()) console.error(`the sample talk is missing: ${how}`);
}
