import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildClient } from './client-build.mjs';
import { runCommand } from './command.mjs';
import { freePort } from './ports.mjs';
import { startPostgres } from './postgres.mjs';
import { prepare } from './prepare.mjs';
import { isEnding } from './processes.mjs';
import { accepts, answers, startService } from './service.mjs';
import { apiKey, siteEvents, sitePorts, startChat, startPhp, startSessionStore } from './site.mjs';

const command = 'npm run start:cluster';
const names = ['one', 'two'];
/** The delay in ms before an ended server is restarted. */
const restartPause = 500;

/** Starts the demonstration with several chat servers, PostgreSQL, Redis, and nginx in front of them. */
async function start() {
  const { ports, requireFree } = sitePorts(command, 'nginx in front of the chat servers');
  await requireFree();
  await prepare('cluster');
  await buildClient();
  await requireFree(); // the first preparation takes minutes

  const folder = mkdtempSync(join(tmpdir(), 'php-session-chat-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const [store, postgres, redis] = await Promise.all([
    startSessionStore(),
    startPostgres(folder),
    startRedis(folder),
  ]);
  const shared = { ...apiKey(), ...siteEvents(ports) };
  const chats = await Promise.all(names.map(async (name) => ({ name, port: await freePort() })));
  /** @param {{ name: string, port: number }} chat */
  const run = ({ name, port }) =>
    startChat(`chat server ${name}`, port, ports, {
      ...shared,
      CHAT_SESSION_STORE: store.url,
      CHAT_HISTORY: postgres.url,
      CHAT_CLUSTER: redis.url,
      CHAT_NODE: name,
      CHAT_DRAIN: '1s',
      CHAT_TRUSTED_PROXIES: '127.0.0.1',
    });
  const first = await Promise.all(chats.map(run));
  const others = await Promise.all([
    startNginx(
      folder,
      ports.chat,
      chats.map(({ port }) => port),
    ),
    startPhp(ports, store.url, shared),
  ]);
  console.log(`ready  http://localhost:${ports.app}`);
  console.log(
    `nodes  http://localhost:${ports.app}/nodes  End a server, and see where its clients reconnect:`,
  );
  for (const [n, { name }] of chats.entries()) console.log(`       kill ${first[n].pid}   # ${name}`);

  /** Restarts a server whenever it ends, as a service manager does. @param {number} n */
  const keep = async (n) => {
    for (let service = first[n]; ; service = await run(chats[n])) {
      const how = await service.ended;
      await delay(restartPause);
      if (isEnding()) await new Promise(() => {});
      console.log(`chat server ${names[n]} ended (${how}) and will be restarted`);
    }
  };
  const services = [store.service, postgres.service, redis.service, ...others];
  return await Promise.race([...services.map(({ failed }) => failed), ...chats.map((_, n) => keep(n))]);
}

/** Starts a Redis without persistence. @param {string} folder */
async function startRedis(folder) {
  const port = await freePort();
  const password = randomBytes(24).toString('base64url');
  const file = join(folder, 'redis.conf');
  // The password is in a file, because all accounts can see the options of a process.
  writeFileSync(file, `bind 127.0.0.1\nport ${port}\nrequirepass ${password}\nsave ""\n`, { mode: 0o600 });
  const service = startService('Redis server', 'redis-server', [file], process.env);
  await service.ready(() => accepts(port));
  return { service, url: `redis://default:${password}@127.0.0.1:${port}` };
}

/**
 * Starts nginx with the configuration in docs/operate/several-servers.md, in front of chat servers with different
 * ports.
 * @param {string} folder @param {number} port @param {number[]} servers
 */
async function startNginx(folder, port, servers) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  const list = servers.map((server) => `server 127.0.0.1:${server} max_fails=0;`).join('\n    ');
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off;
master_process off;
pid ${join(folder, 'nginx.pid')};
error_log stderr;
events { worker_connections 4096; }
http {
  access_log off;
  ${temporary.join('\n  ')}
  upstream chat_any {
    ${list}
  }
  upstream chat_sticky {
    hash $remote_addr consistent;
    ${list}
  }
  map "$arg_transport $arg_sid" $chat_servers {
    default chat_any;
    "~^polling" chat_sticky;
    "~^websocket ." chat_sticky;
  }
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://$chat_servers;
      proxy_next_upstream error timeout http_503;
      proxy_connect_timeout 1s;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_read_timeout 60s;
      client_max_body_size 10m;
      proxy_request_buffering off;
      location /socket.io/ {
        proxy_pass http://$chat_servers;
        proxy_next_upstream error timeout http_503 non_idempotent;
        proxy_request_buffering on;
      }
    }
  }
}
`,
  );
  // Debian installs nginx in a folder that only root has in PATH.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  const service = startService('nginx', 'nginx', ['-p', folder, '-c', file], env);
  await service.ready(() => answers(`http://127.0.0.1:${port}/readyz`));
  return service;
}

await runCommand(start, { stoppedByUser: 0 });
