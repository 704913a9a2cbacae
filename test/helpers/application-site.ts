import { afterAll, expect, onTestFinished, vi } from 'vitest';
import type { CheckResult, Credentials, Login, Logins } from '../../packages/php-session/src/login.ts';
import { openSite } from '../../packages/php-session/src/logins/applications.ts';
import { grants } from '../../packages/php-session/src/logins/grants.ts';
import type { SitePlace } from '../../packages/php-session/src/logins/site.ts';
import { parseDatabaseUrl } from '../../packages/php-session/src/store-url.ts';
import { patient } from './patient-logins.ts';
import { startSiteDatabase, type TestDatabase } from './site-database.ts';

/** Starts databases for the tests of a file. They are emptied afterwards. */
export async function siteDatabases(kinds: readonly TestDatabase['kind'][]): Promise<TestDatabase[]> {
  const databases = await Promise.all(kinds.map((kind) => startSiteDatabase(kind)));
  afterAll(async () => void (await Promise.all(databases.map((db) => db.remove()))));
  return databases;
}

/**
 * Starts one database for the tests of a file.
 * @param gated as in `startSiteDatabase`
 */
export async function siteDatabase(kind: TestDatabase['kind'], gated?: boolean): Promise<TestDatabase> {
  const db = await startSiteDatabase(kind, gated);
  afterAll(() => db.remove());
  return db;
}

interface Site {
  folder: string;
  remove(): Promise<unknown>;
}

/** Opens the logins of the site in a folder. Closes them at the end of the test. */
export async function loginsOf(folder: string, more: Partial<SitePlace> = {}): Promise<Logins> {
  const { logins } = await openSite({ folder, ...more });
  onTestFinished(() => logins.close());
  return patient(logins);
}

/**
 * Opens the logins of a site. Closes them and removes the site at the end of the test.
 * @returns the site, its logins, and `open` for logins with other options
 */
export async function openedSite<Of extends Site>(made: Promise<Of>, more: Partial<SitePlace> = {}) {
  const site = await made;
  onTestFinished(async () => void (await site.remove()));
  const logins = await loginsOf(site.folder, more);
  const open = (options: Partial<SitePlace> = {}) => loginsOf(site.folder, { ...more, ...options });
  const ask = async (options?: Partial<SitePlace>) => askingOf(await open(options));
  return { ...site, ...askingOf(logins), logins, open, ask };
}

/** Logs user 7 in with each session of `cases`, and expects the outcome under which `cases` lists the session. */
export async function expectLogins<Session>(
  site: { logins: Logins; logIn(user: string, session: Session): Promise<Credentials> },
  cases: Partial<Record<'user' | 'nobody' | 'invalid', Readonly<Record<string, Session>>>>,
): Promise<void> {
  const codes = { nobody: 'unauthorized', invalid: 'session_invalid' };
  for (const [outcome, sessions] of Object.entries(cases))
    for (const [what, session] of Object.entries(sessions))
      expect(await site.logins.identify(await site.logIn('7', session)), what).toMatchObject(
        outcome === 'user' ? { user: {} } : { code: codes[outcome as 'nobody'] },
      );
}

/** Expects that each of these `Cookie` headers is rejected. */
export async function expectRefused(logins: Logins, headers: readonly string[]): Promise<void> {
  for (const cookies of headers)
    expect(await logins.identify({ cookies }), cookies).toMatchObject({ code: 'unauthorized' });
}

/**
 * Creates the doctor's views of a site, changed by `edit`, until the end of the test.
 * @returns the database with its own user, as the option `siteDatabase`
 */
export async function createViews(db: TestDatabase, folder: string, edit: (statement: string) => string) {
  const lines = await grants({ site: { folder } });
  if ('problem' in lines) throw new Error(lines.problem);
  const views = lines.filter((line) => line.startsWith('CREATE OR REPLACE VIEW'));
  onTestFinished(async () => {
    for (const view of views) await db.run(`DROP VIEW ${/VIEW (\S+)/.exec(view)?.[1]}`);
  });
  for (const view of views) await db.run(edit(view));
  return parseDatabaseUrl(
    `mysql://${db.user}:${encodeURIComponent(db.password)}@127.0.0.1:${db.port}/${db.name}`,
  );
}

/** Returns functions that query logins and return only what tests compare. */
export function askingOf(logins: Logins) {
  return {
    /** Returns the login. Throws if it is rejected. */
    async login(device: Credentials): Promise<Login> {
      const answer = await logins.identify(device);
      if ('code' in answer) throw new Error(answer.reason);
      return answer;
    },
    /** Returns the user, or why the login is rejected. */
    async who(device: Credentials) {
      const answer = await logins.identify(device);
      return 'code' in answer ? answer.reason : answer.user;
    },
    /** Returns whether the device belongs to a user. */
    isUser: async (device: Credentials) => 'user' in (await logins.identify(device)),
    check: (login: Login) => logins.check([login as never])[0] as Promise<CheckResult | null>,
    /** Returns whether the login still belongs to a user. */
    async still(login: Login) {
      const verdict = await logins.check([login as never])[0];
      return verdict === null || verdict?.state === 'user';
    },
    changed: (login: Login) => differing(logins, login),
  };
}

/** Seconds since 1970. */
export const now = () => Math.floor(Date.now() / 1000);

/** Stops `Date` until the end of the test, so that a slow machine cannot change what the test computes from it. */
export function stopClock(): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  onTestFinished(() => void vi.useRealTimers());
}

/**
 * Waits until a check of the login finds a change, because the times of tables are read only a few times a second.
 * @returns the check result
 */
export async function differing(logins: Pick<Logins, 'check'>, login: Login): Promise<CheckResult> {
  let verdict: CheckResult | null = null;
  const check = async () => (await logins.check([login as never])[0]) ?? null;
  await expect.poll(async () => (verdict = await check())).not.toBeNull();
  return verdict as unknown as CheckResult;
}
