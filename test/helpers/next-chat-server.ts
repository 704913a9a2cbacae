import { startApp } from '../../server/app.ts';
import { readClientFiles } from '../../server/http/client-files.ts';
import { createLog } from '../../server/log.ts';
import { readConfig } from '../../server/settings/config.ts';
import './reused-threads.ts';

/**
 * Runs chat servers one after the other in the same process. Each gets its settings, and `stop` ends it. It is wired
 * like the one in server/command/run.ts.
 */
process.umask(0o077);

// 4 MB, which each server would otherwise read again.
const client = readClientFiles();
let close = async () => {};
process.on('message', async (told: NodeJS.ProcessEnv | 'stop') => {
  if (told === 'stop') {
    await close();
    console.log('stopped');
    return;
  }
  const config = readConfig(told);
  const log = createLog(config.logLevel, config.node);
  const app = await startApp(config, client, log, (error) => {
    throw error;
  });
  close = app.close;
  console.log(JSON.stringify({ msg: 'listening', port: app.port }));
});
// The parent ended without notice.
process.on('disconnect', () => process.exit());
console.log('loaded');
