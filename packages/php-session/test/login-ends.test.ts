import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, type TestContext, test, vi } from 'vitest';
import { phpRequest } from '../../../test/helpers/php-request.ts';
import { type CheckResult, type Login, type Logins, openSessions, StoreError } from '../src/index.ts';
import { LoginEnds } from '../src/login-ends.ts';

const request = (folder: string, code: string, id?: string) =>
  phpRequest({ 'session.save_handler': 'files', 'session.save_path': folder }, code, id);

/** Follows the login of a new PHP session. */
async function followSession({ onTestFinished }: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
  const id = request(folder, '$_SESSION["user_id"] = 7');
  const sessions = openSessions({ store: `file://${folder}` });
  onTestFinished(() => {
    sessions.close();
    for (const path of [folder, `${folder}-away`]) rmSync(path, { recursive: true, force: true });
  });
  const login = await sessions.readSession(`PHPSESSID=${id}`);
  if ('code' in login) throw new Error(login.reason);
  // Vitest clears mocks when another test ends.
  const calls: 'ended'[] = [];
  const stop = sessions.onEnd(login, () => calls.push('ended'));
  return { calls, stop, sessions, folder, id, request: (code: string) => request(folder, code, id) };
}
/** Longer than the interval between two checks. */
const nextCheck = () => delay(1300);

test.concurrent.for([
  ['the user logs out', 'session_destroy()'],
  ['the session loses its user', '$_SESSION = ["cart" => 1]'],
  ['the session gets another user', '$_SESSION["user_id"] = 8'],
] as const)('reports the end once when %s', async ([, code], context) => {
  const { calls, request } = await followSession(context);
  request(code);
  await context.expect.poll(() => calls.length).toBe(1);
  await nextCheck();
  expect(calls).toEqual(['ended']);
});

test.concurrent('reports no end while the store cannot be read, and the logout afterwards', async (context) => {
  const { calls, folder, request } = await followSession(context);
  renameSync(folder, `${folder}-away`);
  await nextCheck();
  renameSync(`${folder}-away`, folder);
  await nextCheck();
  expect(calls).toEqual([]);
  request('session_destroy()');
  await context.expect.poll(() => calls.length).toBe(1);
});

test.concurrent('reports no end after close() during the first reading', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
  context.onTestFinished(() => rmSync(folder, { recursive: true }));
  const id = request(folder, '$_SESSION["user_id"] = 7');
  const sessions = openSessions({ store: `file://${folder}` });
  const reading = sessions.readSession(`PHPSESSID=${id}`);
  sessions.close();
  const login = await reading;
  if ('code' in login) throw new Error(login.reason);
  const calls: 'ended'[] = [];
  sessions.onEnd(login, () => calls.push('ended'));
  request(folder, 'session_destroy()', id);
  await nextCheck();
  context.expect(calls).toEqual([]);
});

test.concurrent('reports no end for a session that PHP is writing again', async (context) => {
  const { calls, folder, id } = await followSession(context);
  const file = join(folder, `sess_${id}`);
  const bytes = readFileSync(file);
  writeFileSync(file, '');
  await delay(20);
  writeFileSync(file, bytes);
  await nextCheck();
  expect(calls).toEqual([]);
});

test.concurrent.for(['stop', 'close'] as const)('reports no end after %s', async (call, context) => {
  const { calls, stop, sessions, request } = await followSession(context);
  if (call === 'stop') stop();
  else sessions.close();
  request('session_destroy()');
  await nextCheck();
  expect(calls).toEqual([]);
});

test('rejects a login that no instance read', async () => {
  const sessions = openSessions({ store: 'file:///tmp' });
  expect(() => sessions.onEnd({} as Login<never>, () => {})).toThrow('was not returned by these sessions');
});

const login = (id: string, ends?: number): Login => ({
  handle: id,
  user: { id, name: id },
  state: null,
  ends: ends || undefined,
});

/** Logins whose checks return `result`, without notifications. */
function stubLogins(result: () => Promise<CheckResult | null>) {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const check = vi.fn((logins: readonly Login[]) => logins.map(result));
  const unwatch = vi.fn();
  const watch = () => ({ add: () => ({ since: undefined, end: unwatch }), end: () => {} });
  return { check, unwatch, ends: new LoginEnds({ check, watch } as unknown as Logins) };
}

