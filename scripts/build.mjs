import { buildClient } from './client-build.mjs';
import { runCommand } from './command.mjs';

/** The client of `npm run build`; the commands that need it afterwards find that it has the same sources. */
await runCommand(async () => {
  await buildClient();
  return 0;
});
