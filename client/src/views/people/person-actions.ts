import type { RoomMember, User } from '../../../../server/wire/events.ts';
import { isGuest } from '../../../../server/wire/guest.ts';
import type { Context, SomebodyHere } from '../context.ts';
import type { MenuItem } from '../controls/menu.tsx';
import { blockItem } from '../moderation/block-item.ts';
import { refusal, refusedDirect } from '../refusal.ts';
import { siteAddress } from './site-address.ts';

const rank = { member: 0, moderator: 1, owner: 2 } as const;

/** The main actions: write to the user, and mention the user here. */
export function quick({ room, user, banned }: SomebodyHere, context: Context): MenuItem[] {
  const { chat, strings } = context;
  const { kind, may } = room.summary;
  const oneself = user.id === chat.me?.id;
  const items: (MenuItem | false)[] = [
    !oneself &&
      chat.can.direct &&
      !isGuest(user.id) &&
      !chat.single &&
      kind !== 'direct' && {
        picture: 'bubble',
        label: strings.text('people.writeTo'),
        run: () => writeTo(user, context),
      },
    !oneself &&
      !banned &&
      kind !== 'direct' &&
      !room.preview &&
      may.includes('send') && {
        picture: 'at',
        label: strings.text('person.mention'),
        run: () => context.mention(user),
      },
  ];
  return items.filter((item) => item !== false);
}

/** Opens the direct room with the user. */
export function writeTo(user: User, { chat, strings, toast, open }: Context): void {
  chat.connection
    .connected()
    .then(() => chat.openDirect(user.id))
    .then(
      ({ id }) => open(id),
      (error) => toast(refusedDirect(error, user, strings), 'bad'),
    );
}

/**
 * Returns the moderation actions on a user that the reader may take.
 *
 * @param role - in the room; undefined for users who are not members
 */
export function moderation(
  { room, user, banned }: SomebodyHere,
  role: RoomMember['role'] | undefined,
  context: Context,
): MenuItem[] {
  const { chat, strings, dialog, toast } = context;
  const { may, role: own = 'member' } = room.summary;
  // A site admin outranks a site moderator, who outranks the room's owner.
  const site = chat.roles.includes('admin') ? 3 : chat.roles.includes('moderator') ? 2.5 : 0;
  const above = user.id !== chat.me?.id && Math.max(site, rank[own]) > rank[role ?? 'member'];
  const change = (to: 'moderator' | 'member') => {
    chat
      .request('room:role', { room: room.id, user: user.id, role: to })
      .catch(() => toast(strings.text('error.other'), 'bad'));
  };
  const lift = () => {
    chat
      .request('room:ban', { room: room.id, user: user.id, seconds: 0 })
      .catch((error) => toast(refusal(error, strings), 'bad'));
  };
  if (banned) return above ? [{ picture: 'ban', label: strings.text('restricted.unban'), run: lift }] : [];
  const items: (MenuItem | false)[] = [
    role !== undefined &&
      may.includes('roles') && {
        picture: 'shield',
        label: strings.text(role === 'moderator' ? 'people.dropModerator' : 'people.makeModerator'),
        run: () => change(role === 'moderator' ? 'member' : 'moderator'),
      },
    may.includes('moderate') && {
      picture: 'muted',
      label: strings.text('mute.action'),
      run: () => dialog({ kind: 'restrict', room, user, how: 'mute' }),
    },
    may.includes('moderate') && {
      picture: 'ban',
      label: strings.text('ban.action'),
      bad: true,
      run: () => dialog({ kind: 'restrict', room, user, how: 'ban' }),
    },
    role !== undefined &&
      may.includes('remove') && {
        picture: 'remove',
        label: strings.text('people.remove'),
        bad: true,
        run: () => dialog({ kind: 'remove', room, user }),
      },
  ];
  return above ? items.filter((item) => item !== false) : [];
}

/** More actions: report a message of the user, and block the user. */
export function others({ user, message }: SomebodyHere, context: Context): MenuItem[] {
  const { chat, strings, dialog } = context;
  const items: (MenuItem | false)[] = [
    message !== undefined &&
      message.deletedAt === undefined &&
      user.id !== chat.me?.id &&
      chat.can.report && {
        picture: 'flag',
        label: strings.text('person.report'),
        run: () => dialog({ kind: 'report', message }),
      },
    blockItem(user, context),
  ];
  return items.filter((item) => item !== false);
}

/** Returns the URL of the user's page on the site. */
export function profileUrl({ id }: User, { attribute, chat }: Context): string | undefined {
  const template = attribute('profile-url') ?? chat.profile.url;
  return template === undefined ? undefined : siteAddress(template, id);
}
