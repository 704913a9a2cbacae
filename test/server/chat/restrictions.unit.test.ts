import { expect, test } from 'vitest';
import { mostRestricted, Restrictions } from '../../../server/chat/moderation/restrictions.ts';

test('returns the next end after additions, changes and removals', () => {
  const restrictions = new Restrictions();
  const ends: (number | null)[] = [];
  const restrict = (user: string, kind: 'muted' | 'banned', until?: number | null) => {
    const now = until === null ? null : { by: '1', until };
    restrictions.set('den', user, kind, now);
    ends.push(restrictions.nextEnd);
  };
  restrict('2', 'muted');
  restrict('2', 'banned', 30);
  restrict('3', 'muted', 20);
  restrict('3', 'banned', 10);
  restrict('3', 'banned', 40);
  restrict('3', 'muted', null);
  restrict('2', 'banned', null);
  restrictions.forget('den');
  expect([...ends, restrictions.nextEnd]).toEqual([null, 30, 20, 10, 20, 30, 40, null]);
});

test('adds a restriction without scanning all others', () => {
  const restrictions = new Restrictions();
  let looked = 0;
  const most = 1000;
  for (let n = 0; n < most; n++) {
    const mute = {
      by: '1',
      get until() {
        looked++;
        return 1_000_000 + n;
      },
    };
    restrictions.set('den', `user ${n}`, 'muted', mute);
    expect(restrictions.nextEnd).toBe(1_000_000);
  }
  expect(looked).toBeLessThan(10 * most);
});

test('does not count an expired restriction toward the limit', () => {
  const restrictions = new Restrictions();
  for (let n = 0; n < mostRestricted; n++) restrictions.set('den', `${n}`, 'muted', { by: '1' });
  expect(['7', 'new'].map((user) => restrictions.hasPlaceFor('den', user))).toEqual([true, false]);
  restrictions.set('den', '7', 'muted', { by: '1', until: Date.now() });
  expect(restrictions.hasPlaceFor('den', 'new')).toBe(true);
  restrictions.set('den', '7', 'banned', { by: '1' });
  expect(restrictions.hasPlaceFor('den', 'new')).toBe(false);
});

test('limits the users that one moderator restricts over all rooms', () => {
  const restrictions = new Restrictions();
  const most = mostRestricted;
  for (let n = 0; n < most; n++) restrictions.set(`den ${n % 2}`, `${n}`, 'muted', { by: '1' });
  const places = (by: string) =>
    [
      ['den 0', '0'],
      ['den 1', 'new'],
    ].map(([room = '', user = '']) => restrictions.hasPlaceFor(room, user, by));
  expect([places('1'), places('2')]).toEqual([
    [true, false],
    [true, true],
  ]);
  restrictions.set('den 0', '0', 'muted', { by: '2' });
  expect(places('1')).toEqual([true, true]);
  restrictions.set('den 0', '0', 'banned', { by: '1' });
  expect(places('1')).toEqual([true, false]);
  restrictions.forget('den 1');
  expect(places('1')).toEqual([true, true]);
});
