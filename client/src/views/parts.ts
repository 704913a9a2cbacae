import { Activity } from '../chat/activity.ts';
import { Notifications } from '../chat/notifications.ts';
import { BrowserPush } from '../chat/push.ts';
import type { Unsent } from '../store/entries.ts';
import { Cards } from './cards/cards.tsx';
import { CatchUp } from './catch-up/catch-up.tsx';
import type { Context, Place, Tray } from './context.ts';
import { Tooltip } from './controls/tooltip.tsx';
import { DetailsPane } from './details/details-pane.tsx';
import { FileViews } from './files/file-views.tsx';
import { followPage } from './follow-page.ts';
import { hintAtScripts } from './hints.ts';
import { keepGestures } from './kept-gestures.ts';
import { startLater } from './later/later.tsx';
import { DayPill } from './messages/day-pill.tsx';
import { Deletions } from './messages/deletions.ts';
import { FormatBar } from './messages/format-bar.tsx';
import { OwnVotes } from './messages/own-votes.ts';
import { SeenLine } from './messages/seen-line.tsx';
import { Suggest } from './messages/suggest.tsx';
import { swipeToReply } from './messages/swipe.ts';
import { listenToMessages, type Messages } from './messages/touch-and-keys.ts';
import { OthersTyping } from './messages/typing.tsx';
import { UnreadMentions } from './messages/unread-mentions.ts';
import { Barring } from './moderation/barring.tsx';
import { BlockedPeople } from './moderation/blocked-people.tsx';
import { OnHold } from './moderation/on-hold.tsx';
import { countInTitle } from './page-title.ts';
import { listenToPeople } from './people/open-person.tsx';
import { Portraits } from './people/portraits.ts';
import { PinnedMessages } from './pins/pinned-messages.tsx';
import { Offering } from './prefs/offering.ts';
import { startAsking } from './questions/asking.tsx';
import { QuestionViews } from './questions/question-views.tsx';
import { RepliesPane } from './replies/replies-pane.tsx';
import { ThreadNews } from './replies/thread-news.ts';
import type { EarlyNews } from './rooms/early-news.ts';
import { RoomNews } from './rooms/room-news.ts';
import { RoomPictures } from './rooms/room-pictures.ts';
import { RoomStart } from './rooms/room-start.tsx';
import { listenToRooms } from './rooms/row-menu.ts';
import { SearchPane } from './search/search-pane.tsx';
import { Speaker } from './speaker.tsx';
import { MessageLinks } from './visits/message-links.ts';
import { Visits } from './visits/visits.tsx';
import { Voice } from './voice/voice.tsx';

type Prefs = typeof import('./prefs/prefs.tsx');

/** Parts of one element that start when the panels are loaded, and end with the signal. */
export interface Parts {
  readonly tooltip: Tooltip;
  readonly speaker: Speaker;
  readonly formatBar: FormatBar;
  readonly suggest: Suggest;
  readonly search: SearchPane;
  readonly replies: RepliesPane;
  readonly deletions: Deletions;
  readonly notifications: Notifications;
  readonly push: BrowserPush;
  readonly files: FileViews;
  readonly voice: Voice;
  readonly barring: Barring;
  readonly blocking: BlockedPeople;
  readonly portraits: Portraits;
  readonly roomPictures: RoomPictures;
  readonly pins: PinnedMessages;
  readonly roomStart: RoomStart;
  readonly details: DetailsPane;
  readonly visits: Visits;
  readonly links: MessageLinks;
  readonly seen: SeenLine;
  readonly offering: Offering;
  readonly onHold: OnHold;
  readonly catchUp: CatchUp;
  readonly dayPill: DayPill;
  readonly questions: QuestionViews;
  /** The files and the card of a draft. */
  tray(place: Place): Tray;
  /** A message could not be sent. */
  failed(item: Unsent): void;
}

