import { execFileSync } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type PhpApp, startPhpApp } from '../helpers/php-app.ts';

export const memcachedUrl = (handler: string, ...ports: number[]) =>
  `memcached://${ports.map((port) => `127.0.0.1:${port}`).join(',')}?handler=${handler}&timeout=1000ms`;

/** Starts a site that ends with the test. */
export async function site(SESSION_STORE: string): Promise<PhpApp> {
  const app = await startPhpApp({ env: { SESSION_STORE } });
  onTestFinished(async () => {
    await app.stop();
  });
  return app;
}

/** Starts a memcached that ends with the test. */
export async function startOwnMemcached(): Promise<Memcached> {
  const memcached = await startMemcached();
  onTestFinished(async () => {
    await memcached.stop('SIGKILL');
  });
  return memcached;
}

/** Runs PHP with `$session`, the native handler for `url`. @returns its output */
export function native(url: string, code: string, settings = {}, ...given: string[]): string {
  const all = { 'session.upload_progress.enabled': '0', ...settings };
  const options = Object.entries(all).flatMap(([name, value]) => ['-d', `${name}=${value}`]);
  const script = `require 'php/autoload.php';
    $session = PhpSessionChat\\Session\\NativeHandler::fromUrl($argv[1]); ${code}`;
  return execFileSync('php', [...options, '-r', script, '--', url, ...given], {
    cwd: new URL('../../', import.meta.url),
    encoding: 'utf8',
  });
}
