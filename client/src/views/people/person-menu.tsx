import type { RoomMember, User } from '../../../../server/wire/events.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { type MenuItem, openMenu } from '../controls/menu.tsx';
import { blockItem } from '../moderation/block-item.ts';
import { refusedDirect } from '../refusal.ts';
import { siteAddress } from '../rooms/site-address.ts';
import { Avatar } from './avatar.tsx';

const rank = { member: 0, moderator: 1, owner: 2 } as const;

/** The actions on a person in a room that the user may take. */
export function personItems({ user, role }: RoomMember, room: Room, context: Context): MenuItem[] {
  const { chat, strings, dialog, toast } = context;
  const { may, role: own = 'member' } = room.summary;
  const oneself = user.id === chat.me?.id;
  // A site's admin stands above the owner, its moderator above all others.
  const site = chat.roles.includes('admin') ? 3 : chat.roles.includes('moderator') ? 2.5 : 0;
  const above = !oneself && Math.max(site, rank[own]) > rank[role];
  const profile = profileUrl(user, context);
  const change = (to: 'moderator' | 'member') => {
    chat
      .request('room:role', { room: room.id, user: user.id, role: to })
      .catch(() => toast(strings.text('error.other'), 'bad'));
  };
  const roles = above && may.includes('roles');
  const items: (MenuItem | false)[] = [
    !oneself &&
      chat.can.direct &&
      !chat.single &&
      room.summary.kind !== 'direct' && {
        picture: 'bubble',
        label: strings.text('people.writeTo'),
        run: () => {
          chat
            .connected()
            .then(() => chat.openDirect(user.id))
            .then(
              (direct) => context.open(direct.id),
              (error) => toast(refusedDirect(error, user, strings), 'bad'),
            );
        },
      },
    profile !== undefined && {
      picture: 'person',
      label: strings.text('people.profile'),
      run: () => void open(profile, '_blank', 'noopener'),
    },
    roles && {
      picture: 'shield',
      label: strings.text(role === 'moderator' ? 'people.dropModerator' : 'people.makeModerator'),
      apart: true,
      run: () => change(role === 'moderator' ? 'member' : 'moderator'),
    },
    above &&
      may.includes('moderate') && {
        picture: 'clock',
        label: strings.text('mute.action'),
        apart: !roles,
        run: () => dialog({ kind: 'restrict', room, user, how: 'mute' }),
      },
    above &&
      may.includes('moderate') && {
        picture: 'ban',
        label: strings.text('ban.action'),
        bad: true,
        run: () => dialog({ kind: 'restrict', room, user, how: 'ban' }),
      },
    above &&
      may.includes('remove') && {
        picture: 'remove',
        label: strings.text('people.remove'),
        bad: true,
        run: () => dialog({ kind: 'remove', room, user }),
      },
  ];
  items.push(blockItem(user, context));
  const offered = items.filter((item) => item !== false);
  // The person's name stands above the first item, with a line.
  return offered.map((item, index) => (index === 0 ? { ...item, apart: false } : item));
}

export function openPersonMenu(member: RoomMember, room: Room, context: Context, opener: HTMLElement): void {
  const { strings } = context;
  openMenu(context, opener, {
    label: member.user.name,
    items: personItems(member, room, context),
    about: <About user={member.user} words={member.present ? strings.text('people.heading') : ''} />,
    width: 226,
  });
}

function About({ user, words }: { user: User; words: string }) {
  return (
    <div class="about" role="presentation">
      <Avatar user={user} />
      <div>
        <b>
          <bdi>{user.name}</bdi>
        </b>
        <small>{words}</small>
      </div>
    </div>
  );
}

/** Where the site shows more about a person. */
function profileUrl({ id }: User, { attribute, chat }: Context): string | undefined {
  const template = attribute('profile-url') ?? chat.profile.url;
  return template === undefined ? undefined : siteAddress(template, id);
}
