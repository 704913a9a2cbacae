import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, runtime } from './npm-packages.mjs';

/** The timeout for the start and the end of the server. */
const timeoutMs = 30_000;

/**
 * Starts the chat server once with an unused history and port, so that Node caches the compiled code. The next start
 * needs half the CPU and two thirds of the memory. The cache is per account. A server under another account fills its
 * own on first start.
 */
async function compileServer() {
  const folder = mkdtempSync(join(tmpdir(), 'php-session-chat-'));
  const { PATH, NODE_COMPILE_CACHE = join(root, 'node_modules/.cache/node') } = runtime().env;
  const server = spawn(join(root, 'bin/php-session-chat'), ['run', '--settings='], {
    cwd: root,
    env: {
      PATH,
      NODE_COMPILE_CACHE,
      CHAT_HOST: '127.0.0.1',
      CHAT_PORT: '0',
      CHAT_SESSION_STORE: `file://${folder}`,
      CHAT_HISTORY: `sqlite:${join(folder, 'chat.db')}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [server.stdout, server.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
      if (text.includes('"listening"')) server.kill('SIGTERM');
    });
  }
  const giveUp = setTimeout(() => server.kill('SIGKILL'), timeoutMs);
  let code;
  try {
    [code] = await once(server, 'close');
  } finally {
    clearTimeout(giveUp);
    rmSync(folder, { recursive: true, force: true });
  }
  // Without the cache, only the first start is slower.
  if (code !== 0)
    console.log(`the chat server could not be compiled in advance, so its first start is slower:\n${output}`);
}

await compileServer();
