// The parts that start a chat server, in one module: see make-bundles.ts.
export { startApp } from '../../server/app.ts';
export { readClientFiles } from '../../server/http/client-files.ts';
export { createLog } from '../../server/log.ts';
export { readConfig } from '../../server/settings/config.ts';
