import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { buildClient } from './client-build.mjs';
import { CONFIG, Problem, runCommand } from './command.mjs';
import { root, runtime } from './npm-packages.mjs';
import { freePort, portFrom, requireFree } from './ports.mjs';
import { prepare } from './prepare.mjs';
import { accepts, answers, startService } from './service.mjs';

/** The whole demonstration: memcached, the PHP application and the chat server. */
async function start() {
  const appPort = portFrom('APP_PORT', 8080);
  const chatPort = portFrom('CHAT_PORT', 7070);
  if (appPort === chatPort) throw new Problem(`APP_PORT and CHAT_PORT are both ${appPort}`, CONFIG);
  const portsFree = async () => {
    await requireFree('APP_PORT', appPort, 'the PHP application');
    await requireFree('CHAT_PORT', chatPort, 'the chat server');
  };
  await portsFree();
  await prepare('start');
  await buildClient();
  await portsFree(); // the first preparation takes minutes

  const storePort = await freePort();
  const memcached = startService('memcached server', 'memcached', memcachedArgs(storePort), process.env);
  await memcached.ready(() => accepts(storePort));
  const store = `memcached://127.0.0.1:${storePort}?prefix=sessions/&format=json`;
  // Between these two alone; a key of one's own in the environment goes to both as it is.
  const own = process.env.CHAT_API_KEY || process.env.CHAT_API_KEY_FILE;
  const key = own ? {} : { CHAT_API_KEY: randomBytes(32).toString('base64url') };
  const php = startPhp(appPort, chatPort, store, key);
  const chat = startChat(appPort, chatPort, store, key);
  await Promise.all([
    php.ready(() => answers(`http://127.0.0.1:${appPort}/`)),
    chat.ready(() => answers(`http://127.0.0.1:${chatPort}/readyz`)),
  ]);
  console.log(`ready  http://localhost:${appPort}`);
  return await Promise.race([memcached.failed, php.failed, chat.failed]);
}

/** @param {number} port */
function memcachedArgs(port) {
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []; // as root it refuses to run without
  return ['-l', '127.0.0.1', '-p', String(port), '-U', '0', ...user];
}

/** @param {number} appPort @param {number} chatPort @param {string} store @param {NodeJS.ProcessEnv} key */
function startPhp(appPort, chatPort, store, key) {
  const env = {
    ...process.env,
    ...key,
    CHAT_API_URL: `http://127.0.0.1:${chatPort}`,
    SESSION_STORE: store,
    APP_DATA: join(root, 'data'),
    // Without workers one slow page would hold up all others.
    PHP_CLI_SERVER_WORKERS: '4',
    ...(chatPort === 7070 ? {} : { CHAT_URL: `http://localhost:${chatPort}` }),
  };
  // PHP's server binds one address. On 127.0.0.1 it has all that say localhost (browsers turn to it when
  // nobody answers on ::1) and nobody else: everybody knows the demonstration's passwords.
  const args = ['-S', `127.0.0.1:${appPort}`, '-t', 'php-app/public', 'php-app/public/index.php'];
  return startService('PHP application', 'php', args, env);
}

/** @param {number} appPort @param {number} chatPort @param {string} store @param {NodeJS.ProcessEnv} key */
function startChat(appPort, chatPort, store, key) {
  const { node, env } = runtime();
  return startService(
    'chat server',
    node,
    ['--max-semi-space-size=4', '--heap-growing-percent=15', 'server/main.ts'],
    {
      NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'node'),
      CHAT_ORIGINS: `http://localhost:${appPort},http://127.0.0.1:${appPort}`,
      CHAT_LOGIN_URL: `http://localhost:${appPort}/`,
      ...env,
      ...key,
      CHAT_HOST: '127.0.0.1',
      CHAT_PORT: String(chatPort),
      CHAT_SESSION_STORE: store,
    },
  );
}

// Ctrl-C is how this command is meant to end, so a clean end after it is no failure.
await runCommand(start, { stoppedByUser: 0 });
