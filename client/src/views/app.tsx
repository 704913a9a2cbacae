import { type ComponentChildren, createRef, render } from 'preact';
import type { NewMessage, RoomRemoval } from '../chat/chat-listener.ts';
import type { MessagePlace } from '../chat/notifications.ts';
import type { ConnectionState } from '../connection/connection-state.ts';
import { entries, type Unsent } from '../store/entries.ts';
import type { Room } from '../store/room.ts';
import { composes, confirms } from '../text/keys.ts';
import type { PageAddress } from '../text/page-address.ts';
import { Banner, noticeOf } from './banner.tsx';
import { type Card, CardView, cardOf } from './card.tsx';
import { CloseChat } from './close-chat.tsx';
import type { Context, MenuRequest, ReplyTarget, Writing } from './context.ts';
import { holdFocus } from './controls/focus-keeper.ts';
import { arrive } from './controls/fresh.ts';
import { Toasts } from './controls/toasts.tsx';
import type { DetailsTab } from './details/details-pane.tsx';
import { Header } from './header.tsx';
import { LateParts } from './late-parts.ts';
import { Layers } from './layers.tsx';
import { Look } from './look.ts';
import { type Caret, Composer } from './messages/composer.tsx';
import type { MessageActions } from './messages/message.tsx';
import { ReadMarker } from './messages/read-marker.ts';
import { TimelineView } from './messages/timeline.tsx';
import { unsentActions } from './messages/unsent.ts';
import { Panes } from './panes.ts';
import { pinsPlace } from './pins/pins-place.tsx';
import { refusal } from './refusal.ts';
import { RoomEntry } from './rooms/room-entry.ts';
import { RoomList } from './rooms/room-list.tsx';

const isOver = ({ kind }: ConnectionState) => kind === 'ended' || kind === 'refused';

/** The root view of the element: three panes and the layers above them. */
export class AppView {
  readonly #root: ShadowRoot;
  readonly #context: Context;
  readonly #timeline: TimelineView;
  readonly #toasts: Toasts;
  readonly #reading: ReadMarker;
  readonly #late: LateParts;
  readonly #layers: Layers;
  readonly #panes: Panes;
  readonly #entry: RoomEntry;
  readonly #resized: ResizeObserver;
  readonly #title = createRef<HTMLHeadingElement>();
  #composer: Composer | undefined;
  #rooms: RoomList | undefined;
  /** The user's settings, shown instead of the room. */
  #settings: (() => ComponentChildren) | undefined;
  /** The message or invite link in the page's address, until its view opens. */
  #asked: PageAddress;
  /** From the element's `login-url` attribute. */
  #loginUrl: string | null = null;
  /** ID of the room in the last render. */
  #drawn: string | undefined;
  /** A card (card.tsx) replaces everything. */
  #carded = false;
  /** Aborted by `stop()`. Code that loads later must not render. */
  readonly #stopped = new AbortController();
  /** The element that opened the layer that is closing. */
  #opener: Element | null | undefined;
  /** The caret at `hide()`. Set only if the focus was in the chat. */
  #left: { caret: Caret | undefined } | undefined;

  readonly #writing: Writing = {
    reply: (entry) => {
      if (this.#late.parts?.replies.takeReply(entry) !== true) this.#composer?.reply(entry);
    },
    edit: (entry) => this.#composer?.edit(entry),
    again: (entry) => this.#composer?.again(entry),
  };

