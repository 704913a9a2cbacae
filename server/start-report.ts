import { type Config, listSettings, unknownText } from './config.ts';
import type { Log } from './log.ts';
import { typedPaths } from './session/doctor/typed.ts';
import { clientBuilt, proxiesNamed } from './surroundings.ts';

/** Says at the start, in the log, what the server runs with and what the operator may want to correct. */
export function reportStart(config: Config, env: NodeJS.ProcessEnv, log: Log): void {
  const set = listSettings(env).filter(({ from }) => from !== 'default');
  log.info({ settings: Object.fromEntries(set.map(({ name, value }) => [name, value])) }, 'settings');
  if (config.unknown.length > 0) {
    log.warn({ settings: config.unknown.map(unknownText) }, 'unknown settings have no effect');
  }
  const findings = [clientBuilt(), ...proxiesNamed(config), ...typedPaths(config.session.user)];
  for (const { is, text, advice } of findings) {
    if (is !== 'well') log.warn({ reason: text, hint: advice }, 'this should be corrected');
  }
}
