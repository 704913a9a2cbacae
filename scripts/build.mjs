import { buildClient } from './client-build.mjs';
import { runCommand } from './command.mjs';

/** Builds the client for `npm run build`. Later commands rebuild it only if its sources change. */
await runCommand(async () => {
  await buildClient();
  return 0;
});
