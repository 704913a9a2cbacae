import type { Message } from '../../../../server/wire/events.ts';
import { hasEnded } from '../../../../server/wire/polls.ts';
import { markUnread as markUnreadAfter } from '../../chat/room-actions.ts';
import type { Entry } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import { ERASED } from '../../store/user-ids.ts';
import { wordsOf } from '../../text/words.ts';
import type { Context, MenuRequest, Writing } from '../context.ts';
import { copy } from '../controls/copy.ts';
import { type MenuItem, openMenu, type QuickPick } from '../controls/menu.tsx';
import { frequent, used } from '../emoji/frequent.ts';
import { openEmoji } from '../emoji/open-emoji.tsx';
import { openRemindMenu } from '../later/remind.tsx';
import { isOnlyText } from '../moderation/on-hold.tsx';
import { openPerson } from '../people/open-person.tsx';
import { setPinned } from '../pins/pinning.ts';
import { refusal } from '../refusal.ts';
import { copyLink } from '../visits/message-links.ts';
import { editedAt } from './message.tsx';
import { endPoll, react } from './react.ts';
import { showsSeen } from './seen-line.tsx';
import { unsentActions } from './unsent.ts';

/** The reactions at the top of the menu. */
function picksFor({ message }: Entry, context: Context, opener: HTMLElement): QuickPick[] {
  if (message === undefined || message.deletedAt !== undefined) return [];
  const { settings, rooms } = context.chat;
  if (rooms.get(message.room)?.preview) return [];
  const give = (emoji: string) => {
    used(settings, emoji);
    // The message may have changed while the menu was open.
    void react(context, rooms.get(message.room)?.timeline.get(message.seq) ?? message, emoji);
  };
  const more = () =>
    openEmoji(context, opener, opener.querySelector('.bubble') ?? opener, (emoji) => {
      opener.focus();
      context.layer();
      give(emoji);
    });
  return [
    ...frequent(settings).map((emoji) => ({ emoji, run: () => give(emoji) })),
    { emoji: '+', label: context.strings.text('react.more'), run: () => void more() },
  ];
}

function reminderItem(message: Message, context: Context, opener: HTMLElement): MenuItem | false {
  const { chat, strings } = context;
  if (chat.isGuest || chat.rooms.get(message.room)?.summary.member !== true) return false;
  return {
    picture: 'clock',
    label: strings.text('remind.action'),
    run: () => openRemindMenu(message, context, opener),
  };
}

/**
 * The actions that the user may take on a message. The menu has at most eight, or nine in a sheet. Actions on its author are on the author's card. The
 * author can edit and not report it, and sees who read it instead of marking it as unread.
 */
function messageItems(entry: Entry, context: Context, writing: Writing, opener: HTMLElement): MenuItem[] {
  const { chat, strings, dialog } = context;
  const { message, text } = entry;
  const copying = text !== '' && {
    picture: 'copy' as const,
    label: strings.text('action.copy'),
    key: 'C',
    run: () => copy(text, context),
  };
  if (message === undefined)
    return [copying, ...unsentItems(entry, context, writing)].filter((item) => item !== false);
  if (message.deletedAt !== undefined) return [];
  const own = entry.user.id === chat.me?.id;
  const room = chat.rooms.get(message.room);
  const isPinned = room?.pins.some(({ seq }) => seq === message.seq) === true;
  const moderates = room?.summary.may.includes('moderate') === true;
  const preview = room?.preview === true;
  const endsPoll =
    (own || moderates) && message.poll !== undefined && !hasEnded(message.poll, chat.clock.now);
  // The author marks the message in an edit.
  const marks = !own && moderates && room.summary.member && room.summary.write === 'moderators';
  const showsReaders = own && room !== undefined && showsSeen(room, chat);
  const items: (MenuItem | false)[] = [
    !preview && {
      picture: 'reply',
      label: strings.text('action.reply'),
      key: 'R',
      run: () => writing.reply(entry),
    },
    room !== undefined &&
      opener.closest('.talk') === null && {
        picture: 'talk',
        label: strings.text(preview ? 'replies.open' : 'replies.inThread'),
        key: 'T',
        run: () =>
          context.showReplies(
            room,
            message.thread ?? message.seq,
            opener,
            preview ? undefined : { reply: entry },
          ),
      },
    !chat.isGuest && {
      picture: 'forward',
      label: strings.text('forward.title'),
      key: 'F',
      run: () => dialog({ kind: 'forward', message }),
    },
    copying,
    {
      picture: 'link',
      label: strings.text('copyLink.action'),
      key: 'L',
      run: () => copyLink(message, context),
    },
    showsReaders && {
      picture: 'read',
      label: strings.text('seen.title'),
      run: () => dialog({ kind: 'seen', message }),
    },
    // In a sheet, the row of reactions has no space for the clock, and touch has no tooltips.
    context.touch() && reminderItem(message, context, opener),
    !showsReaders &&
      room?.summary.member === true && {
        picture: 'bubble',
        label: strings.text('msg.markUnread'),
        run: () => markUnread(room, message.seq, context),
      },
    room?.summary.member === true &&
      room.summary.may.includes('pin') && {
        picture: 'pin',
        label: strings.text(isPinned ? 'pin.remove' : 'pin.add'),
        run: () => setPinned(room, message, !isPinned, context),
      },
    marks && {
      picture: 'important',
      label: strings.text(message.important ? 'important.unmark' : 'important.mark'),
      run: () => void mark(message, context),
    },
    endsPoll && {
      picture: 'poll',
      label: strings.text('poll.endNow'),
      run: () => void endPoll(message, context),
    },
    own &&
      message.forwarded === undefined &&
      message.poll === undefined && {
        picture: 'edit',
        label: strings.text('action.edit'),
        key: 'E',
        run: () => writing.edit(entry),
      },
    // Moderators who can act on the message themselves need no report.
    !own &&
      !endsPoll &&
      !marks &&
      chat.can.report && {
        picture: 'flag',
        label: strings.text('report.action'),
        apart: true,
        run: () => dialog({ kind: 'report', message }),
      },
    (own || moderates) && {
      picture: 'delete',
      label: strings.text('action.delete'),
      key: strings.text('keys.delete'),
      apart: own,
      bad: true,
      run: () => (own ? context.deleteOwn(message) : dialog({ kind: 'delete', message })),
    },
  ];
  return items.filter((item) => item !== false);
}

