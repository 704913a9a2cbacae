import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../../server/settings/config.ts';
import { configOf, sessionsOf } from '../../../test/helpers/config.ts';
import { openSessions, type SessionOptions } from '../src/index.ts';
import { optionTexts, readOptions } from '../src/options.ts';
import { pathText } from '../src/path.ts';
import { mysql } from '../src/stores/sql/mysql.ts';
import { sqlite } from '../src/stores/sql/sqlite.ts';

const store = 'file:///var/lib/php/sessions';

/** Returns the problems of these options, one per line. TypeScript would reject some of the options. */
function problemsOf(options: Record<string, unknown>): string[] {
  try {
    openSessions(options as unknown as SessionOptions).close();
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    const [title, ...lines] = (error as Error).message.split('\n  ');
    expect(title).toBe('options that cannot be used:');
    return lines;
  }
  return [];
}

describe('the options of openSessions', () => {
  test('are all described in the README, except userTable, whose users openSessions does not return', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const [, section = ''] = /^## Options\n(.*?)^#/ms.exec(readme) ?? [];
    const rows = [...section.matchAll(/^\| (`.*?`) \|/gm)].flatMap(
      ([, names = '']) => names.match(/\w+/g) ?? [],
    );
    const names = optionTexts({ store }).map(({ option }) => option);
    expect(rows.sort()).toEqual(names.filter((name) => name !== 'userTable').sort());
  });

  test('include the paths to groups, roles, a ban and a mail address', () => {
    const options: SessionOptions = {
      store,
      userGroups: 'groups',
      userRoles: 'roles',
      userBanned: 'ban',
      userMail: 'mail',
    };
    expect(readOptions({ ...options })).toMatchObject({
      session: { user: { groups: ['groups'], roles: ['roles'], banned: ['ban'], mail: ['mail'] } },
    });
  });

  test('are rejected with all problems together, by the names of the options', () => {
    const problems = problemsOf({
      store: 'redis://HOST:PORT',
      cookieName: 'a=b',
      cookie: 'sealed',
      userId: 'app..id',
      userName: 'a!!!!!',
      userRequire: 'a..b',
      userNobody: ['3'],
      site: 'wordpres:',
      userid: 'id',
    });
    const names = problems.map((problem) => problem.split(':')[0]).sort();
    expect(names).toEqual([
      'cookie',
      'cookieName',
      'site',
      'store',
      'userId',
      'userName',
      'userNobody',
      'userRequire',
      'userid',
    ]);
  });

  test('place a table of users in the database of the sessions or of the site', () => {
    const userTable = 'site.people(nr, called)';
    const read = (options: Record<string, string>) => readOptions(options);
    const store = 'mysql://chat:p%40ss@db/site?table=sessions&id=id&data=data&charset=utf8mb4&expires=until';
    expect(read({ store, userTable })).toMatchObject({
      users: { table: 'site.people', id: 'nr', name: 'called', database: { driver: mysql } },
    });
    const files = 'file:///var/lib/php/sessions';
    expect(read({ store: files, userTable, siteDatabase: 'sqlite:/site.db' })).toMatchObject({
      users: { database: { driver: sqlite } },
    });
    expect(problemsOf({ store: files, userTable })).toEqual([
      expect.stringMatching(/^userTable: .* with siteDatabase$/),
    ]);
    for (const wrong of ['people', 'people(id)', 'people(id,name) WHERE 1', "people(id,'x')"])
      expect(problemsOf({ store, userTable: wrong })).toEqual([
        expect.stringContaining('such as users(id,name)'),
      ]);
    expect(read({ site: '/srv', userTable, siteDatabase: 'sqlite:/site.db' })).toMatchObject({
      site: { sessions: { notForTables: ['userTable'], notForSessions: [] } },
    });
  });

  test('name roles of a team only with the path to roles', () => {
    expect(problemsOf({ store, teamRoles: 'shop_manager' })).toEqual([
      expect.stringMatching(/^teamRoles: .* set userRoles to the path/),
    ]);
    expect(readOptions({ store, teamRoles: ' shop_manager, , 5', userRoles: 'roles' })).toMatchObject({
      session: { user: { team: ['shop_manager', '5'] } },
    });
    expect(readOptions({ site: '/srv', teamRoles: 'shop_manager' })).toMatchObject({
      site: { team: ['shop_manager'], sessions: { notForTables: [], notForMembers: [], notForSessions: [] } },
    });
  });

  test('require a known store', () => {
    for (const options of [{}, { store: '' }, { store: undefined }]) {
      expect(problemsOf(options)).toEqual([expect.stringMatching(/^store: .*file:\/\/\/var\/lib/)]);
    }
    expect(problemsOf({ store: 7 })).toEqual(['store: the value must be a string']);
    expect(problemsOf({ store: 'gopher://x' })).toEqual([
      expect.stringMatching(/^store: the kind of store must be one of/),
    ]);
  });

  test('are rejected without repeating a password', () => {
    for (const url of [
      'redis://:hunter2@',
      'redis://a:hunter2@host:port',
      'memcached://u:hunter2@localhost/path',
      'redis://user:12?hunter2&x@host',
      'redis://user:12?Hunter=hunter2@host',
    ]) {
      expect(problemsOf({ store: url, userId: '.' }).join()).toMatch(/^store: (?!.*hunter2).*userId: /);
    }
  });

  test('are rejected without repeating a key that was given instead of its file', () => {
    const key = Buffer.alloc(32, 7).toString('base64');
    const given = { store: `${store}?layers=decrypt:${key}`, cookie: `laravel:base64:${key}` };
    const problems = problemsOf(given);
    expect(problems).toHaveLength(2);
    expect(problems.join()).not.toContain(key);
  });

  test('count as missing if they are undefined or empty', () => {
    for (const none of [undefined, '']) {
      const names = ['cookieName', 'cookie', 'userId', 'userName', 'userRequire', 'userNobody', 'site'];
      const options = Object.fromEntries(names.map((name) => [name, none]));
      expect(problemsOf({ ...options, store })).toEqual([]);
      expect(problemsOf({ ...options, store, site: 'roundcube:' })).toEqual([]);
      expect(problemsOf({ ...options, store, site: 'mediawiki:' })).toHaveLength(1);
    }
  });

  test('are rejected by messages that repeat an invalid name or path', () => {
    expect(problemsOf({ store, cookieName: 'a=b', userRequire: 'a..b' })).toEqual([
      expect.stringMatching(/^cookieName: "a=b" is not /),
      expect.stringMatching(/^userRequire: "a..b" is not a path .*: a key of the path is empty$/),
    ]);
  });

  test('may be required by a kind of application', () => {
    expect(problemsOf({ store, site: 'roundcube:' })).toEqual([]);
    expect(problemsOf({ store, site: 'mediawiki:' })).toEqual([
      'cookieName: the value is different on every site, so it must be given',
    ]);
    expect(problemsOf({ store, site: 'mediawiki:', cookieName: 'wiki_session' })).toEqual([]);
    expect(problemsOf({ store, site: '__proto__:' })).toEqual([
      expect.stringMatching(/^site: "__proto__:" is not the folder of .*roundcube/),
    ]);
  });
});

