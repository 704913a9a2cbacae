import { startApp } from '../../server/app.ts';
import { createLog } from '../../server/log.ts';
import { readConfig } from '../../server/settings/config.ts';

/**
 * One chat server after the other in the same process: each is told by its settings, and ended by `stop`. It is wired
 * as server/main.ts wires its only one.
 */
process.umask(0o077);

let close = async () => {};
process.on('message', async (told: NodeJS.ProcessEnv | 'stop') => {
  if (told === 'stop') {
    await close();
    console.log('stopped');
    return;
  }
  const config = readConfig(told);
  const log = createLog(config.logLevel, config.node);
  const app = await startApp(config, log, (error) => {
    throw error;
  });
  close = app.close;
  console.log(JSON.stringify({ msg: 'listening', port: app.port }));
});
// As of a parent that has ended without a word.
process.on('disconnect', () => process.exit());
