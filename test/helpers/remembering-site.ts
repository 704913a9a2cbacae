import { randomBytes } from 'node:crypto';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownPort, startChild } from './child.ts';
import { reachable } from './memcached.ts';

export interface RememberingSite {
  /** The page that needs a login. */
  readonly url: string;
  /** Starts a session of a user. @returns its cookie */
  session(user: string, name: string): string;
  /** Deletes the sessions of a user, as a logout does, or PHP long after an expiry. */
  endSessions(user: string): void;
  /** Lets the sessions of a user be unused for two hours. Until PHP deletes them, a request renews them. */
  expireSessions(user: string): void;
  /** The number of requests so far. */
  visits(): number;
  stop(): Promise<void>;
}

/** The cookie `remember` names the user, which a real site would sign. A remembered user gets a new session. */
const page = `<?php
session_start();
// As for sites that bind a login to the browser of the login page.
if (str_contains($_SERVER['HTTP_USER_AGENT'], 'okhttp')) {
    http_response_code(403);
    exit;
}
if (empty($_SESSION['user_id']) && isset($_COOKIE['remember'])) {
    session_regenerate_id(true);
    $_SESSION['user_id'] = $_COOKIE['remember'];
    $_SESSION['firstname'] = ucfirst($_COOKIE['remember']);
}
if (empty($_SESSION['user_id'])) {
    header('Location: /login.php');
    exit;
}
echo 'The account of ', htmlspecialchars($_SESSION['firstname']);
`;

/**
 * Starts a site with PHP's own sessions in files, whose lifetime is an hour.
 * @param sessions a folder for its sessions
 */
export async function startRememberingSite(sessions: string): Promise<RememberingSite> {
  const folder = mkdtempSync(join(tmpdir(), 'remembering-site-'));
  writeFileSync(join(folder, 'account.php'), page);
  writeFileSync(join(folder, 'login.php'), 'Please log in');
  const port = await ownPort();
  const settings = {
    'session.save_path': sessions,
    'session.gc_maxlifetime': 3600,
    'session.gc_probability': 0,
    'session.upload_progress.enabled': 0,
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-d', `${name}=${value}`]);
  const php = startChild('php', [...options, '-S', `127.0.0.1:${port}`, '-t', folder]);
  await reachable(port, php);
  const filesOf = (user: string) =>
    readdirSync(sessions)
      .map((name) => join(sessions, name))
      .filter((path) => readFileSync(path, 'utf8').includes(`"${user}"`));
  return {
    url: `http://127.0.0.1:${port}/account.php`,
    session(user, name) {
      const id = randomBytes(13).toString('hex');
      const text = `user_id|s:${user.length}:"${user}";firstname|s:${name.length}:"${name}";`;
      writeFileSync(join(sessions, `sess_${id}`), text, { mode: 0o600 });
      return `PHPSESSID=${id}`;
    },
    endSessions(user) {
      for (const path of filesOf(user)) unlinkSync(path);
    },
    expireSessions(user) {
      const then = Date.now() / 1000 - 7200;
      for (const path of filesOf(user)) utimesSync(path, then, then);
    },
    visits: () => php.output().match(/GET \/account\.php/g)?.length ?? 0,
    async stop() {
      await php.stop();
      rmSync(folder, { recursive: true });
    },
  };
}