describe('the settings of the chat server', () => {
  const settingsOf = (env: NodeJS.ProcessEnv) => {
    const { cookie, user } = sessionsOf(env);
    return [
      cookie.name,
      pathText(user.id),
      pathText(user.name),
      user.require && pathText(user.require),
      user.nobody,
    ];
  };

  test('come from the kind of application if they are not set', () => {
    expect(settingsOf({})).toEqual(['PHPSESSID', 'user_id', 'firstname', undefined, []]);
    const roundcube = ['roundcube_sessid', 'user_id', 'username', 'auth_secret', []];
    expect(settingsOf({ CHAT_SITE: 'roundcube:' })).toEqual(roundcube);
    expect(settingsOf({ CHAT_SITE: 'roundcube:', CHAT_USER_ID: '', CHAT_SESSION_NAME: '' })).toEqual(
      roundcube,
    );
    expect(
      settingsOf({
        CHAT_SITE: 'roundcube:',
        CHAT_SESSION_NAME: 'mail',
        CHAT_USER_ID: 'vars!.user_id',
        CHAT_USER_NAME: 'vars!.username',
        CHAT_USER_REQUIRE: 'vars!.auth_secret',
        CHAT_USER_NOBODY: 'demo, 5',
      }),
    ).toEqual(['mail', 'vars!.user_id', 'vars!.username', 'vars!.auth_secret', ['demo', '5']]);
  });

  test('are rejected if they are about a site’s tables and CHAT_SITE names only a kind', () => {
    expect(
      problemOf({ CHAT_SITE: 'roundcube:', CHAT_SITE_DATABASE: 'sqlite:/x', CHAT_SITE_BLOG: '2' }),
    ).toMatch(
      /CHAT_SITE_DATABASE: this option is only for a site with a folder\n {2}CHAT_SITE_BLOG: this option is only for a site with a folder/,
    );
  });

  function problemOf(env: NodeJS.ProcessEnv): string {
    try {
      configOf(env);
    } catch (error) {
      if (error instanceof ConfigError) return error.message;
    }
    throw new Error('accepted');
  }
});

test.each(['site', 'siteBlog', 'siteChecks', 'cookieName', 'charset', 'userId', 'userTable', 'cookie'])(
  'does not repeat a secret that was given as %s by mistake',
  (name) => {
    for (const secret of [
      'mysql://ann:hunter2@127.0.0.1/d',
      'redis://:hun/hunter2@127.0.0.1',
      'base64:hunter2=',
      'mysql:host=h;password=hunter2',
    ]) {
      const read = readOptions({ store: 'file:///tmp', [name]: secret });
      if ('problems' in read) expect(inspect(read)).not.toContain('hunter2');
    }
  },
);

test('says that null is not a string', () => {
  expect(readOptions({ store: null, cookieName: null })).toEqual({
    problems: ['store: the value must be a string', 'cookieName: the value must be a string'],
  });
});
