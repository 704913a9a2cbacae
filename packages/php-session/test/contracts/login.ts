import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { differing } from '../../../../test/helpers/application-site.ts';
import { patient } from '../../../../test/helpers/patient-logins.ts';
import type { TestDatabase } from '../../../../test/helpers/site-database.ts';
import { type CheckResult, type Login, type Logins, type Refusal, StoreError } from '../../src/login.ts';
import { openSite } from '../../src/logins/applications.ts';

/** A browser in which a user of the site is logged in. */
export interface Device {
  /** Its `Cookie` header. */
  cookies: string;
  /** The secrets in these cookies, as encoded there. */
  secrets: readonly string[];
  /** The value of the login's only cookie; absent if a login has several. */
  session?: string;
  rename(name: string): Promise<void>;
  logOut(): Promise<void>;
  /** Another user logs in, and the cookies stay the same. Absent if the cookies name the user. */
  becomes?(user: string): Promise<void>;
}

/** A site whose users have one kind of login. */
export interface LoginSite {
  /** Copied cookies remain valid after a logout of the site. */
  keptCookiesCount?: true;
  /** The cookies of a user are the same on all devices. */
  oneLoginPerUser?: true;
  open(): Promise<Logins>;
  logIn(user: string, name?: string): Promise<Device>;
  /** The store gives no answers until the returned function is called. */
  silence(): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** The same header with another secret of the same form. */
function withAnother(secret: string, cookies: string): string {
  return cookies.replace(secret, (secret.startsWith('a') ? 'b' : 'a') + secret.slice(1));
}

function userOf(answer: Login | Refusal): Login {
  if ('code' in answer) throw new Error(answer.reason);
  return answer;
}

const checked = (logins: Logins, login: Login) => logins.check([login])[0] as Promise<CheckResult | null>;

/** Runs the contract for an application, on a site that `make` creates. */
export function applicationContract(
  name: string,
  db: TestDatabase,
  make: () => Promise<{
    folder: string;
    logIn(user: string, login?: never): Promise<Device>;
    remove(): Promise<unknown>;
  }>,
  more: Pick<LoginSite, 'keptCookiesCount' | 'oneLoginPerUser'> & {
    /** The login of a user with this name. */
    named?(name: string): object | string;
    checks?: boolean;
  } = {},
): void {
  const { named = (name: string) => ({ name }), checks = true, ...rest } = more;
  loginContract(name, async () => {
    const site = await make();
    return {
      ...rest,
      async open() {
        return (await openSite({ folder: site.folder, checks })).logins;
      },
      logIn: (user, name) => site.logIn(user, name === undefined ? undefined : (named(name) as never)),
      silence: db.silence,
      close: async () => void (await site.remove()),
    };
  });
}

/** Kinds of login that run the whole contract: a session by one cookie, and a cookie that names the user. */
const whole = ['PHP session', 'WordPress'];

/**
 * The contract of `Logins`, which each kind of login must keep. Kinds that are not in `whole` run only the tests
 * that depend on the application's own cookies and rows.
 */
export function loginContract(name: string, start: () => Promise<LoginSite>): void {
  describe(`a login by ${name}`, () => {
    let site: LoginSite;
    let logins: Logins;
    beforeAll(async () => {
      site = await start();
      logins = patient(await site.open());
    });
    afterAll(async () => {
      logins?.close();
      await site.close();
    });

    /** Opens the logins once more, as another server would. */
    const openOthers = async () => {
      const others = await site.open();
      onTestFinished(() => others.close());
      return patient(others);
    };
    const expectNoSecret = (value: unknown, { secrets }: Device) => {
      const text = inspect(value, { depth: Number.POSITIVE_INFINITY });
      for (const secret of secrets) expect(text).not.toContain(secret);
    };

    test('rejects a changed secret without repeating a secret', async () => {
      const device = await site.logIn('7');
      const refused = async (secret: string) => {
        const cookies = withAnother(secret, device.cookies);
        const refusal = await logins.identify({ cookies });
        expect(refusal).toMatchObject({ code: expect.stringMatching(/^(unauthorized|session_invalid)$/) });
        expectNoSecret(refusal, device);
        expectNoSecret(refusal, { ...device, secrets: [cookies.slice(cookies.indexOf('=') + 1)] });
      };
      await Promise.all(device.secrets.map(refused));
    });

    test('has a handle that is the same on every server, differs for each login, and contains no secret', async () => {
      const devices = await Promise.all(['7', '7', '8'].map((user) => site.logIn(user)));
      const there = await openOthers();
      const handles = await Promise.all(
        devices.map(async ({ cookies }) => userOf(await logins.identify({ cookies })).handle),
      );
      expect(new Set(handles).size).toBe(site.oneLoginPerUser ? 2 : 3);
      for (const [n, device] of devices.entries()) {
        const again = userOf(await there.identify({ cookies: `other=1; ${device.cookies}` }));
        expect(again.handle).toBe(handles[n]);
        expect(again.handle).toMatch(/^[\w-]{43}$/);
        expectNoSecret([again.handle, again.user], device);
      }
    });

    test('becomes another login if another user logs in with the same cookies', async () => {
      const device = await site.logIn('7');
      if (device.becomes === undefined) return;
      const before = userOf(await logins.identify(device));
      await device.becomes('8');
      const verdict = await checked(logins, before);
      if (verdict?.state !== 'user') throw new Error('no user');
      expect(verdict.login.user.id).toBe('8');
      expect(verdict.login.handle).not.toBe(before.handle);
      expect(userOf(await logins.identify(device)).handle).toBe(verdict.login.handle);
    });

    test('rejects an ended login, even after a renewal', async () => {
      const device = await site.logIn('7');
      const login = userOf(await logins.identify(device));
      await logins.renew(login, 600);
      expect(await checked(logins, login)).toSatisfy(
        (verdict) => verdict === null || verdict.state === 'user',
      );
      expect(login.ends ?? Number.POSITIVE_INFINITY).toBeGreaterThan(Date.now());
      await device.logOut();
      await logins.renew(login, 600);
      expect(await differing(logins, login)).toMatchObject({ state: 'nobody' });
      const answer = await logins.identify(device);
      expect(answer).toMatchObject(site.keptCookiesCount ? { user: { id: '7' } } : { code: 'unauthorized' });
    });

    test('rejects a second value of a cookie and names the cookie', async () => {
      const device = await site.logIn('7');
      const reasons: string[] = [];
      for (const cookie of device.cookies.split('; ')) {
        const [cookieName] = cookie.split('=');
        const cookies = `${device.cookies}; ${cookieName}=other`;
        const answer = await logins.identify({ cookies });
        // This login does not need the cookie.
        if ('user' in answer) continue;
        expect(answer).toMatchObject({
          code: 'unauthorized',
          reason: expect.stringContaining(`the request has two cookies ${cookieName} with different values`),
          hint: expect.stringMatching(/Path .*Domain/),
        });
        reasons.push(answer.reason);
      }
      expect(reasons.join()).toContain('PHP uses the first in the header');
    });

    if (!whole.includes(name)) return;

    test('rejects a request without its cookies and gives a reason', async () => {
      const [cookieName] = (await site.logIn('7')).cookies.split('=');
      for (const cookies of [undefined, '', 'other=1', `${cookieName}=`]) {
        const refusal = await logins.identify({ cookies });
        expect(refusal).toMatchObject({ code: 'unauthorized', reason: expect.stringMatching(/\w/) });
        expect(logins.binding({ cookies })).toBeNull();
      }
    });

    test('derives the binding from the cookies alone, without the store', async () => {
      const [one, other] = [await site.logIn('7'), await site.logIn(site.oneLoginPerUser ? '8' : '7')];
      const before = logins.binding(one);
      expect(before).toEqual(expect.any(String));
      expect(logins.binding(other)).not.toBe(before);
      const answers = await site.silence();
      expect(logins.binding({ cookies: `other=1; ${one.cookies}` })).toBe(before);
      await answers();
    });

    test('uses the cookie value that the client sends itself instead of the Cookie header', async () => {
      const [one, other] = [await site.logIn('7'), await site.logIn('8')];
      for (const session of [42, null, {}, [one.session], '', 'a b']) {
        expect(await logins.identify({ cookies: one.cookies, session })).toMatchObject({
          code: 'unauthorized',
        });
      }
      const answer = await logins.identify({ cookies: other.cookies, session: one.session ?? one.cookies });
      if (one.session === undefined) expect(answer).toMatchObject({ code: 'unauthorized' });
      else expect(userOf(answer).handle).toBe(userOf(await logins.identify(one)).handle);
    });

    test('checks many logins at once, each with its own result', async () => {
      const devices = await Promise.all(['7', '8', '9', '7'].map((user) => site.logIn(user)));
      const known = await Promise.all(
        devices.map(async ({ cookies }) => userOf(await logins.identify({ cookies }))),
      );
      expect(await Promise.all(logins.check(known))).toEqual([null, null, null, null]);
      await devices[1]?.rename('Somebody Else');
      await devices[2]?.logOut();
      const verdicts = await Promise.all(logins.check(known));
      expect(verdicts).toMatchObject([
        null,
        { state: 'user', login: { handle: known[1]?.handle, user: { id: '8', name: 'Somebody Else' } } },
        { state: 'nobody', reason: expect.any(String) },
        null,
      ]);
      expectNoSecret(verdicts[2], devices[2] as Device);
      // The login of the check result replaces the earlier login.
      const [, renamed] = verdicts;
      if (renamed?.state !== 'user') throw new Error('no user');
      expect(await checked(logins, renamed.login)).toBeNull();
      expect(logins.check([])).toEqual([]);
    });

    test('keeps logins while the store does not respond, and rejects new logins as unavailable', async () => {
      // Without the retries of `patient`.
      const logins = await site.open();
      onTestFinished(() => logins.close());
      const device = await site.logIn('7');
      const login = userOf(await patient(logins).identify(device));
      const answers = await site.silence();
      // All at once, because each waits for the store.
      const [failure, refusal, isAnswering, fault] = await Promise.all([
        checked(logins, login).catch((error: unknown) => error),
        logins.identify(device),
        logins.answers(),
        logins.fault(),
      ]);
      expect(failure).toBeInstanceOf(StoreError);
      expect(refusal).toMatchObject({ code: 'session_store_unavailable', reason: expect.any(String) });
      for (const each of [failure, refusal]) expectNoSecret(each, device);
      expect(isAnswering).toBe(false);
      expect(fault).toBeInstanceOf(StoreError);
      await answers();
      await expect.poll(() => checked(logins, login).catch(() => 'no answer')).toBeNull();
      await expect.poll(() => logins.fault()).toBeNull();
      await expect.poll(() => logins.answers()).toBe(true);
    });
  });
}
