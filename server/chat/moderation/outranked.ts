import type { SiteRole } from '../../wire/events.ts';
import { moderatesSite } from '../access.ts';
import type { Chat } from '../chat.ts';
import { siteRole } from '../model.ts';
import * as site from '../site.ts';

/**
 * Lifts the mutes and bans of a user that their makers could not make now, because the user has a higher site role. The
 * chat knows the role only from the user's sessions, so anyone can ban a moderator who has not connected yet. Bans by
 * the site stay.
 */
export async function liftOutranked(
  chat: Chat,
  { id, roles }: { id: string; roles: readonly SiteRole[] },
): Promise<void> {
  if (!moderatesSite({ roles })) return;
  const { history, directory } = chat;
  const banner = directory.banOf(id)?.by;
  const laid = directory.restrictions.on(id);
  const makers = [...laid.map(({ restriction: { by } }) => by), ...(banner === undefined ? [] : [banner])];
  if (makers.length === 0) return;
  const known = await history.read.users({ ids: [...new Set(makers)] });
  // The role of an erased user is unknown, so only an admin, whom nobody outranks, is free of their restrictions.
  const withoutRole = new Set(
    known
      .filter((maker) => (siteRole(directory.person(maker.id)) ?? maker.siteRole) === undefined)
      .map(({ id }) => id),
  );
  const isOutranked = (by: string) => roles.includes('admin') || withoutRole.has(by);
  if (banner !== undefined && isOutranked(banner)) await site.unban(chat, id, id);
  for (const { room, kind, restriction } of laid) {
    if (!isOutranked(restriction.by)) continue;
    await history.write.restrict({ room, user: id, kind, restriction: null, actor: id, at: Date.now() });
  }
}