/** @param prefs - loads the code of the user's settings, with its sheet */
export function start(
  context: Context,
  root: ShadowRoot,
  messages: Messages,
  prefs: (task: (code: Prefs) => void) => void,
  earlyNews: EarlyNews,
  signal: AbortSignal,
): Parts {
  const { chat, strings, changed } = context;
  const tooltip = new Tooltip(context);
  const blocking = new BlockedPeople(context);
  chat.followers.add(blocking);
  const roomPictures = new RoomPictures(chat, root);
  chat.followers.add(roomPictures);
  chat.hasBlocked = (user) => blocking.has(user);
  const speaker = new Speaker(chat, strings, changed, (user) => blocking.has(user));
  speaker.connection(chat.connection.state);
  chat.followers.add(speaker);
  const roomNews = new RoomNews(context, speaker);
  chat.followers.delete(earlyNews);
  chat.followers.add(roomNews);
  earlyNews.passTo(roomNews);
  chat.followers.add(new UnreadMentions(context));
  chat.followers.add(new OwnVotes(context));
  const replies = new RepliesPane(context);
  chat.followers.add(new ThreadNews(context, () => replies.thread));
  const deletions = new Deletions(context);
  chat.followers.add(deletions);
  // The connection may be ready since before this code loaded.
  deletions.ready();
  const { find } = messages;
  const shown: Messages = { ...messages, find: (element) => find(element) ?? replies.find(element) };
  listenToMessages(root, shown, tooltip, signal);
  listenToRooms(root, context, signal);
  swipeToReply(root, shown, signal);
  listenToPeople(root, shown, context, signal);
  const notifications = new Notifications(chat, strings, root.host, context.jump, signal);
  chat.followers.add(notifications);
  const push = new BrowserPush(chat, changed, root.host, context.jump, signal);
  chat.followers.add(push);
  chat.followers.add(new Activity(chat, strings, root.host, signal));
  const offering = new Offering(context, prefs);
  chat.followers.add(offering);
  const typing = new OthersTyping(changed, (user) => blocking.has(user));
  chat.followers.add(typing);
  const barring = new Barring(context, typing);
  chat.followers.add(barring);
  const cards = new Cards(context);
  chat.followers.add(cards);
  const suggest = new Suggest(context, root, cards, () => replies.thread, signal);
  chat.followers.add(suggest);
  const pins = new PinnedMessages(context, speaker);
  chat.followers.add(pins);
  const questions = new QuestionViews(context, startAsking(context), speaker, signal);
  const roomStart = new RoomStart(context, pins, questions, speaker);
  chat.followers.add(roomStart);
  const visits = new Visits(context);
  chat.followers.add(visits);
  visits.beginInLauncher();
  const redraw = (those: string) => {
    for (const element of root.querySelectorAll(those)) shown.find(element)?.forceUpdate();
    changed();
  };
  const say = (text: string) => speaker.say(text);
  const files = new FileViews(context, { root, signal, say, redraw: () => redraw('.msg') });
  chat.followers.add(files);
  const voice = new Voice(context, files, speaker, signal);
  chat.followers.add(voice);
  const links = new MessageLinks(
    context,
    () => redraw('.msg a[href*="#m="]'),
    (token) => visits.begin({ token }),
  );
  chat.followers.add(links);
  const seen = new SeenLine(context);
  chat.followers.add(seen);
  const onHold = new OnHold(context);
  chat.followers.add(onHold);
  const catchUp = new CatchUp(context);
  chat.followers.add(catchUp);
  followPage(root, signal);
  countInTitle(root.host as HTMLElement, chat, signal);
  keepGestures(root, signal);
  chat.followers.add(startLater(context));
  void hintAtScripts();
  // Redraws the visible messages, because the code for their files, reactions and mentions has just loaded.
  redraw('.msg');
  return {
    tooltip,
    speaker,
    formatBar: new FormatBar(context, root, signal),
    suggest,
    search: new SearchPane(context, context.jump, speaker),
    replies,
    deletions,
    notifications,
    push,
    files,
    voice,
    barring,
    blocking,
    portraits: new Portraits(context, root),
    roomPictures,
    pins,
    roomStart,
    details: new DetailsPane(context),
    visits,
    links,
    seen,
    offering,
    onHold,
    catchUp,
    dayPill: new DayPill(context, root, shown, signal),
    questions,
    tray(place) {
      const [tray, card] = [files.tray(place), cards.tray(place)];
      return {
        full: tray.full || card.card !== undefined,
        stored: tray.stored,
        content: () => ({ ...tray.content(), card: card.card?.about }),
        draw: () => [card.draw(), tray.draw()],
        take(content) {
          card.take(content);
          tray.take(content);
        },
      };
    },
    failed({ room, failed, forward }) {
      speaker.unsent();
      const summary = chat.rooms.get(room)?.summary;
      if (forward !== undefined && summary !== undefined) return notForwarded(forward, context);
      const other = summary?.with;
      // The peer blocked the user. The text does not reveal that.
      if (failed === 'forbidden' && other !== undefined)
        context.toast(strings.text('composer.blockedDirect', { name: strings.name(other) }), 'bad');
    },
  };
}

/** Names all rooms to which the message could not be forwarded. Each further failure replaces the toast. */
function notForwarded({ room, seq }: NonNullable<Unsent['forward']>, context: Context): void {
  const { chat, strings, toast } = context;
  const items = chat
    .unsent()
    .filter(({ failed, forward }) => failed !== undefined && forward?.room === room && forward.seq === seq);
  const rooms = [...new Set(items.map((item) => item.room))];
  const names = rooms.flatMap((id) => {
    const summary = chat.rooms.get(id)?.summary;
    return summary === undefined ? [] : [strings.roomName(summary)];
  });
  const list = new Intl.ListFormat(strings.locale).format(names);
  toast(strings.text('forward.partly', { room: list }), 'bad', {
    label: 'common.again',
    run: () => {
      for (const id of rooms) chat.retry(id);
    },
  });
}
