import { type Config, readConfig } from '../../server/settings/config.ts';

/** The settings of a server with some session store, which has no default. */
export const configOf = (env: NodeJS.ProcessEnv): Config =>
  readConfig({ CHAT_SESSION_STORE: 'memcached://127.0.0.1:11211?prefix=sessions/&format=json', ...env });
