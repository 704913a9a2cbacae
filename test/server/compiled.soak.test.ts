import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startChatServer } from '../helpers/chat-server.ts';

const root = new URL('../../', import.meta.url).pathname;

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'chat-compiled-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs in each thread of the server before the server's code. */
const preload = (code: string) => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}`,
});

test('once `npm run build` has compiled the server, no thread that starts with it strips types', async () => {
  const cache = temporaryFolder();
  const started = async () => {
    const server = await startChatServer({
      ...preload(`process.on('exit', () => process._rawDebug(process.argv[1] + ' stripped: ' +
        process.moduleLoadList.some((name) => name.includes('amaro'))));`),
      CHAT_SESSION_STORE: 'memcached://127.0.0.1:1',
      NODE_COMPILE_CACHE: cache,
    });
    expect(await server.stop()).toBe(0);
    // Others start when there is something for them to do.
    return new Set(server.output().match(/(main|writer)\.ts stripped: (true|false)/g));
  };
  execFileSync(process.execPath, ['scripts/compile-server.mjs'], {
    cwd: root,
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  });
  expect(await started()).toEqual(new Set(['main.ts stripped: false', 'writer.ts stripped: false']));
  rmSync(cache, { recursive: true });
  expect(await started()).toEqual(new Set(['main.ts stripped: true', 'writer.ts stripped: true']));
});

test.each([
  ['redis://127.0.0.1:1', []],
  ['postgres://u:p@127.0.0.1:1/d?table=t&id=i&data=d', ['pg']],
  ['mysql://u:p@127.0.0.1:1/d?table=t&id=i&data=d', ['mysql2']],
])(
  'with %s, of the drivers of PostgreSQL and MariaDB only %j is loaded, and no parser of PHP',
  async (url, drivers) => {
    const server = await startChatServer({
      ...preload(`import { registerHooks } from 'node:module';
      registerHooks({ load(url, context, next) {
        process._rawDebug('loaded ' + /node_modules.((?:@[^/]+.)?[^/]+)|$/.exec(url)[1] + ';');
        return next(url, context);
      } });`),
      CHAT_SESSION_STORE: url,
    });
    onTestFinished(async () => void (await server.stop()));
    // A failed look-up has loaded all of its code.
    expect((await fetch(`${server.url}/readyz`)).status).toBe(503);
    const all = ['pg', 'mysql2', 'php-parser'];
    expect(server.output()).toContain('loaded socket.io;');
    expect(all.filter((name) => server.output().includes(`loaded ${name};`))).toEqual(drivers);
  },
);