  constructor(
    context: Pick<Context, 'chat' | 'strings' | 'touch' | 'close' | 'changed'>,
    root: ShadowRoot,
    asked?: PageAddress,
  ) {
    const { chat, strings, changed } = context;
    this.#root = root;
    // `Chat` opens a link that names only a room.
    this.#asked = asked !== undefined && ('token' in asked || 'seq' in asked) ? asked : undefined;
    this.#toasts = new Toasts(chat, strings, changed);
    chat.followers.add(this.#toasts);
    this.#context = {
      ...context,
      draw: (opener) => {
        this.#opener = opener;
        this.render();
        this.#opener = undefined;
      },
      toast: (text, kind, press) =>
        this.#toasts.show(text, kind, press && { ...press, label: strings.text(press.label) }),
      open: (room) => this.open(room),
      jump: (to) => void this.#jump(to),
      layer: (content) => {
        this.#layers.put(content);
        this.render();
      },
      menu: (request, opener) => this.#openMenu(request, opener),
      dialog: (request) => this.#layers.open(request),
      deleteOwn: (message) => this.#late.parts?.deletions.begin(message),
      start: (...of) => this.#late.parts?.roomStart.draw(...of),
      notes: (room) => this.#late.parts?.roomStart.notes(room) ?? [],
      look: new Look(chat.settings, root, changed, this.#stopped.signal, async () =>
        (await import('./compact.ts')).sheet(strings.locale),
      ),
      attribute: (name) => root.host.getAttribute(name),
      clashOf: (error) => this.#late.panels?.clashOf(error),
      tools: (draft) => this.#late.panels?.tools(this.#context, draft),
      mention: (user) => this.#late.parts?.suggest.mention(user),
      strip: (props) => this.#late.panels?.strip(props, this.#context),
      blocking: () => this.#late.parts?.blocking,
      instead: (of) =>
        of !== undefined && (this.#late.parts?.blocking.isHidden(of) ?? of.hidden)
          ? strings.count('block.hidden', 1)
          : undefined,
      bar: (room) => this.#late.parts?.barring.bar(room),
      named: (entry) => this.#late.panels?.named(entry, chat.me?.id),
      mentions: (...of) => this.#late.parts?.suggest.mentions(...of),
      held: (...of) => this.#late.parts?.onHold.draw(...of),
      files: (entry) => this.#late.parts?.files.shown(entry),
      tray: (place) => this.#late.parts?.tray(place),
      voice: (place) => this.#late.parts?.voice.controls(place),
      attach: (...of) => this.#late.withPanels(() => this.#late.parts?.files.attach(...of)),
      pickFiles: (...of) => this.#late.withPanels(() => this.#late.parts?.files.pickFiles(...of)),
      codeHead: (language) => this.#late.panels?.codeHead(language, this.#context),
      poll: (entry) => this.#late.panels?.poll(entry, this.#context),
      card: (entry) => this.#late.panels?.siteCard(entry, this.#context),
      reactions: (entry) => this.#late.panels?.reactions(entry, this.#context, open),
      preview: (entry, resize) => this.#late.panels?.linkPreview(entry, this.#context, resize),
      seen: (message) => this.#late.parts?.seen.of(message),
      replies: (thread, isOpen, seq) => this.#late.panels?.repliesLine(thread, isOpen, this.#context, seq),
      repliesOf: (room) => {
        const { thread } = this.#late.parts?.replies ?? {};
        return thread?.room === room ? (thread.root ?? thread.number) : undefined;
      },
      showReplies: (...of) => this.#showReplies(...of),
      focus: (which) => this.#root.querySelector<HTMLElement>(which)?.focus(),
      noRoom: (query) => {
        const { NoRoom } = this.#late.panels ?? {};
        return NoRoom && <NoRoom context={this.#context} query={query} />;
      },
      pane: (which) => {
        if (this.#panes.single === undefined || this.#panes.single === which) return;
        if (which === 'rooms') return this.#back();
        this.#reopen();
        this.#panes.view = which;
        this.render();
      },
      showDetails: (tab) => this.#showDetails(tab),
      showSettings: () => this.#showSettings(),
      questions: () => this.#late.parts?.questions.questions,
      push: () => this.#late.parts?.push,
      offer: (entries) => this.#late.parts?.offering.draw(entries),
      linked: (href) => this.#late.parts?.links.of(href),
      focusCard: () => this.#focusCard(),
      lettersInField: () => this.#panes.lettersInField,
      searchInMenu: () => (this.#panes.searchInBar ? undefined : () => this.#search('here')),
    };
    const open: MessageActions['menu'] = (entry, opener, key, at) =>
      this.#openMenu({ kind: 'message', entry, writing: this.#writing, key, at }, opener);
    this.#timeline = new TimelineView(
      this.#context,
      {
        reply: this.#writing.reply,
        menu: open,
        jump: (seq) => chat.current && void this.#reveal(chat.current, seq),
        ...unsentActions(this.#context, this.#writing, () => this.#composer?.focus()),
      },
      {
        talk: () => chat.current,
        label: () =>
          strings.text('timeline.label', {
            room: chat.current ? strings.roomName(chat.current.summary) : '',
          }),
        entries: () => this.#entries(),
        reach: async (seq) => chat.current !== undefined && chat.sync.reach(chat.current, seq),
        older: () => chat.current && void chat.sync.older(chat.current),
        newer: () => chat.current && void chat.sync.newer(chat.current),
      },
    );
    this.#reading = new ReadMarker(chat, this.#timeline);
    const { find, top } = this.#timeline;
    this.#late = new LateParts(this.#context, root, { find, top }, (again) =>
      this.#toasts.show(strings.text('error.other'), 'bad', {
        label: strings.text('common.again'),
        run: again,
      }),
    );
    this.#layers = new Layers(this.#context, root, this.#late);
    this.#panes = new Panes(chat);
    this.#entry = new RoomEntry({
      ...this.#context,
      uncover: () => this.#uncover(),
      visit: (to) => {
        this.#asked = to;
        changed();
      },
    });
    if (this.#entry.atRooms) this.#panes.view = 'rooms';
    // The first render may run before the ResizeObserver reports a width.
    this.#panes.fit(root.host.clientWidth);
    this.#resized = new ResizeObserver(([entry]) => {
      this.#panes.fit(entry?.contentRect.width ?? 0);
      changed();
    });
    this.#resized.observe(root.host);
  }

  /** Returns the card that is shown instead of the chat. `state` loads the panels, which have the cards of an end. */
  #card(): Card | undefined {
    const { chat, strings } = this.#context;
    const { panels } = this.#late;
    if (!isOver(chat.connection.state)) return cardOf(chat, strings);
    if (panels === undefined) return { title: strings.text('ended.checking') };
    return panels.guestCard(this.#context, this.#loginUrl) ?? panels.endedCard(chat, strings, this.#loginUrl);
  }

  render(): void {
    if (this.#stopped.signal.aborted) return;
    const { chat } = this.#context;
    this.#late.start();
    this.#late.parts?.blocking.settle();
    this.#late.parts?.push.settle();
    this.#visit();
    const card = this.#card();
    this.#carded = card !== undefined;
    if (card !== undefined)
      return this.#draw(
        <>
          <CardView {...card} />
          {/* Loading the panels may have failed. */}
          {this.#late.panels === undefined && this.#toasts.draw()}
        </>,
      );
    // The menu of a message would act on the newly opened room.
    if (this.#drawn !== undefined && this.#drawn !== chat.current?.id) this.#layers.put();
    this.#drawn = chat.current?.id;
    const focus = holdFocus(this.#root, () => this.#heirs());
    this.#timeline.hold();
    this.#late.parts?.replies.hold();
    const { awayFromEnd } = this.#timeline;
    this.#draw(this.#content());
    // Both timelines must be measured before the second draw.
    const folds = [this.#timeline.fold(), this.#late.parts?.replies.fold()];
    if (folds.includes(true)) this.#draw(this.#content());
    this.#timeline.settle();
    this.#late.parts?.replies.settle();
    if (this.#timeline.awayFromEnd !== awayFromEnd) this.#draw(this.#content());
    focus();
    this.#late.parts?.portraits.hang();
    this.#late.parts?.roomPictures.hang();
    this.#resume();
    this.#reading.watch();
    this.#pauseUnseen();
    this.#entry.follow(this.#panes.single, this.#covered);
    if (this.#timeline.shown || chat.roomless) this.#late.load();
  }

  toast(text: string, kind: 'good' | 'bad'): void {
    this.#toasts.show(text, kind);
  }

  /** Removes all views from the page. */
  stop(): void {
    this.#stopped.abort();
    this.#reading.stop();
    this.#late.stop();
    this.#entry.stop();
    this.#resized.disconnect();
    this.#toasts.clear();
    render(null, this.#root);
  }

  open(id: string): void {
    this.#uncoverRoom();
    // The panels would cover the room.
    if (this.#panes.single !== undefined) this.#clearPanels();
    if (this.#context.chat.current?.id === id && !this.#panes.roomInSight) this.#reopen();
    else this.#context.chat.open(id);
    this.#toasts.goodNewsIsOld();
    this.#panes.view = 'room';
    this.render();
    if (this.#context.touch()) this.#title.current?.focus();
    else this.#composer?.focus();
  }

  /** Clears the page because the session may have expired. No message, name or draft may remain in it. */
  hide(): void {
    if (this.#root.activeElement !== null) this.#left = { caret: this.#composer?.caret };
    this.#reading.stop();
    this.#layers.clear();
    this.#settings = undefined;
    this.#clearPanels();
    this.#late.parts?.visits.clear();
    this.#late.parts?.search.forget();
    this.#late.parts?.tooltip.hide();
    this.#toasts.clear();
    this.#late.parts?.speaker.clear();
    this.#late.parts?.notifications.clear();
    this.#late.parts?.voice.clear();
    this.#late.parts?.files.hide();
    this.#timeline.clear();
    this.#draw(null);
  }

  state(state: ConnectionState, loginUrl: string | null): void {
    this.#loginUrl = loginUrl;
    this.#late.parts?.speaker.connection(state);
    if (state.kind === 'connecting' || state.kind === 'ready') return;
    const { chat } = this.#context;
    this.#late.silently(({ hintAt }) => {
      if (chat.connection.state === state) hintAt(state, chat.server);
    });
    if (!isOver(state)) return;
    this.#late.parts?.push.ended();
    this.#late.parts?.files.ended();
    this.render();
    this.#late.withPanels(() => {
      this.render();
      this.#sayCard();
    });
  }

  /** The user cannot read the room that the page names. */
  unknownRoom(id: string): void {
    this.#late.silently(({ hintAtUnknownRoom }) => hintAtUnknownRoom(id, this.#context.chat.single));
  }

  #sayCard(): void {
    const heading = this.#root.querySelector<HTMLElement>('.empty h2');
    const words = heading?.textContent ?? '';
    // The card may be different or gone by the time it can be announced.
    this.#late.speak(
      (speaker) => heading?.isConnected && heading.textContent === words && speaker.alert(words),
    );
    if (this.#left !== undefined) heading?.focus();
    this.#left = undefined;
  }

  message(room: Room, message: NewMessage): void {
    const { blocking, notifications, speaker } = this.#late.parts ?? {};
    blocking?.announce(room, message, () => {
      notifications?.arrived(room, message);
      if (room === this.#context.chat.current) speaker?.arrived(room, message);
      else speaker?.elsewhere(room);
    });
  }

  /** The user left the room or was removed from it. */
  removed(room: Room, { reason }: RoomRemoval): void {
    if (room !== this.#context.chat.current) return;
    this.#layers.loseRoom();
    // With one pane, opening another room would hide that this one is gone. A ban has a notice in the room's pane.
    this.#toRooms();
    if (reason === 'banned') this.#panes.view = 'room';
  }

  failed(item: Unsent): void {
    this.#late.parts?.failed(item);
  }

  loaded(count: number): void {
    this.#late.parts?.speaker.loaded(count);
  }

  /** Saves drafts, because the page may be about to unload. */
  keep(): void {
    this.#composer?.keepNow();
    this.#late.parts?.replies.keep();
    this.#late.parts?.deletions.sendAll();
  }

  #draw(content: ComponentChildren): void {
    const side = this.#carded
      ? undefined
      : this.#replies
        ? 'replies'
        : this.#detailed
          ? 'details'
          : this.#searching
            ? 'search'
            : undefined;
    const { chat, look } = this.#context;
    const lost = noticeOf(this.#context)?.lost === true;
    render(
      // biome-ignore lint/a11y/noStaticElementInteractions: handles keys for the focused element inside.
      <div
        class={`app${lost ? ' lost' : ''}${look.compact ? ' compact' : ''}${chat.single ? ' alone' : ''}`}
        part="app"
        lang={this.#context.strings.lang}
        dir={this.#context.attribute('dir') === null ? this.#context.strings.direction : undefined}
        data-view={this.#carded ? 'ended' : this.#panes.shown}
        data-side={side}
        onKeyDownCapture={this.#escape}
        onKeyDown={this.key}
        onPointerOver={this.#late.parts?.tooltip.pointed}
        onPointerLeave={this.#late.parts?.tooltip.hide}
        onPointerDown={this.#late.parts?.tooltip.pressed}
        onFocusIn={this.#late.parts?.tooltip.focused}
        onFocusOut={this.#late.parts?.tooltip.hide}
      >
        {content}
        {this.#late.parts?.speaker.draw()}
        <CloseChat context={this.#context} />
      </div>,
      this.#root,
    );
  }

  #content() {
    const context = this.#context;
    const { chat, strings } = context;
    const room = chat.current;
    const notice = noticeOf(context);
    const lost = notice?.lost === true;
    const inert = this.#layers.modal;
    const { AskCard, folded } = this.#late.panels ?? {};
    const instead = this.#insteadOfRoom();
    const headerSearches = this.#panes.single === undefined && room !== undefined && !instead;
    return (
      <>
        {room?.preview === false && !instead && this.#panes.roomInSight && (
          <button type="button" class="btn skip" inert={inert} onClick={() => this.#composer?.focus()}>
            {strings.text('composer.label', { room: strings.roomName(room.summary) })}
          </button>
        )}
        <RoomList
          context={context}
          inert={inert}
          lost={lost}
          shown={this.#setRooms}
          settings={this.#settings !== undefined}
          roomInSight={this.#panes.roomInSight}
          folded={folded}
          search={headerSearches ? undefined : () => this.#search('everywhere')}
          above={[AskCard && <AskCard context={context} key="ask" />, this.#late.parts?.questions.entry()]}
          questions={this.#late.parts?.questions.list()}
        />
        <section
          class="main"
          aria-label={
            room && !instead
              ? strings.roomName(room.summary)
              : strings.text(this.#settings ? 'prefs.open' : 'rooms.heading')
          }
          inert={inert}
        >
          {instead ?? this.#room(room, notice, lost)}
        </section>
        {this.#late.parts?.search.draw(room !== undefined && this.#panes.roomInSight, inert)}
        {room !== undefined && this.#detailed && this.#late.parts?.details.draw(room, inert, lost)}
        {this.#replies && this.#late.parts?.replies.draw(inert)}
        <div class="layer">
          {this.#layers.draw()}
          {this.#late.parts?.formatBar.draw()}
          {this.#late.parts?.suggest.draw()}
          {this.#late.parts?.dayPill.draw()}
          {this.#late.parts?.tooltip.draw()}
        </div>
        {this.#toasts.draw()}
      </>
    );
  }

  #room(room: Room | undefined, notice: ReturnType<typeof noticeOf>, lost: boolean) {
    const context = this.#context;
    const { parts } = this.#late;
    return (
      <>
        <Header
          context={context}
          lost={lost}
          title={this.#title}
          back={this.#back}
          detailed={this.#detailed}
          toggleDetails={this.#toggleDetails}
          tab={this.#detailed && room !== undefined ? this.#late.parts?.details.tab(room) : undefined}
          search={this.#panes.searchInBar ? () => this.#search('here') : undefined}
        />
        {room !== undefined &&
          (parts
            ? [parts.files.bar() ?? parts.search.bar() ?? parts.pins.bar(room), parts.questions.bar(room)]
            : pinsPlace(context, room))}
        <Banner context={context} notice={notice} />
        {room !== undefined && parts?.catchUp.bar(room)}
        {this.#timeline.draw()}
        {this.#timeline.jumper()}
        {room !== undefined && (
          <Composer
            key={room.id}
            context={context}
            room={room}
            toEnd={this.#toEnd}
            lastOwn={() => this.#timeline.lastOwn}
            shown={this.#setComposer}
          />
        )}
        {room !== undefined && this.#late.parts?.files.frame(room)}
      </>
    );
  }

  /** Returns the view that replaces the room: the user's settings, or the target of the page's address. */
  #insteadOfRoom(): ComponentChildren {
    const { chat } = this.#context;
    if (this.#settings !== undefined) return this.#settings();
    if (this.#asked !== undefined && 'token' in this.#asked && chat.me !== undefined)
      return <div class="scroll back-drop" />;
    return this.#late.parts?.visits.draw();
  }

  /** Opens the message or invite link in the page's address once the user is known. */
  #visit(): void {
    const { chat } = this.#context;
    const asked = this.#asked;
    this.#panes.hidesRoom = this.#late.parts?.visits.shown === true || this.#settings !== undefined;
    if (asked === undefined || chat.connection.state.kind !== 'ready') return;
    this.#panes.view = 'room';
    this.#panes.hidesRoom = true;
    if (this.#late.parts === undefined) return this.#late.withPanels(() => this.#context.changed());
    this.#asked = undefined;
    this.#settings = undefined;
    this.#late.parts.visits.begin(asked);
  }

  #focusCard(): void {
    const heading = this.#root.querySelector<HTMLElement>('.main :is(.landing, .empty) h3');
    if (heading === null) return;
    heading.focus();
    this.#late.speak((speaker) => speaker.say(heading.textContent));
  }

  /** Whether a panel or layer covers the room. Always false in a wide element, which has space for all panes. */
  get #covered(): boolean {
    if (this.#panes.wide) return false;
    const side = this.#searching || this.#detailed || this.#replies;
    return side || this.#layers.shown;
  }

  /** Pauses a voice recording that a panel covers, so that it does not continue out of sight. */
  #pauseUnseen(): void {
    if (this.#panes.wide) return;
    const { voice, replies } = this.#late.parts ?? {};
    if (this.#searching || this.#detailed) voice?.pause();
    else if (this.#replies) voice?.pause(replies?.thread?.id);
  }

  /** Closes the topmost layer, as Esc does. A dialog in which the user typed something stays open. */
  #uncover(): void {
    const large = this.#root.querySelector('dialog[open]');
    if (large instanceof HTMLDialogElement) return large.close();
    const layers = this.#root.querySelectorAll('.layer :is([role="menu"], [aria-modal="true"])');
    const top = [...layers].at(-1) ?? this.#root.querySelector('.app');
    top?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true }));
  }

  get #searching(): boolean {
    return this.#late.parts?.search.where !== undefined;
  }

  /** Whether the details of the room are visible. */
  get #detailed(): boolean {
    const shown = this.#late.parts?.details.shown === true && !this.#panes.hidesRoom;
    return shown && !this.#context.chat.roomless;
  }

  /** Whether the replies of a thread are visible. */
  get #replies(): boolean {
    const shown = this.#late.parts?.replies.thread !== undefined && !this.#panes.hidesRoom;
    return shown && this.#panes.roomInSight;
  }

  /** Closes the search, details and replies panels. Only one panel is open at a time. */
  #clearPanels(): void {
    const { search, details, replies } = this.#late.parts ?? {};
    for (const panel of [search, details, replies]) panel?.clear();
  }

  readonly #toEnd = () => {
    this.#toasts.goodNewsIsOld();
    this.#timeline.toEnd();
  };

  readonly #setRooms = (rooms: RoomList | undefined) => {
    this.#rooms = rooms;
  };

  readonly #setComposer = (composer: Composer | undefined) => {
    this.#composer = composer;
  };

  /** Restores focus and caret after `hide()`, so that a renewed session ID does not interrupt typing. */
  #resume(): void {
    if (this.#left === undefined || this.#context.chat.current === undefined) return;
    const { caret } = this.#left;
    this.#left = undefined;
    if (this.#root.activeElement !== null || document.activeElement !== document.body) return;
    if (caret === undefined) this.#title.current?.focus();
    else this.#composer?.focus(caret);
  }

  #openMenu(request: MenuRequest, opener: HTMLElement): void {
    const { chat } = this.#context;
    const room = chat.current?.id;
    this.#late.withPanels(({ openMenu }) => {
      // While the code loaded, the user may have opened another room, or the message may be gone.
      const isOver = !opener.isConnected || (request.kind !== 'add' && chat.current?.id !== room);
      if (!isOver) openMenu(request, this.#context, opener);
    });
  }

  /** Elements that can take the focus if the focused element is removed, in order of preference. */
  #heirs(): (Element | null | undefined)[] {
    const { chat, touch } = this.#context;
    const places = [
      ...(touch() ? [] : ['textarea']),
      chat.roomless ? '.timeline h3' : '.main h2',
      '.room[tabindex="0"]',
      '.rooms .bar button',
    ];
    return [this.#opener, ...places.map((place) => this.#root.querySelector(place))];
  }

  /** Closes the view that replaces the room. */
  #uncoverRoom(): void {
    this.#late.parts?.visits.close();
    this.#settings = undefined;
  }

  /** Switches to the room list if there is space for one pane, and closes the panels that cover the room. */
  #toRooms(): void {
    this.#uncoverRoom();
    this.#timeline.save();
    this.#panes.view = 'rooms';
    if (!this.#panes.wide) this.#clearPanels();
  }

  /** Call before the room replaces the list of rooms. */
  #reopen(): void {
    this.#timeline.reopen();
    this.#late.parts?.catchUp.over();
    this.#context.chat.reopen();
  }

  readonly #back = () => {
    this.#toasts.goodNewsIsOld();
    // The room list shows the draft.
    this.#composer?.keepNow();
    this.#toRooms();
    this.render();
    this.#rooms?.focus();
  };

  #search(where: 'here' | 'everywhere'): void {
    const focused = this.#root.activeElement;
    this.#late.withPanels(() => {
      // Only one panel is open at a time.
      this.#late.parts?.details.clear();
      this.#late.parts?.replies.clear();
      this.#late.parts?.search.open(where, focused);
    });
  }

  /** The messages of the room. Unsent messages follow only if the newest messages are loaded. */
  #entries() {
    const { chat } = this.#context;
    const { current } = chat;
    if (current === undefined) return [];
    const { timeline } = current;
    // A reply that could not be sent is also shown in the room, because its thread may be closed.
    const unsent = timeline.attached
      ? chat.unsent(current).filter(({ threadOnly, failed }) => !threadOnly || failed !== undefined)
      : [];
    const shown = timeline.list().filter((message) => current.shows(message));
    const list = entries(shown, unsent, chat.me, chat.deleting);
    return this.#late.parts?.onHold.among(current, list) ?? list;
  }

  #showReplies(room: Room, thread: number, opener: Element | null, to?: ReplyTarget): void {
    this.#late.withPanels(() => {
      this.#late.parts?.search.clear();
      this.#late.parts?.details.clear();
      this.#late.parts?.replies.open(room, thread, opener, to);
      arrive(this.#root.querySelector('.talk'));
    });
  }

  async #jump({ room, seq }: MessagePlace): Promise<void> {
    const { chat, strings, toast } = this.#context;
    try {
      await chat.connection.connected();
      await chat.openRoom(room);
    } catch (error) {
      return toast(refusal(error, strings), 'bad');
    }
    if (!this.#panes.roomInSight) this.#reopen();
    this.#panes.view = 'room';
    this.#uncoverRoom();
    // The panels would cover the message.
    if (!this.#panes.wide) this.#clearPanels();
    this.render();
    if (chat.current) await this.#reveal(chat.current, seq);
  }

  /** Shows a message in the room, or in its thread if it is only there. */
  async #reveal(room: Room, seq: number): Promise<void> {
    const { sync } = this.#context.chat;
    const find = () => (room.summary.threadOnly ? sync.find(room, seq).catch(() => undefined) : undefined);
    const message = room.timeline.get(seq) ?? (await find());
    if (message?.thread === undefined || room.shows(message)) return this.#timeline.jump(seq);
    this.#showReplies(room, message.thread, null, { seq });
  }

  readonly #toggleDetails = (tab?: DetailsTab) => {
    const { current } = this.#context.chat;
    const { details } = this.#late.parts ?? {};
    if (details?.shown && (tab === undefined || (current && details.tab(current) === tab))) details.close();
    else this.#showDetails(tab);
  };

  /** @param tab - defaults to the last selected tab */
  #showDetails(tab?: DetailsTab): void {
    const focused = this.#root.activeElement;
    this.#late.withPanels(() => {
      this.#clearPanels();
      this.#late.parts?.details.open(focused, tab);
      arrive(this.#root.querySelector('.side'));
    });
  }

  #showSettings(): void {
    if (this.#settings !== undefined && this.#panes.roomInSight) return this.#closeSettings();
    this.#late.withPrefs(({ Prefs }) => {
      this.#uncoverRoom();
      this.#clearPanels();
      this.#panes.view = 'room';
      this.#settings = () => <Prefs context={this.#context} close={this.#closeSettings} />;
      this.render();
      this.#root.querySelector<HTMLElement>('.main h2')?.focus();
    });
  }

  readonly #closeSettings = () => {
    // A single room has no list to return to.
    if (this.#panes.single === undefined || this.#context.chat.single) this.#uncoverRoom();
    else this.#toRooms();
    this.#context.draw(this.#root.querySelector('.own-settings'));
  };

  /** A tooltip is the topmost layer, so Esc closes it first. */
  readonly #escape = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || this.#late.parts?.tooltip.shown !== true) return;
    this.#late.parts?.tooltip.hide();
    event.preventDefault();
    event.stopPropagation();
  };

  /** Handles a key of the focused element, or of the page if it shows only the chat. */
  readonly key = (event: KeyboardEvent) => {
    if (event.defaultPrevented || composes(event) || this.#layers.modal) return;
    const { key, altKey, ctrlKey, metaKey, shiftKey } = event;
    const { single } = this.#context.chat;
    const target = event.target as Element;
    // Loads the code of the message menu, then repeats the key press.
    if (this.#late.panels === undefined && confirms(event) && target.matches('.msg'))
      return this.#late.withPanels(() => target.dispatchEvent(new KeyboardEvent(event.type, event)));
    if (key === 'Escape') {
      if (this.#late.parts?.pins.close() === true) return event.preventDefault();
      const { replies } = this.#late.parts ?? {};
      if (this.#searching) this.#late.parts?.search.close();
      else if (this.#settings !== undefined) this.#closeSettings();
      else if (this.#detailed) this.#late.parts?.details.close();
      else if (replies?.thread !== undefined && target.closest('.talk') !== null) replies.escape();
      else if (this.#composer?.cancel() === true) return void event.preventDefault();
      else if (replies?.thread !== undefined) replies.close();
      else return;
    } else if (key === '?' && !ctrlKey && !altKey && !metaKey) {
      if (target.matches('input, textarea, select')) return;
      this.#layers.open({ kind: 'keys' });
    } else if (single) {
      // There is no other room to switch to.
      return;
    } else if (altKey && (key === 'ArrowUp' || key === 'ArrowDown')) {
      const { order = [] } = this.#rooms ?? {};
      this.#late.panels?.step(key === 'ArrowUp' ? -1 : 1, shiftKey, order, this.#context);
    } else if ((ctrlKey || metaKey) && !altKey && !shiftKey && key.toLowerCase() === 'k') {
      this.#layers.open({ kind: 'switch' });
    } else return;
    event.preventDefault();
  };
}
