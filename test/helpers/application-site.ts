import { afterAll, expect, onTestFinished, vi } from 'vitest';
import type { Login, Logins, Verdict } from '../../server/session/login.ts';
import { openSite } from '../../server/session/logins/applications.ts';
import type { SitePlace } from '../../server/session/logins/site.ts';
import { patient } from './patient-logins.ts';
import { startSiteDatabase, type TestDatabase } from './site-database.ts';

/** Databases for the tests of a file, which are removed after them. */
export async function siteDatabases(kinds: readonly TestDatabase['kind'][]): Promise<TestDatabase[]> {
  const databases = await Promise.all(kinds.map(startSiteDatabase));
  afterAll(async () => void (await Promise.all(databases.map((db) => db.remove()))));
  return databases;
}

/** The logins of a site by its folder, until the end of the test. */
export async function loginsOf(folder: string, more: Partial<SitePlace> = {}): Promise<Logins> {
  const { logins } = await openSite({ folder, ...more });
  onTestFinished(() => logins.close());
  return patient(logins);
}

/** Stops the clock until the end of the test, however long that takes. */
export function stopClock(): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  onTestFinished(() => void vi.useRealTimers());
}

/** The verdict on a login that differs by now. The times of tables are asked for a few times a second. */
export async function differing(logins: Pick<Logins, 'check'>, login: Login): Promise<Verdict> {
  let verdict: Verdict | null = null;
  const check = async () => (await logins.check([login as never])[0]) ?? null;
  await expect.poll(async () => (verdict = await check())).not.toBeNull();
  return verdict as unknown as Verdict;
}