/** Marks a message of another user as important, or removes the mark. */
async function mark({ room, seq, important }: Message, { chat, strings, toast, changed }: Context) {
  try {
    const { message } = await chat.request('message:mark', { room, seq, important: !important });
    chat.rooms.get(room)?.timeline.stored(message);
    changed();
  } catch (error) {
    toast(refusal(error, strings), 'bad');
  }
}

/** The items of a message that was not sent. A message in flight has none, because it will soon be in the room. */
function unsentItems({ unsent, ...entry }: Entry, context: Context, writing: Writing): MenuItem[] {
  const { strings } = context;
  if (unsent?.failed === undefined) return [];
  const { again, discard } = unsentActions(context, writing, () => {});
  const items: (MenuItem | false)[] = [
    unsent.held !== undefined &&
      isOnlyText(unsent) && {
        picture: 'edit',
        label: strings.text('action.edit'),
        key: 'E',
        run: () => again({ ...entry, unsent }),
      },
    {
      picture: 'delete',
      label: strings.text('msg.discard'),
      key: strings.text('keys.delete'),
      apart: true,
      bad: true,
      run: () => discard({ ...entry, unsent }),
    },
  ];
  return items.filter((item) => item !== false);
}

/** Marks this message and all later ones as unread. */
export function markUnread(room: Room, seq: number, context: Context): void {
  const { strings, toast } = context;
  markUnreadAfter(context, room, seq - 1).catch((error) => toast(refusal(error, strings), 'bad'));
}

/**
 * @param key - runs the item with this key instead of opening the menu. P opens the author's card.
 * @param at - where a right-click opened the menu
 */
export function openMessageMenu(
  { entry, writing, key, at }: Extract<MenuRequest, { kind: 'message' }>,
  context: Context,
  opener: HTMLElement,
): void {
  const { chat, dialog, strings, touch } = context;
  const { message, text } = entry;
  const room = chat.rooms.get(message?.room ?? '');
  const picks = picksFor(entry, context, opener);
  if (key === '+' && picks.length > 0)
    return openMenu(context, opener, {
      label: strings.text('react.add'),
      items: [],
      picks,
      beside: opener.querySelector('.bubble'),
    });
  if (key === 'p') {
    if (room !== undefined && entry.user.id !== ERASED)
      void openPerson({ room, user: entry.user, message }, context, opener);
    return;
  }
  const all = messageItems(entry, context, writing, opener);
  if (key !== undefined) return all.find((item) => item.key?.toLowerCase() === key)?.run();
  // The menu has one way to reply: in the thread, unless all replies are in the room. The other key works as well.
  const inThread = room?.hasThreadOnly !== false && all.some((item) => item.key === 'T');
  const items = all.filter((item) => item.key !== (inThread ? 'R' : 'T'));
  if (items.length === 0) return;
  const who = entry.user.id === chat.me?.id ? strings.text('msg.you') : strings.name(entry.user);
  const edited = message?.editedAt;
  const about = (
    <div class="about" role="presentation">
      <span>{wordsOf(text, message?.files, context.strings, context.linked)}</span>
      <bdi>{who}</bdi>, {strings.time(entry.sentAt)}
      {edited !== undefined && ` · ${editedAt(edited, strings)}`}
    </div>
  );
  const reminder =
    picks.length > 0 && !touch() && message !== undefined && reminderItem(message, context, opener);
  if (reminder) picks.push({ emoji: 'later', ...reminder });
  // Long presses open the menu, so a touch screen cannot select text in the message.
  const select = touch() &&
    text !== '' && {
      label: strings.text('action.select'),
      run: () => dialog({ kind: 'select', text }),
    };
  openMenu(context, opener, {
    label: strings.text('msg.actions'),
    items,
    picks: picks.length > 0 ? picks : undefined,
    about,
    select: select || undefined,
    beside: opener.querySelector('.bubble'),
    at,
  });
}