test('checks all followed logins in one call a second, and watches none after the last is stopped', async () => {
  const { check, unwatch, ends } = stubLogins(async () => null);
  const stops = ['1', '2', '3'].map((id) => ends.follow(login(id), () => {}));
  await vi.advanceTimersByTimeAsync(2000);
  expect(check.mock.calls.map(([logins]) => logins.map(({ user }) => user.id))).toEqual([
    ['1', '2', '3'],
    ['1', '2', '3'],
  ]);
  for (const stop of stops) stop();
  expect(vi.getTimerCount()).toBe(0);
  expect(unwatch).toHaveBeenCalledTimes(3);
});

test('reports the end of a session only if it is still empty after half a second', async () => {
  const empty: CheckResult = { state: 'empty', kind: '', reason: '' };
  let result: CheckResult | null = empty;
  const { ends } = stubLogins(async () => result);
  const ended = vi.fn();
  ends.follow(login('1'), ended);
  // The check after a second finds a file that PHP has truncated, and a busy machine suspends PHP.
  await vi.advanceTimersByTimeAsync(1499);
  result = null;
  await vi.advanceTimersByTimeAsync(2000);
  expect(ended).not.toHaveBeenCalled();
  result = empty;
  await vi.advanceTimersByTimeAsync(1500);
  expect(ended).toHaveBeenCalledTimes(1);
});

test('reports an end that is known in advance, even if the store does not answer', async () => {
  const { ends } = stubLogins(() => Promise.reject(new StoreError('silent')));
  const ended = vi.fn();
  ends.follow(login('1', Date.now() + 1500), ended);
  await vi.advanceTimersByTimeAsync(1000);
  expect(ended).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1000);
  expect(ended).toHaveBeenCalledTimes(1);
});

/** Collects uncaught exceptions, which Vitest would report as failures. */
function catchUncaught(): unknown[] {
  const caught: unknown[] = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => caught.push(error));
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  });
  return caught;
}

test('leaves an exception in a callback uncaught, and still ends other logins', async () => {
  const { ends } = stubLogins(async () => null);
  const caught = catchUncaught();
  const problem = new Error('in the callback');
  const throwing = () => {
    throw problem;
  };
  const ended = vi.fn();
  ends.follow(login('1', Date.now() + 500), throwing);
  ends.follow(login('2', Date.now() + 500), ended);
  await vi.advanceTimersByTimeAsync(1000);
  await new Promise(process.nextTick);
  expect(ended).toHaveBeenCalledTimes(1);
  expect(caught).toEqual([problem]);
});

test('keeps a login whose check fails unexpectedly, and warns once without the message', async () => {
  const { ends } = stubLogins(() => Promise.reject(new RangeError('a secret')));
  const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
  const ended = vi.fn();
  ends.follow(login('1'), ended);
  await vi.advanceTimersByTimeAsync(3000);
  expect(ended).not.toHaveBeenCalled();
  expect(warn.mock.calls).toEqual([['php-sessions: the check of a login failed unexpectedly (RangeError)']]);
});

test('starts no further check while all checks are in flight', async () => {
  const { check, ends } = stubLogins(() => new Promise(() => {}));
  ends.follow(login('1'), () => {});
  await vi.advanceTimersByTimeAsync(5000);
  expect(check).toHaveBeenCalledTimes(1);
});

test('rejects a login that another instance read', async (context) => {
  const { sessions } = await followSession(context);
  const other = await followSession(context);
  const login = await other.sessions.readSession(`PHPSESSID=${other.id}`);
  if ('code' in login) throw new Error(login.reason);
  expect(() => sessions.onEnd(login, () => {})).toThrow('was not returned by these sessions');
  expect(() => other.sessions.onEnd({ ...login }, () => {})).not.toThrow();
});

test('rejects every login as unavailable after close()', async (context) => {
  const { sessions, id } = await followSession(context);
  const opening = openSessions({ store: 'file:///tmp' });
  sessions.close();
  opening.close();
  for (const closed of [sessions, opening])
    expect(await closed.readSession(`PHPSESSID=${id}`)).toMatchObject({
      code: 'session_store_unavailable',
      reason: 'the sessions were closed',
    });
});

test.for([null, {}, { headers: null }, 7, [], { headers: { cookie: 7 } }])(
  'rejects %j as a request',
  async (request) => {
    const sessions = openSessions({ store: 'file:///tmp' });
    onTestFinished(() => sessions.close());
    expect(await sessions.readSession(request as never)).toMatchObject({ code: 'unauthorized' });
  },
);

test('joins several Cookie headers', async (context) => {
  const { sessions, id } = await followSession(context);
  const headers = { cookie: ['a=b', `PHPSESSID=${id}`] } as never;
  expect(await sessions.readSession({ headers })).toMatchObject({ user: { id: '7' } });
});
