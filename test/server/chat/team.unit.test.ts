import { expect, onTestFinished, test, vi } from 'vitest';
import type { Person } from '../../../server/chat/model.ts';
import type { TeamSettings } from '../../../server/chat/questions/roles.ts';
import { Team } from '../../../server/chat/questions/team.ts';
import type { History } from '../../../server/history/history.ts';
import type { SiteRole } from '../../../server/wire/events.ts';

const ida = { id: 'ida', name: 'Ida' };

/** A team in a history that another server also changes, and a connected user. */
function scene() {
  let time = 0;
  const now = vi.spyOn(performance, 'now').mockImplementation(() => time);
  onTestFinished(() => now.mockRestore());
  const stored = new Set<string>();
  const history = {
    read: { team: async () => (stored.has('ida') ? [ida] : []) },
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
    later: () => {
      time += 10_000;
    },
  };
}

test('stores a member again whom another server dismissed', async () => {
  const { stored, settle, later } = scene();
  await settle();
  expect([...stored]).toEqual(['ida']);
  stored.delete('ida');
  later();
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
