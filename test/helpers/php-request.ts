import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Settings of php.ini for a site's sessions, such as `'session.save_handler': 'files'`. */
export type PhpSettings = Record<string, string>;

/**
 * Runs a request of a real PHP site: starts the session, runs the code, and writes the session at the end.
 * @param code PHP statements, between session_start() and the end of the request
 * @param id the session to continue. Without it PHP creates a new one.
 * @param before PHP statements before session_start(), for example to set a custom handler
 * @returns the ID of the session
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

/** Writes a user's session with these strings, in PHP syntax. @returns its ID */
export const phpUserSession = (
  folder: string,
  id: string,
  name: string,
  room = 'Room',
  mail = 'a@example.org',
): string =>
  phpRequest(
    { 'session.save_path': folder },
    `$_SESSION = ["user_id" => "${id}", "firstname" => "${name}", "rooms" => ["a" => "${room}"], "mail" => "${mail}"]`,
  );

/** A PHP site that runs all requests in one process, because a process for each takes much longer. */
export interface PhpSite {
  /** Like `phpRequest`. Rejects if the session cannot be started. Variables of the code persist. */
  request(code: string, id?: string): Promise<string>;
  end(): void;
}

/** @param before PHP statements before the first request, for example to set a custom handler */
export function phpSite(settings: PhpSettings, before = ''): PhpSite {
  const all = { 'session.use_cookies': '0', 'session.upload_progress.enabled': '0', ...settings };
  const options = Object.entries(all).flatMap(([name, value]) => ['-d', `${name}="${value}"`]);
  const script = `ini_set('session.cache_limiter', ''); ${before}
    while (($line = fgets(STDIN)) !== false) {
      [$code, $id] = json_decode($line);
      $answer = null;
      try {
        session_id($id);
        if (session_start()) { eval("$code;"); $answer = session_id(); session_write_close(); }
      } catch (Throwable) {
        session_abort();
      }
      $_SESSION = [];
      fwrite(STDOUT, json_encode($answer) . "\n");
    }`;
  const php = spawn('php', [...options, '-r', script], { stdio: ['pipe', 'pipe', 'ignore'] });
  const waiting: ((answer: string | null) => void)[] = [];
  createInterface(php.stdout).on('line', (line) => waiting.shift()?.(JSON.parse(line)));
  php.on('close', () => {
    for (const answered of waiting.splice(0)) answered(null);
  });
  return {
    async request(code, id = '') {
      const answer = await new Promise<string | null>((resolve) => {
        waiting.push(resolve);
        php.stdin.write(`${JSON.stringify([code, id])}\n`);
      });
      if (answer === null) throw new Error(`PHP rejected the session: ${code.slice(0, 200)}`);
      return answer;
    },
    end: () => php.stdin.end(),
  };
}
