import { setNotify } from '../../chat/room-actions.ts';
import type { Room } from '../../store/room.ts';
import { ERASED } from '../../store/user-ids.ts';
import type { Context } from '../context.ts';
import { type MenuItem, openMenu } from '../controls/menu.tsx';
import { markUnread } from '../messages/message-menu.tsx';
import { blockItem } from '../moderation/block-item.ts';
import { profileUrl } from '../people/person-actions.ts';

/** The actions on a room that the user may take. */
function roomItems(room: Room, context: Context): MenuItem[] {
  const { chat, strings, dialog, showPeople, showRoomSettings, searchInMenu, toast } = context;
  const search = searchInMenu();
  const { kind, member, may, notify, reports, with: other } = room.summary;
  const direct = kind === 'direct';
  const profile = other === undefined || other.id === ERASED ? undefined : profileUrl(other, context);
  const quiet = notify === 'none';
  // The default for this kind of room.
  const loud = kind === 'public' ? 'mentions' : 'all';
  const items: (MenuItem | false)[] = [
    search !== undefined && { picture: 'search', label: strings.text('search.inRoom'), run: search },
    profile !== undefined && {
      picture: 'person',
      label: strings.text('people.profile'),
      run: () => void window.open(profile, '_blank', 'noopener,noreferrer'),
    },
    member &&
      may.includes('send') && {
        picture: 'poll',
        label: strings.text('poll.new'),
        run: () => dialog({ kind: 'poll', room, event: false }),
      },
    member &&
      may.includes('send') && {
        picture: 'calendar',
        label: strings.text('poll.newEvent'),
        run: () => dialog({ kind: 'poll', room, event: true }),
      },
    may.includes('invite') && {
      picture: 'invite',
      label: strings.text('rooms.invite'),
      run: () => dialog({ kind: 'invite', room }),
    },
    !direct && { picture: 'people', label: strings.text('rooms.members'), run: showPeople },
    may.includes('moderate') && {
      picture: 'flag',
      label: reports ? `${strings.text('reports.title')} · ${reports}` : strings.text('reports.title'),
      run: () => dialog({ kind: 'reports' }),
    },
    member &&
      chat.unreadIn(room) === 0 &&
      room.summary.lastSeq > 0 && {
        picture: 'bubble',
        label: strings.text('msg.markUnread'),
        run: () => markUnread(room, room.summary.lastSeq, context),
      },
    member && {
      picture: quiet ? 'bell' : 'bellOff',
      label: strings.text(quiet ? 'rooms.unmute' : 'rooms.mute'),
      run: () => {
        setNotify(context, room, quiet ? loud : 'none').catch(() =>
          toast(strings.text('error.other'), 'bad'),
        );
      },
    },
    !chat.isGuest && {
      picture: 'clock',
      label: strings.text('later.list'),
      run: () => dialog({ kind: 'scheduled' }),
    },
    member &&
      !direct && {
        picture: 'settings',
        label: strings.text('rooms.settings'),
        run: showRoomSettings,
      },
    other !== undefined && blockItem(other, context),
    may.includes('leave') && {
      picture: 'exit',
      label: strings.text('rooms.leave'),
      apart: true,
      bad: true,
      run: () => dialog({ kind: 'leave', room }),
    },
  ];
  return items.filter((item) => item !== false);
}

export function openRoomMenu(room: Room, context: Context, opener: HTMLElement): void {
  const { strings, touch } = context;
  const { kind, members } = room.summary;
  const about = (
    <div class="about" role="presentation">
      <span>
        <bdi>{strings.roomName(room.summary)}</bdi>
      </span>
      {kind === 'direct' ? strings.text('rooms.direct') : strings.count(`rooms.about.${kind}`, members)}
    </div>
  );
  openMenu(context, opener, {
    label: strings.text('rooms.menu'),
    items: roomItems(room, context),
    about: touch() && about,
    width: 232,
  });
}
