import { expect, onTestFinished, test } from 'vitest';
import { historyFolder } from '../helpers/chat-server.ts';
import { startChild } from '../helpers/child.ts';

test('npm run server passes SIGTERM on, and the exit code back', async () => {
  const history = historyFolder();
  onTestFinished(() => history.remove());
  const npm = startChild('npm', ['run', 'server'], {
    cwd: new URL('../../', import.meta.url).pathname,
    env: {
      ...process.env,
      CHAT_HOST: '127.0.0.1',
      CHAT_PORT: '0',
      CHAT_HISTORY: history.url,
      CHAT_SESSION_STORE: 'memcached://127.0.0.1:11211',
    },
  });
  await npm.until(/"msg":"listening"/);
  process.kill(npm.pid, 'SIGTERM');
  await new Promise((resolve) => npm.process.on('close', resolve));
  expect(npm.output()).toContain('"msg":"stopped"');
  expect(npm.process.exitCode).toBe(0);
});
