import { describe, expect, test } from 'vitest';
import { PageStorage } from '../../client/src/chat/page-storage.ts';
import { memoryStorage } from './memory-storage.ts';

/** Opens a storage that holds at most `space` characters of values. */
function opened(space = Number.POSITIVE_INFINITY) {
  const raw = memoryStorage();
  const { setItem } = raw;
  const limit = { space };
  raw.setItem = (key, value) => {
    const others = Array.from({ length: raw.length }, (_, n) => raw.key(n) ?? '').filter(
      (one) => one !== key,
    );
    const used = others.reduce((sum, one) => sum + (raw.getItem(one)?.length ?? 0), value.length);
    if (used > limit.space) throw new DOMException('full', 'QuotaExceededError');
    setItem(key, value);
  };
  return { raw, limit, page: new PageStorage(() => raw) };
}

describe('a full storage', () => {
  test('keeps new and changed values in memory and reports them', () => {
    const { raw, page } = opened(3);
    expect(page.set('a', '123')).toBe(true);
    expect(page.set('b', '4')).toBe(false);
    expect(page.set('a', '1234')).toBe(false);
    expect(['a', 'b'].map((key) => page.get(key))).toEqual(['1234', '4']);
    expect(page.keys('')).toEqual(expect.arrayContaining(['a', 'b']));
    expect(page.unstored('').sort()).toEqual(['a', 'b']);
    expect(raw.getItem('a')).toBe('123');
  });

  test('stores earlier values once it has space again', () => {
    const { raw, limit, page } = opened(0);
    page.set('a', '1');
    limit.space = 9;
    expect(page.set('b', '2')).toBe(true);
    expect([raw.getItem('a'), raw.getItem('b')]).toEqual(['1', '2']);
    expect(page.unstored('')).toEqual([]);
  });

  test('does not return a deleted value', () => {
    const { page } = opened(1);
    page.set('a', '1');
    page.set('a', '12');
    page.delete('a');
    expect([page.get('a'), page.keys('a'), page.unstored('')]).toEqual([undefined, [], []]);
  });
});

test.each(['getItem', 'setItem', 'removeItem', 'key'] as const)(
  'a storage whose %s fails is replaced',
  (name) => {
    const { raw, page } = opened();
    page.set('a', '1');
    page.get('a');
    raw[name] = () => {
      throw new DOMException('denied', 'SecurityError');
    };
    expect(page.get('a')).toBe('1');
    page.set('b', '2');
    expect(page.get('b')).toBe('2');
    page.delete('b');
    page.keys('');
  },
);

test('a forbidden storage is replaced by memory', () => {
  const page = new PageStorage(() => {
    throw new DOMException('denied', 'SecurityError');
  });
  expect(page.set('a', '1')).toBe(false);
  expect([page.get('a'), page.keys(''), page.unstored('')]).toEqual(['1', ['a'], ['a']]);
  page.delete('a');
  expect(page.keys('')).toEqual([]);
});

describe('after a script of the site cleared the storage', () => {
  test('the page has its values and stores them with the next', () => {
    const { raw, page } = opened();
    page.set('a', '1');
    raw.clear();
    raw.setItem('of the site', '');
    expect(page.get('a')).toBe('1');
    expect(page.unstored('')).toEqual(['a']);
    page.set('b', '2');
    expect([raw.getItem('a'), raw.getItem('b')]).toEqual(['1', '2']);
  });

  test('the page does not return values that it deleted, or that another tab deleted before', () => {
    const { raw, page } = opened();
    const other = new PageStorage(() => raw);
    for (const key of ['a', 'b', 'c']) page.set(key, '1');
    page.delete('a');
    other.delete('b');
    page.forget('b');
    raw.clear();
    expect(page.keys('')).toEqual(['c']);
  });
});

test('another tab’s value replaces a value that this page could not store', () => {
  const { raw, limit, page } = opened(0);
  page.set('a', '123');
  limit.space = 1;
  new PageStorage(() => raw).set('a', '4');
  page.forget('a');
  expect(page.get('a')).toBe('4');
});

test('a value that another tab deleted is missing, even before its event arrives', () => {
  const { raw, page } = opened();
  page.set('a', '1');
  new PageStorage(() => raw).delete('a');
  expect([page.get('a'), page.keys('a')]).toEqual([undefined, []]);
});
