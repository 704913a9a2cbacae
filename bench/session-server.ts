/**
 * The number of sessions that PHP reads, changes and writes per second, in sequential requests with a new connection
 * each. Compares this project's session server and handler with memcached and ext-memcached's own handler, both with
 * locks.
 * Run: npm run bench session-server
 */
import { execFileSync } from 'node:child_process';
import { startMemcached } from '../test/helpers/memcached.ts';
import { startSessionServer } from '../test/helpers/session-server.ts';

const rounds = 3;

/** Creates 100 sessions of about 500 bytes, and runs 2,000 requests. `$argv[1]` is code that creates the handler. */
const requests = `
  require 'php/autoload.php';
  $handler = eval('return function () { ' . $argv[1] . ' };');
  $ids = [];
  for ($n = 0; $n < 100; $n++) {
      $handler();
      session_id('');
      session_start();
      $_SESSION = ['user_id' => $n + 1, 'firstname' => 'Alice', 'cart' => str_repeat('x', 400), 'n' => 0];
      $ids[] = session_id();
      session_write_close();
  }
  $began = hrtime(true);
  for ($n = 0; $n < 2000; $n++) {
      $handler();
      session_id($ids[$n % 100]);
      session_start();
      $_SESSION['n']++;
      session_write_close();
  }
  $seconds = (hrtime(true) - $began) / 1e9;
  $handler();
  session_id($ids[0]);
  session_start();
  if ($_SESSION['n'] !== 20) {
      exit("lost: {$_SESSION['n']}");
  }
  echo 2000 / $seconds;`;

function perSecond(handler: string): number {
  const settings = {
    'session.use_cookies': 0,
    'session.cache_limiter': '',
    'session.use_strict_mode': 1,
    'memcached.sess_locking': 1,
    'memcached.sess_lock_expire': 30,
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-d', `${name}=${value}`]);
  return Number(execFileSync('php', [...options, '-r', requests, '--', handler], { encoding: 'utf8' }));
}

const memcached = await startMemcached();
const ways: [string, string][] = [
  [
    'memcached, ext-memcached’s handler',
    `ini_set('session.save_handler', 'memcached'); ini_set('session.save_path', '127.0.0.1:${memcached.port}');`,
  ],
];
const daemons = [];
for (const container of ['memory:', 'sqlite:', 'file:']) {
  const folder = container === 'memory:' ? '' : execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim();
  const path = container === 'sqlite:' ? `${folder}/sessions.db` : folder;
  const daemon = await startSessionServer({ SESSION_SERVER_CONTAINER: container + path });
  daemons.push({ daemon, folder });
  ways.push([
    `session server, ${container}`,
    `session_set_save_handler(PhpSessionChat\\Session\\HandlerFactory::fromUrl('session-server://127.0.0.1:${daemon.port}?lock=10'), false);`,
  ]);
}
const best = new Map<string, number>();
// Alternates, so that other load on this machine affects all of them.
for (let n = 0; n < rounds; n++) {
  for (const [name, handler] of ways) best.set(name, Math.max(best.get(name) ?? 0, perSecond(handler)));
}
const [first] = best.values();
console.log('| | requests a second | vs. ext-memcached |\n| --- | --- | --- |');
for (const [name, rate] of best) {
  console.log(`| ${name} | ${Math.round(rate)} | ${(rate / (first ?? Number.NaN)).toFixed(2)} |`);
}
await Promise.all([memcached.stop(), ...daemons.map(({ daemon }) => daemon.stop())]);
for (const { folder } of daemons) if (folder !== '') execFileSync('rm', ['-r', folder]);
process.exit();
