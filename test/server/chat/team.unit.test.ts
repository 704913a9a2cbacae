import { expect, test } from 'vitest';
import type { Person } from '../../../server/chat/model.ts';
import type { TeamSettings } from '../../../server/chat/questions/roles.ts';
import { Team } from '../../../server/chat/questions/team.ts';
import type { History } from '../../../server/history/history.ts';
import type { SiteRole } from '../../../server/wire/events.ts';

const ida = { id: 'ida', name: 'Ida' };

/** A team in a history that another server also changes, and a connected user. */
function scene() {
  const stored = new Set<string>();
  const history = {
    read: { inTeam: async ({ user }: { user: string }) => stored.has(user) },
    write: {
      joinTeam: async ({ user }: { user: string }) => void stored.add(user),
      leaveTeam: async ({ user }: { user: string }) => {
        stored.delete(user);
        return { left: 0 };
      },
    },
  };
  const roles: SiteRole[] = ['team'];
  const person = { user: ida, memberships: new Map(), connections: [{ identity: { roles } }] };
  const team = new Team(history as unknown as History, {} as TeamSettings);
  return {
    stored,
    roles,
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
