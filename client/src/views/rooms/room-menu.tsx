import { forgetGuest } from '../../chat/guests.ts';
import { arrange, setNotify, usualNotify } from '../../chat/room-actions.ts';
import type { Room } from '../../store/room.ts';
import { ERASED } from '../../store/user-ids.ts';
import type { Context, MenuRequest } from '../context.ts';
import { type MenuItem, menuTitle, openMenu } from '../controls/menu.tsx';
import { tomorrowMorning } from '../later/times.ts';
import { markUnread } from '../messages/message-menu.tsx';
import { blockItem } from '../moderation/block-item.ts';
import { profileUrl } from '../people/person-actions.ts';

/** The actions on the open room that the user may take. */
function roomItems(room: Room, context: Context, opener: HTMLElement): MenuItem[] {
  const { strings, dialog, showDetails, searchInMenu } = context;
  const search = searchInMenu();
  const { kind, member, may, reports, with: other } = room.summary;
  const direct = kind === 'direct';
  const profile = other === undefined || other.id === ERASED ? undefined : profileUrl(other, context);
  const items: (MenuItem | false)[] = [
    search !== undefined && { picture: 'search', label: strings.text('search.inRoom'), run: search },
    room.summary.lastSeq > 0 && {
      picture: 'calendar',
      label: strings.text('day.go'),
      run: () => dialog({ kind: 'day', room, day: context.chat.clock.now }),
    },
    profile !== undefined && {
      picture: 'person',
      label: strings.text('people.profile'),
      run: () => void window.open(profile, '_blank', 'noopener,noreferrer'),
    },
    may.includes('invite') && {
      picture: 'invite',
      label: strings.text('rooms.invite'),
      run: () => dialog({ kind: 'invite', room }),
    },
    may.includes('moderate') && {
      picture: 'flag',
      label: reports ? `${strings.text('reports.title')} · ${reports}` : strings.text('reports.title'),
      run: () => dialog({ kind: 'reports' }),
    },
    ...placeItems(room, context, opener),
    member &&
      !direct && {
        picture: 'settings',
        label: strings.text('rooms.settings'),
        run: () => showDetails('settings'),
      },
    other !== undefined && blockItem(other, context),
    leaveItem(room, context),
    // The settings of the user are in the list of rooms.
    context.chat.single &&
      context.chat.isGuest && {
        picture: 'exit',
        label: strings.text('guest.forget'),
        apart: true,
        run: () => forgetGuest(context.chat),
      },
  ];
  return items.filter((item) => item !== false);
}

/** The actions on a room that need not be open. */
function placeItems(room: Room, context: Context, opener: HTMLElement): (MenuItem | false)[] {
  const { chat, strings, toast } = context;
  const { member, notify, favourite, archived } = room.summary;
  const failed = () => toast(strings.text('error.other'), 'bad');
  const place = (change: Parameters<typeof arrange>[2]) => void arrange(context, room, change).catch(failed);
  return [
    member &&
      chat.unreadIn(room) > 0 && {
        picture: 'read',
        label: strings.text('msg.markRead'),
        run: () => chat.readUpTo(room, room.summary.lastSeq),
      },
    member &&
      chat.unreadIn(room) === 0 &&
      room.summary.lastSeq > 0 && {
        picture: 'bubble',
        label: strings.text('msg.markUnread'),
        run: () => markUnread(room, room.summary.lastSeq, context),
      },
    member && {
      picture: room.muted ? 'bell' : 'bellOff',
      label: strings.text(room.muted ? 'rooms.unmute' : 'rooms.mute'),
      run: () => {
        if (!room.muted) openMuteMenu(room, context, opener);
        else setNotify(context, room, notify === 'none' ? usualNotify(room) : notify).catch(failed);
      },
    },
    member &&
      !chat.isGuest && {
        picture: 'star',
        label: strings.text(favourite === undefined ? 'rooms.addFavourite' : 'rooms.noFavourite'),
        run: () => place({ favourite: favourite === undefined ? lastPlace(context) : null }),
      },
    ...moves(room, context, failed),
    member &&
      !chat.isGuest && {
        picture: 'archive',
        label: strings.text(archived ? 'rooms.unarchive' : 'rooms.doArchive'),
        run: () => place({ archived: archived !== true }),
      },
  ];
}

