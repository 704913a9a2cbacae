import type { SessionSettings } from '../../packages/php-session/src/logins/php-sessions.ts';
import { type Config, readConfig } from '../../server/settings/config.ts';

/** Reads settings. Sets a session store unless `env` does, because that setting has no default. */
export const configOf = (env: NodeJS.ProcessEnv): Config =>
  readConfig({ CHAT_SESSION_STORE: 'memcached://127.0.0.1:11211?prefix=sessions/&format=json', ...env });

/** Returns where a server with these settings finds sessions and their users. */
export function sessionsOf(env: NodeJS.ProcessEnv): SessionSettings {
  const { logins } = configOf(env);
  if (!('session' in logins)) throw new Error('these settings name a site');
  return logins.session;
}
