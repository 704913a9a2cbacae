import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OptionName, readOptions } from 'php-sessions';
import {
  describeSession,
  describeSite,
  examineLogins,
  examineSettings,
  findCookieName,
  findKind,
  findWebRoot,
  grants,
  type LoginExamination,
} from 'php-sessions/doctor';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'doctor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a session of PHP. @returns its ID */
function newSession(bytes: string): string {
  const id = randomBytes(16).toString('hex');
  writeFileSync(join(folder, `sess_${id}`), bytes);
  return id;
}
const id = newSession('user|a:2:{s:2:"id";i:7;s:4:"name";s:4:"Zoë";}csrf|s:6:"s3cret";');

function optionsOf(options: Partial<Record<OptionName, string>>) {
  const settings = readOptions(options);
  if ('problems' in settings) throw new TypeError(settings.problems.join('\n'));
  return settings;
}

const inFiles = (options: Partial<Record<OptionName, string>> = {}) =>
  optionsOf({ store: `file://${folder}`, userId: 'user.id', userName: 'user.name', ...options });

function siteOf(site: string, options: Partial<Record<OptionName, string>> = {}) {
  const settings = optionsOf({ site, ...options });
  if (!('site' in settings)) throw new Error('no site');
  return settings;
}

async function findings(settings: ReturnType<typeof optionsOf>, examination?: LoginExamination) {
  return Array.fromAsync(examineLogins(settings, examination));
}

test('approves a working login without showing values of the session', async () => {
  const found = await findings(inFiles(), { cookie: `PHPSESSID=${id}`, withoutRenewal: 'do without' });
  expect(found.map(({ level }) => level)).toEqual(found.map(() => 'ok'));
  expect(found.map(({ text }) => text)).toEqual(
    expect.arrayContaining([
      'The session store answers.',
      'Sessions can be renewed.',
      'Its keys: user.id, user.name, csrf.',
      'It belongs to the user 7, called Zoë.',
    ]),
  );
  expect(JSON.stringify(found)).not.toMatch(new RegExp(`s3cret|${id}`));
});

test('reports an unreachable store, with advice that names the option', async () => {
  expect(await findings(inFiles({ store: 'redis://127.0.0.1:1' }))).toEqual([
    {
      level: 'problem',
      text: expect.stringContaining('Redis at 127.0.0.1:1 cannot be reached'),
      advice: expect.stringContaining('Start Redis, or correct the host, port, user and password in store.'),
    },
  ]);
});

test('reports a wrong path and suggests the likely path', async () => {
  const found = await findings(inFiles({ userId: 'id' }), { cookie: id });
  expect(found.at(-1)).toEqual({
    level: 'problem',
    text: 'This login is rejected: the session has no logged-in user: id is not in the session.',
    advice: expect.stringContaining(`Was userId=user.id meant?`),
  });
});

test('reports a wrong prefix and suggests options for the store URL', async () => {
  const found = await findings(inFiles({ store: `file://${folder}?prefix=own_` }), { cookie: id });
  expect(found.at(-1)).toMatchObject({
    level: 'problem',
    advice: `store needs these options after its ?: prefix=sess_`,
  });
});

test('does not use another cookie instead of the missing one', async () => {
  const found = await findings(inFiles({ cookieName: 'sid' }), { cookie: `lang=de; PHPSESSID=${id}` });
  expect(found[0]).toEqual({
    level: 'problem',
    text: 'There is no cookie sid among these: lang, PHPSESSID.',
    advice: expect.stringContaining(`set cookieName to its name`),
  });
  expect(found.map(({ text }) => text).join()).not.toContain('The store has a session');
});

test('reports a path to text that visitors type into the login form', () => {
  const typed = inFiles({ userId: '_sf2_attributes._security\\.last_username' });
  expect(examineSettings(typed)).toEqual([
    {
      level: 'problem',
      text: expect.stringMatching(`^userId=.* is whatever a visitor typed`),
      advice: expect.stringContaining('Never use it'),
    },
  ]);
  expect(examineSettings(inFiles())).toEqual([]);
});

test('suggests a path behind a list of 200,000 values', async () => {
  const list = new Array(200_000).fill(null);
  const long = newSession(JSON.stringify({ list, user: { id: 7 } }));
  const settings = inFiles({ store: `file://${folder}?format=json`, userId: 'user_id' });
  const found = await findings(settings, { cookie: long });
  expect(found.at(-1)?.advice).toContain(`Was userId=user.id meant?`);
});

function sessionsOf(settings: ReturnType<typeof optionsOf>) {
  if (!('session' in settings)) throw new Error('no sessions');
  return settings;
}

test('describes a session by its keys, likely paths and the user at them', async () => {
  const session = await describeSession(sessionsOf(inFiles()), id);
  if ('problem' in session) throw new Error(session.problem);
  expect(session).toMatchObject({
    keys: [
      { path: 'user', kind: 'an array of 2' },
      { path: 'user.id', kind: 'a number' },
      { path: 'user.name', kind: 'a text' },
      { path: 'csrf', kind: 'a text' },
    ],
    ids: ['user.id'],
    names: ['user.name'],
    roles: [],
  });
  expect(session.findUser({ id: 'user.id', name: 'user.name', roles: '' })).toEqual({ id: '7', name: 'Zoë' });
  expect(session.findUser({ id: 'csrf.id', name: 'csrf', roles: '' })).toHaveProperty('problem');
});

test('reports a missing session as missing', async () => {
  expect(await describeSession(sessionsOf(inFiles()), 'f'.repeat(32))).toMatchObject({
    isMissing: true,
    problem: expect.stringMatching(/^This login is rejected: the store has no such session\./),
  });
});

test('describes a site by its folder, although the user in its sessions is unknown', async () => {
  const site = join(folder, 'site');
  mkdirSync(join(site, 'public'), { recursive: true });
  writeFileSync(join(site, 'public/index.php'), "<?php session_name('garden'); session_start();");
  const description = await describeSite(siteOf(site, { store: `file://${folder}` }));
  if ('problem' in description) throw new Error(description.problem);
  const { sessions, files, settings } = description;
  expect(description).toMatchObject({
    kind: 'php',
    logins: `sessions in files in ${folder}`,
    sessionFolder: folder,
    isUserKnown: false,
    cookie: { path: '/', domain: '', secure: false },
  });
  expect(files.size).toBeGreaterThan(0);
  expect(sessions && (await findCookieName(sessions))).toBe('garden');
  expect((await findings(settings)).map(({ level }) => level)).not.toContain('problem');
  expect(findWebRoot(site)).toBe(join(site, 'public'));
  expect(await findKind(settings)).toBe('php');
  expect(await grants(settings)).toEqual({ problem: expect.stringContaining('has PHP sessions') });
});

test('reports a folder without an application by its name', async () => {
  expect(await describeSite(siteOf(join(folder, 'none')))).toMatchObject({
    code: 'configuration',
    problem: expect.stringContaining(`${folder}/none cannot be read`),
  });
  expect(await findKind(siteOf(join(folder, 'none')))).toBeUndefined();
});
