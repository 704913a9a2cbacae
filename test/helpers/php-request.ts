import { execFileSync } from 'node:child_process';

/** Settings of php.ini for a site's sessions, such as `'session.save_handler': 'files'`. */
export type PhpSettings = Record<string, string>;

/**
 * A request of a real PHP site: it starts the session, runs the code, and writes the session at the end.
 * @param code PHP statements, between session_start() and the end of the request
 * @param id the session to continue; without it PHP makes a new one
 * @param before PHP statements before session_start(), for example to set a custom handler
 * @returns the id of the session
 */
export function phpRequest(settings: PhpSettings, code: string, id?: string, before = ''): string {
  const all = { 'session.use_cookies': '0', 'session.upload_progress.enabled': '0', ...settings };
  const options = Object.entries(all).flatMap(([name, value]) => ['-d', `${name}="${value}"`]);
  const resume = id === undefined ? '' : `session_id('${id}');`;
  const script = `${before} ${resume} session_start() || exit(1); ${code}; echo session_id();`;
  return execFileSync('php', [...options, '-r', script], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
