import { buildClient } from './client-build.mjs';
import { runCommand } from './command.mjs';
import { prepare } from './prepare.mjs';
import { apiKey, seedTalk, siteEvents, sitePorts, startChat, startPhp, startSessionStore } from './site.mjs';

/** Starts the demonstration: memcached, the PHP application and the chat server. */
async function start() {
  const { ports, requireFree } = sitePorts('npm start', 'the chat server');
  await requireFree();
  await prepare('start');
  await buildClient();
  await requireFree(); // the first preparation takes minutes

  const store = await startSessionStore();
  const shared = { ...apiKey(), ...siteEvents(ports) };
  const services = await Promise.all([
    startPhp(ports, store.url, shared),
    startChat('chat server', ports.chat, ports, { ...shared, CHAT_SESSION_STORE: store.url }),
  ]);
  console.log(`ready  http://localhost:${ports.app}`);
  void seedTalk(ports);
  return await Promise.race([store.service, ...services].map(({ failed }) => failed));
}

// Ctrl-C is the usual end of this command, so it is not a failure.
await runCommand(start, { stoppedByUser: 0 });
