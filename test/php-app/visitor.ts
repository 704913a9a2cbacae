import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { csrfToken, type PhpApp, post, sessionCookie } from '../helpers/php-app.ts';

export interface Form {
  readonly cookie: string;
  readonly csrf: string;
}

/** Opens the login page. Without `cookie`, as a new visitor. */
export async function openForm(app: PhpApp, cookie?: string): Promise<Form> {
  const page = await fetch(`${app.url}/`, cookie === undefined ? {} : { headers: { cookie } });
  return { cookie: cookie ?? sessionCookie(page), csrf: csrfToken(await page.text()) };
}

/** Sends the login form as a new visitor. */
export async function tryLogin(app: PhpApp, username: string, password: string): Promise<Response> {
  const { cookie, csrf } = await openForm(app);
  return post(`${app.url}/login`, cookie, { username, password, csrf });
}

/** The name of the user logged in with this cookie, if any. */
export async function loggedInAs(app: PhpApp, cookie: string): Promise<string | undefined> {
  const page = await (await fetch(`${app.url}/`, { headers: { cookie } })).text();
  return /Logged in as <b><bdi>(.*?)<\/bdi>/.exec(page)?.[1];
}

/** The session ID in `PHPSESSID=…`. */
export function idOf(cookie: string): string {
  return cookie.slice('PHPSESSID='.length);
}

/** Deletes failed logins, which would limit the next test, and users added by tests. */
export function forgetLogins(app: PhpApp): void {
  const db = new DatabaseSync(join(app.data, 'site.db'), { timeout: 10_000 });
  db.exec('DELETE FROM failed_logins; DELETE FROM known_addresses; DELETE FROM users WHERE id > 3');
  db.close();
}
