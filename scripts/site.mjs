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
 * Returns the two ports that a browser uses, and a function that checks that they are free.
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

/** Creates a key for PHP and the chat server. A key in the environment is passed to both instead. */
export function apiKey() {
  const own = process.env.CHAT_API_KEY || process.env.CHAT_API_KEY_FILE;
  return own ? {} : { CHAT_API_KEY: randomBytes(32).toString('base64url') };
}

/**
 * Returns the key and the addresses for events to the site, which notify PHP of users with unread messages, and for
 * requests for cards. An address in the environment takes precedence.
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
    CHAT_CARDS_URL: `http://127.0.0.1:${ports.app}/chat-cards`,
    CHAT_WEBHOOK_EVENTS: 'notify.due',
    CHAT_NOTIFY_AFTER: '5m',
    // Quiet hours are then in the time zone of this machine.
    CHAT_TIME_ZONE: Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
}

/** Starts a separate memcached for the sessions. */
export async function startSessionStore() {
  const port = await freePort();
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []; // memcached requires it if it runs as root
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
    // Without workers, a slow page would block all other pages.
    PHP_CLI_SERVER_WORKERS: '4',
    ...(ports.chat === 7070 ? {} : { CHAT_URL: `http://localhost:${ports.chat}` }),
  };
  // PHP's server listens on one address. On 127.0.0.1, browsers reach it as localhost, because they fall back from ::1.
  // Other machines cannot reach it, which matters because the demonstration's passwords are public.
  const args = ['-S', `127.0.0.1:${ports.app}`, '-t', 'php-app/public', 'php-app/public/index.php'];
  const service = startService('PHP application', 'php', args, env);
  await service.ready(() => answers(`http://127.0.0.1:${ports.app}/`));
  return service;
}

/**
 * @param {string} name for messages
 * @param {number} port
 * @param {Ports} ports
 * @param {NodeJS.ProcessEnv} settings
 */
export async function startChat(name, port, ports, settings) {
  const { node, env } = runtime();
  const service = startService(
    name,
    node,
    // Ignores the settings file of a chat that is installed on this machine.
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
      CHAT_NAME: 'Fernleaf Garden Club',
      CHAT_ACCENT: '#1f6b45',
      CHAT_LOGO: join(root, 'php-app', 'public', 'logo.png'),
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
 * Writes messages as the sample users, unless the first room has messages. The chat also works without them.
 * @param {Ports} ports
 */
export async function seedTalk(ports) {
  const addresses = [ports.app, ports.chat].map((port) => `http://127.0.0.1:${port}`);
  const service = startService('sample talk', 'php', ['php-app/seed/seed.php', ...addresses], process.env);
  const how = await service.ended;
  if (how !== 'code 0' && !isEnding()) console.error(`the sample conversation could not be written: ${how}`);
}
