import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { connectChat } from '../../helpers/chat-client.ts';
import { startChatServer } from '../../helpers/chat-server.ts';
import { roundcubeConfig, roundcubeFolder, roundcubeSession, secondCookie } from '../../helpers/roundcube.ts';

test('rejects logins after an unsupported second factor is enabled, until the configuration is supported', async () => {
  const { folder, file } = roundcubeFolder('');
  mkdirSync(join(folder, 'sessions'));
  writeFileSync(join(folder, 'sessions/sess_abc'), roundcubeSession);
  const server = await startChatServer({
    CHAT_SITE: folder,
    CHAT_SESSION_STORE: `file://${folder}/sessions`,
  });
  onTestFinished(async () => void (await server.stop()));
  const connect = () =>
    connectChat(server.url, `roundcube_sessid=abc; roundcube_sessauth=${secondCookie('Xy1', 600)}`);
  const reread = (more: string) => {
    writeFileSync(join(folder, 'config/config.inc.php'), roundcubeConfig(file, more));
    process.kill(server.pid, 'SIGHUP');
  };
  const client = await connect();
  onTestFinished(() => client.close());

  reread("$config['plugins'] = ['twofactor_gauthenticator'];");
  await server.until(
    /set CHAT_USER_REQUIRE=twofactor_gauthenticator_2FA_login.*not supported, rejecting all logins/,
  );
  await expect(connect()).rejects.toThrow('session_store_unavailable');
  await server.until(/keeping open connections for now/);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(503);

  // Another fault rejects logins as well.
  reread("$config['plugins'] = [");
  await server.until(/config\.inc\.php line .*rejecting all logins/);
  await expect(connect()).rejects.toThrow('session_store_unavailable');

  reread('');
  await server.until(/site configuration readable again/);
  const again = await connect();
  again.close();
  await server.until(/session store responding again/);
  expect(server.output()).not.toMatch(/keeping the previous one/);
  expect(client.socket.connected).toBe(true);
});
