import { expect, onTestFinished, test, vi } from 'vitest';
import type { Person } from '../../../server/chat/model.ts';
import type { TeamSettings } from '../../../server/chat/questions/roles.ts';
import { Team } from '../../../server/chat/questions/team.ts';
import type { SiteRole } from '../../../server/wire/events.ts';

const ida = { id: 'ida', name: 'Ida' };

/** A team in a history that another server also changes, and a connected user. */
function scene() {
  const stored = new Set<string>();
  let seenAt = 0;
  const asked: (number | undefined)[] = [];
  const history = {
    read: {
      inTeam: async ({ user }: { user: string }) => (stored.has(user) ? { seenAt } : null),
      team: async () => [...stored].map((id) => ({ id, name: id })),
      teamAfter: async ({ after, limit }: { after: string; limit: number }) =>
        [...stored]
          .toSorted()
          .filter((id) => id > after)
          .slice(0, limit),
    },
    write: {
      joinTeam: async ({ user, at }: { user: string; at: number }) => {
        stored.add(user);
        seenAt = at;
      },
      othersInTeam: async ({ before }: { before?: number }) => {
        asked.push(before);
        return { users: [] };
      },
      leaveTeam: async ({ user }: { user: string }) => {
        stored.delete(user);
        return { left: 0 };
      },
    },
  };
  const roles: SiteRole[] = ['team'];
  const banned = new Set<string>();
  const onSite = new Set(['ida']);
  const withoutDeleted = async (users: { id: string }[]) => users.filter(({ id }) => onSite.has(id));
  const person = { user: ida, memberships: new Map(), connections: [{ identity: { roles } }] };
  const directory = {
    banOf: (user: string) => (banned.has(user) ? {} : null),
    everybody: () => [person],
  };
  const parts = { history, directory, withoutDeleted } as unknown as ConstructorParameters<typeof Team>[0];
  const team = new Team(parts, { users: new Set(), hasRoles: true } as unknown as TeamSettings);
  return {
    team,
    stored,
    banned,
    onSite,
    roles,
    asked,
    seenAt: () => seenAt,
    settle: () => team.settle(person as unknown as Person),
  };
}

test('stores a member again whom another server dismissed', async () => {
  const { stored, settle } = scene();
  await settle();
  expect([...stored]).toEqual(['ida']);
  stored.delete('ida');
  await settle();
  expect([...stored]).toEqual(['ida']);
});

test('dismisses a member who loses the role at once', async () => {
  const { stored, roles, settle } = scene();
  await settle();
  roles.pop();
  await settle();
  expect([...stored]).toEqual([]);
});

test('notes once a day that a connected member is in the team', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const { team, settle, seenAt } = scene();
  await settle();
  const first = Date.now();
  vi.advanceTimersByTime(23 * 60 * 60_000);
  await team.review();
  expect(seenAt()).toBe(first);
  vi.advanceTimersByTime(2 * 60 * 60_000);
  await team.review();
  expect(seenAt()).toBe(Date.now());
});

test('dismisses a member whom the site deleted', async () => {
  const { team, stored, onSite, settle } = scene();
  await settle();
  for (let n = 100; n < 350; n++) {
    stored.add(`e${n}`);
    onSite.add(`e${n}`);
  }
  stored.add('eve');
  onSite.delete('e249');
  await team.review();
  expect(stored.size).toBe(250);
  expect(stored.has('eve') || stored.has('e249')).toBe(false);
});

test('dismisses by time as soon as members had a week to connect', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const { team, asked } = scene();
  const day = 24 * 60 * 60_000;
  const days = async () => {
    await team.dismissOthers();
    return (Date.now() - (asked.at(-1) ?? 0)) / day;
  };
  expect(await days()).toBe(90);
  vi.advanceTimersByTime(7 * day);
  expect(await days()).toBe(30);
});

test('dismisses a member who is banned from the site while joining', async () => {
  const { stored, banned, settle } = scene();
  banned.add('ida');
  await settle();
  expect([...stored]).toEqual([]);
});

test('does not list a member deleted by the site, or allow a question to be handed over to them', async () => {
  const { team, onSite, settle } = scene();
  await settle();
  expect([(await team.members()).map(({ id }) => id), await team.canHave('ida')]).toEqual([['ida'], true]);
  onSite.clear();
  const { team: again, stored } = scene();
  stored.add('eve');
  expect([await again.members(), await again.canHave('eve'), await team.canHave('ida')]).toEqual([
    ...[[], false, false],
  ]);
});