function leaveItem(room: Room, { strings, dialog }: Context): MenuItem | false {
  return (
    room.summary.may.includes('leave') && {
      picture: 'exit',
      label: strings.text('rooms.leave'),
      apart: true,
      bad: true,
      run: () => dialog({ kind: 'leave', room }),
    }
  );
}

/** Leaves room between the positions of favourites, so that a room can move there. */
const STEP = 2 ** 20;
const favourites = ({ chat }: Context) =>
  chat.list.own().filter(({ summary }) => summary.favourite !== undefined);
const positionOf = (room: Room | undefined) => room?.summary.favourite;
const lastPlace = (context: Context) => (positionOf(favourites(context).at(-1)) ?? 0) + STEP;

/** The items that move a favourite up and down. */
function moves(room: Room, context: Context, failed: () => void): (MenuItem | false)[] {
  const { strings } = context;
  const list = favourites(context);
  const at = list.indexOf(room);
  if (at === -1) return [];
  const item = (by: 1 | -1): MenuItem | false =>
    list[at + by] !== undefined && {
      picture: by === 1 ? 'down' : 'send',
      label: strings.text(by === 1 ? 'rooms.moveDown' : 'rooms.moveUp'),
      run: () => void moveFavourite(room, by, context).catch(failed),
    };
  return [item(-1), item(1)];
}

/** Gives the room a position between its new neighbours, and all favourites new positions if there is none. */
async function moveFavourite(room: Room, by: 1 | -1, context: Context): Promise<void> {
  const list = favourites(context).filter((other) => other !== room);
  const at = favourites(context).indexOf(room) + by;
  const before = positionOf(list[at - 1]) ?? 0;
  const after = positionOf(list[at]) ?? before + 2 * STEP;
  const favourite = Math.floor((before + after) / 2);
  if (favourite > before && favourite < after) return arrange(context, room, { favourite });
  list.splice(at, 0, room);
  for (let n = 0; n < list.length; n++)
    await arrange(context, list[n] as Room, { favourite: (n + 1) * STEP });
}

const HOUR = 3_600_000;

/** Opens a menu with durations of a mute. */
function openMuteMenu(room: Room, context: Context, opener: HTMLElement): void {
  const { strings, toast } = context;
  const { notify } = room.summary;
  const { now } = context.chat.clock;
  const item = (label: string, quietForMs?: number): MenuItem => ({
    picture: quietForMs === undefined ? 'bellOff' : 'clock',
    label,
    run: () => {
      setNotify(context, room, quietForMs === undefined ? 'none' : notify, quietForMs).catch(() =>
        toast(strings.text('error.other'), 'bad'),
      );
    },
  });
  openMenu(context, opener, {
    label: strings.text('rooms.mute'),
    about: menuTitle(strings.text('rooms.mute')),
    items: [
      item(strings.text('quiet.hour'), HOUR),
      item(strings.text('quiet.hours'), 8 * HOUR),
      item(strings.text('quiet.tomorrow'), tomorrowMorning(now) - now),
      item(strings.text('quiet.open')),
    ],
    width: 232,
  });
}

export function openRoomMenu(
  request: Extract<MenuRequest, { kind: 'room' | 'row' }>,
  context: Context,
  opener: HTMLElement,
): void {
  const { strings } = context;
  const { room } = request;
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
    items:
      request.kind === 'room'
        ? roomItems(room, context, opener)
        : [...placeItems(room, context, opener), leaveItem(room, context)].filter((item) => item !== false),
    about,
    at: request.kind === 'row' ? request.at : undefined,
    width: 232,
  });
}
