import { expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../../server/config.ts';
import { pathText } from '../../../server/session/path.ts';
import { presets } from '../../../server/session/presets.ts';

const settingsOf = (env: NodeJS.ProcessEnv) => {
  const { cookie, user } = readConfig(env).session;
  return [
    cookie.name,
    pathText(user.id),
    pathText(user.name),
    user.require && pathText(user.require),
    user.nobody,
  ];
};

test('a preset is what is not set otherwise', () => {
  expect(settingsOf({})).toEqual(['PHPSESSID', 'user_id', 'firstname', undefined, []]);
  const roundcube = ['roundcube_sessid', 'user_id', 'username', 'auth_secret', []];
  expect(settingsOf({ CHAT_PRESET: 'roundcube' })).toEqual(roundcube);
  expect(settingsOf({ CHAT_PRESET: 'roundcube', CHAT_USER_ID: '', CHAT_SESSION_NAME: '' })).toEqual(
    roundcube,
  );
  expect(
    settingsOf({
      CHAT_PRESET: 'roundcube',
      CHAT_SESSION_NAME: 'mail',
      CHAT_USER_ID: 'vars!.user_id',
      CHAT_USER_NAME: 'vars!.username',
      CHAT_USER_REQUIRE: 'vars!.auth_secret',
      CHAT_USER_NOBODY: 'demo, 5',
    }),
  ).toEqual(['mail', 'vars!.user_id', 'vars!.username', 'vars!.auth_secret', ['demo', '5']]);
});

test('one that is unknown is refused with those that are known', () => {
  for (const name of ['typo3', 'Laravel', 'toString', '__proto__']) {
    const problem = problemOf({ CHAT_PRESET: name });
    expect(problem).toContain(`CHAT_PRESET: "${name}" is not one of`);
    for (const known of Object.keys(presets)) expect(problem).toContain(known);
  }
});

test('what every site has of its own has to be given', () => {
  expect(problemOf({ CHAT_PRESET: 'mediawiki' })).toMatch(/^ {2}CHAT_SESSION_NAME: .*CHAT_PRESET=mediawiki/m);
  expect(settingsOf({ CHAT_PRESET: 'mediawiki', CHAT_SESSION_NAME: 'wikidb_session' })[0]).toBe(
    'wikidb_session',
  );
});

test.each([
  ['CHAT_USER_REQUIRE', 'a..b'],
  ['CHAT_USER_ID', '*'],
  ['CHAT_USER_NAME', 'a!!!!!'],
])('a path that cannot be: %s=%s', (name, value) => {
  expect(problemOf({ [name]: value })).toContain(`${name}: "${value}" is not a path`);
});

function problemOf(env: NodeJS.ProcessEnv): string {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
  }
  throw new Error('accepted');
}
