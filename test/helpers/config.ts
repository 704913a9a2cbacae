import { type Config, readConfig } from '../../server/settings/config.ts';

/** The settings of a server on some session store, since there is none without one. */
export const configOf = (env: NodeJS.ProcessEnv): Config =>
  readConfig({ CHAT_SESSION_STORE: 'memcached://127.0.0.1:11211?prefix=sessions/&format=json', ...env });
