import { describe, expect, test } from 'vitest';
import { openSessions, type SessionOptions } from '../../../server/session/index.ts';

const store = 'file:///var/lib/php/sessions';

/** What is said of these options, line by line; they may be what TypeScript would not let pass. */
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

describe('options', () => {
  test('all that is wrong is told together, by the names of the options', () => {
    const problems = problemsOf({
      store: 'redis://HOST:PORT',
      cookieName: 'a=b',
      cookie: 'sealed',
      userId: 'app..id',
      userName: 'a!!!!!',
      userRequire: 'a..b',
      userNobody: ['3'],
      preset: 'wordpres',
      userid: 'id',
    });
    const names = problems.map((problem) => problem.split(':')[0]).sort();
    expect(names).toEqual([
      'cookie',
      'cookieName',
      'preset',
      'store',
      'userId',
      'userName',
      'userNobody',
      'userRequire',
      'userid',
    ]);
  });

  test('no store, or one that is none', () => {
    for (const options of [{}, { store: '' }, { store: undefined }]) {
      expect(problemsOf(options)).toEqual([expect.stringMatching(/^store: .*file:\/\/\/var\/lib/)]);
    }
    expect(problemsOf({ store: 7 })).toEqual(['store: a string is needed']);
    expect(problemsOf({ store: 'gopher://x' })).toEqual([
      expect.stringMatching(/^store: this version reads/),
    ]);
  });

  test('a password is never repeated', () => {
    for (const url of [
      'redis://:hunter2@',
      'redis://a:hunter2@host:port',
      'memcached://u:hunter2@localhost',
      'redis://user:12?hunter2&x@host',
      'redis://user:12?Hunter=hunter2@host',
    ]) {
      expect(problemsOf({ store: url, userId: '.' }).join()).toMatch(/^store: (?!.*hunter2).*userId: /);
    }
  });

  test('nor is a key that somebody gives in place of its file', () => {
    const key = Buffer.alloc(32, 7).toString('base64');
    const given = { store: `${store}?layers=decrypt:${key}`, cookie: `laravel:base64:${key}` };
    const problems = problemsOf(given);
    expect(problems).toHaveLength(2);
    expect(problems.join()).not.toContain(key);
  });

  test('what is undefined or empty was not given', () => {
    for (const none of [undefined, '']) {
      const names = ['cookieName', 'cookie', 'userId', 'userName', 'userRequire', 'userNobody', 'preset'];
      const options = Object.fromEntries(names.map((name) => [name, none]));
      expect(problemsOf({ ...options, store })).toEqual([]);
      expect(problemsOf({ ...options, store, preset: 'roundcube' })).toEqual([]);
      expect(problemsOf({ ...options, store, preset: 'mediawiki' })).toHaveLength(1);
    }
  });

  test('what was given is repeated where it is no secret', () => {
    expect(problemsOf({ store, cookieName: 'a=b', userRequire: 'a..b' })).toEqual([
      expect.stringMatching(/^cookieName: "a=b" is not /),
      expect.stringMatching(/^userRequire: "a..b" is not a path .*: a key of the path is empty$/),
    ]);
  });

  test('a preset, and what every site of it has for itself', () => {
    expect(problemsOf({ store, preset: 'roundcube' })).toEqual([]);
    expect(problemsOf({ store, preset: 'mediawiki' })).toEqual([
      'cookieName: every site has its own, so preset=mediawiki needs it',
    ]);
    expect(problemsOf({ store, preset: 'mediawiki', cookieName: 'wiki_session' })).toEqual([]);
    expect(problemsOf({ store, preset: '__proto__' })).toEqual([
      expect.stringMatching(/^preset: "__proto__" is not one of .*roundcube/),
    ]);
  });
});
