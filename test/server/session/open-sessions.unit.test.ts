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
      userName: '',
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
    expect(problemsOf({})).toEqual(['store: a string is needed']);
    expect(problemsOf({ store: 'gopher://x' })).toEqual([
      expect.stringMatching(/^store: this version reads/),
    ]);
  });

  test('a password is never repeated', () => {
    for (const url of [
      'redis://:hunter2@',
      'redis://a:hunter2@host:port',
      'memcached://u:hunter2@localhost',
    ]) {
      expect(problemsOf({ store: url, userId: '' }).join()).toMatch(/^store: (?!.*hunter2).*userId: /);
    }
  });

  test('what is undefined was not given', () => {
    expect(problemsOf({ store, userId: undefined, preset: undefined, cookie: undefined })).toEqual([]);
  });

  test('a preset, and what every site of it has for itself', () => {
    expect(problemsOf({ store, preset: 'roundcube' })).toEqual([]);
    expect(problemsOf({ store, preset: 'mediawiki' })).toEqual([
      expect.stringMatching(/^cookieName: every site has its own/),
    ]);
    expect(problemsOf({ store, preset: 'mediawiki', cookieName: 'wiki_session' })).toEqual([]);
    expect(problemsOf({ store, preset: '__proto__' })).toEqual([
      expect.stringMatching(/^preset: one of .*roundcube/),
    ]);
  });
});
