import type { SessionSettings } from '../../packages/php-session/src/logins/php-sessions.ts';
import { type Config, readConfig } from '../../server/settings/config.ts';

/** Reads the settings of a server with some session store, because that has no default. */
export const configOf = (env: NodeJS.ProcessEnv): Config =>
  readConfig({ CHAT_SESSION_STORE: 'memcached://127.0.0.1:11211?prefix=sessions/&format=json', ...env });

/** Returns where that server finds the sessions and the users in them. */
export function sessionsOf(env: NodeJS.ProcessEnv): SessionSettings {
  const { logins } = configOf(env);
  if (!('session' in logins)) throw new Error('these settings name a site');
  return logins.session;
}
