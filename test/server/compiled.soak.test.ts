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
