import type { ComponentChildren } from 'preact';
import { hue } from '../../../../server/wire/avatar.ts';
import type { Answers } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { acceptInvite } from '../../chat/room-actions.ts';
import { RequestError } from '../../connection/connection-state.ts';
import { forgetToken } from '../../element/asked.ts';
import { addressIn, type PageAddress } from '../../text/page-address.ts';
import type { Context } from '../context.ts';
import { Bones } from '../controls/bones.tsx';
import { Empty } from '../controls/empty.tsx';
import { Icon } from '../controls/icon.tsx';
import { leave } from '../ended-cards.tsx';
import { Avatar, cachedInitials } from '../people/avatar.tsx';
import { refusal } from '../refusal.ts';
import { linked } from './message-links.ts';

type Look = Answers['invite:look'];

/** The view that replaces the room if the page's address is a link to a message or an invite link. */
export class Visits implements Follower {
  readonly #context: Context;
  #token: string | undefined;
  /** The room of the invite link; `over` if the link is no longer valid, `guest` if the visitor must log in. */
  #look: Look | 'over' | 'guest' | undefined;
  /** The user who saw the invite. If another user logs in, the view closes. */
  #seenBy: string | undefined;
  /** Why the invite link could not be loaded. */
  #problem: string | undefined;
  #joining = false;
  /** Whether the requested message cannot be shown. */
  #unseen = false;
  /** The linked message or room that is being requested. */
  #sought: object | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Whether this view replaces the room. */
  get shown(): boolean {
    return this.#token !== undefined || this.#unseen;
  }

  begin(asked: PageAddress): void {
    if (asked === undefined) return;
    if ('token' in asked) {
      this.close();
      this.#token = asked.token;
      void this.#lookAt(asked.token);
    } else void this.#find(asked);
    this.#context.changed();
  }

  /** Opens the link that opened the launcher. The chat in it has no `history`, and leaves the address of the page. */
  beginInLauncher(): void {
    const { attribute, chat } = this.#context;
    const asked = attribute('slot') === 'chat' && !chat.single ? addressIn(location.hash) : undefined;
    if (asked !== undefined && 'room' in asked) this.begin(asked);
  }

  ready(): void {
    if (this.#seenBy !== undefined && this.#seenBy !== this.#context.chat.me?.id) this.close();
    if (this.#token !== undefined && this.#look === undefined) void this.#lookAt(this.#token);
  }

  /** Clears the view, because the session may have expired. A link that no user saw stays for the next login. */
  clear(): void {
    this.#look = undefined;
    this.#problem = undefined;
    this.#unseen = false;
    this.#joining = false;
  }

  close(): void {
    if (this.#token !== undefined) forgetToken(this.#context.chat.server);
    this.clear();
    this.#sought = undefined;
    this.#token = undefined;
    this.#seenBy = undefined;
  }

  draw() {
    const { strings } = this.#context;
    if (this.#unseen) {
      return (
        <Empty
          picture="lock"
          title={strings.text('copyLink.hidden.title')}
          text={strings.text('copyLink.hidden.text')}
        >
          <button type="button" class="btn" onClick={this.#leave}>
            {strings.text('join.toChat')}
          </button>
        </Empty>
      );
    }
    if (this.#token === undefined) return undefined;
    return (
      <div class="scroll back-drop">
        {this.#look === 'over'
          ? this.#over()
          : this.#look === 'guest'
            ? this.#guest()
            : this.#look
              ? this.#landing(this.#look)
              : this.#problem === undefined
                ? this.#toCome()
                : this.#failed(this.#token, this.#problem)}
      </div>
    );
  }

  #toCome() {
    return (
      <Bones>
        <div class="landing" aria-hidden="true">
          <div class="bone tile" />
          {['w30', 'w55', 'w85'].map((width) => (
            <div class={`bone line ${width}`} key={width} />
          ))}
        </div>
      </Bones>
    );
  }

  #over() {
    const { strings } = this.#context;
    return this.#card(
      strings.text('join.over.title'),
      strings.text('join.over.text'),
      <button type="button" class="btn primary" onClick={this.#leave}>
        {strings.text('join.toChat')}
      </button>,
    );
  }

  /** The token stays for the login. */
  #guest() {
    const { strings, chat, attribute } = this.#context;
    const url = attribute('login-url') || chat.connection.loginUrl;
    return this.#card(
      strings.text('join.guest.title'),
      strings.text('join.guest.text'),
      <>
        {url && (
          <button type="button" class="btn primary" onClick={() => leave(url)}>
            {strings.text('ended.first')}
          </button>
        )}
        <button type="button" class="btn quiet" onClick={this.#leave}>
          {strings.text('join.later')}
        </button>
      </>,
    );
  }

  #failed(token: string, problem: string) {
    const { strings } = this.#context;
    return this.#card(
      strings.text('details.error'),
      problem,
      <>
        <button type="button" class="btn primary" onClick={() => void this.#lookAt(token)}>
          {strings.text('common.again')}
        </button>
        <button type="button" class="btn quiet" onClick={this.#leave}>
          {strings.text('join.later')}
        </button>
      </>,
    );
  }

  /** The card for an invite link that cannot be used now. */
  #card(title: string, text: string, buttons: ComponentChildren) {
    return (
      <div class="landing">
        <span class="tile h5" aria-hidden="true">
          <Icon name="link" />
        </span>
        <h3 tabIndex={-1}>{title}</h3>
        <p>{text}</p>
        {buttons}
      </div>
    );
  }

  #landing({ by, name, topic, members, present, people, picture }: Look) {
    const { strings } = this.#context;
    const [before, after] = strings.text('join.by').split('{name}');
    return (
      <div class="landing">
        {this.#site()}
        <span
          class={`tile ${hue(name)}`}
          data-picture={picture?.id}
          data-invite={picture?.invite}
          aria-hidden="true"
        >
          <b>{cachedInitials(name)}</b>
        </span>
        <small>
          {before}
          <bdi>{strings.name(by)}</bdi>
          {after}
        </small>
        <h3 tabIndex={-1}>
          <bdi>{name}</bdi>
        </h3>
        {topic !== undefined && <p>{topic}</p>}
        <div class="joining">
          <span class="faces" aria-hidden="true">
            {people.map((user) => (
              <Avatar user={user} key={user.id} />
            ))}
          </span>
          <span>{strings.count('join.members', members, { here: present })}</span>
        </div>
        <button
          type="button"
          class="btn primary"
          aria-disabled={this.#joining || undefined}
          onClick={this.#join}
        >
          {this.#joining && <span class="spin" aria-hidden="true" />}
          {strings.text(this.#joining ? 'join.busy' : 'join.submit', { room: name })}
        </button>
        <button type="button" class="btn quiet" onClick={this.#leave}>
          {strings.text('join.later')}
        </button>
      </div>
    );
  }

  /** Renders the logo and the name of the site, if they are set. */
  #site() {
    const { chat } = this.#context;
    const { name, logo } = chat.site ?? {};
    if (name === undefined && logo === undefined) return undefined;
    return (
      <div class="from">
        {logo !== undefined && <img src={chat.server + logo} alt="" />}
        {name !== undefined && <bdi>{name}</bdi>}
      </div>
    );
  }

  async #lookAt(token: string): Promise<void> {
    const { chat, strings, open, draw } = this.#context;
    try {
      if (chat.connection.state.kind !== 'ready') return;
      const look = await chat.request('invite:look', { token });
      if (this.#token !== token) return;
      this.#problem = undefined;
      this.#seen();
      if (look.room !== undefined) {
        const room = await chat.openRoom(look.room);
        this.close();
        return open(room.id);
      }
      this.#look = look;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (this.#token !== token) return;
      if (error.code === 'unknown_invite') {
        this.#seen();
        this.#look = 'over';
      } else if (error.code === 'forbidden' && chat.isGuest) {
        this.#look = 'guest';
      } else if (error.code !== 'offline') {
        // If the request failed as `offline`, the next connection repeats it.
        this.#problem = refusal(error, strings);
      }
    }
    draw();
    this.#focus();
  }

  #seen(): void {
    forgetToken(this.#context.chat.server);
    this.#seenBy = this.#context.chat.me?.id;
  }

  readonly #join = async () => {
    const { chat, strings, toast, open, draw } = this.#context;
    const token = this.#token;
    if (this.#joining || token === undefined) return;
    this.#joining = true;
    draw();
    try {
      await chat.connection.connected();
      const room = await acceptInvite(chat, token);
      if (this.#token === token) this.close();
      open(room.id);
    } catch (error) {
      this.#joining = false;
      if (error instanceof RequestError && error.code === 'unknown_invite') this.#look = 'over';
      else toast(refusal(error, strings), 'bad');
      draw();
      this.#focus();
    }
  };

  /** Opens a linked room or message. A private, deleted or unknown message gets the same text. */
  async #find(place: { room: string; seq?: number }): Promise<void> {
    const { chat, strings, toast, jump, open, draw } = this.#context;
    const { room, seq } = place;
    this.close();
    this.#sought = place;
    // A later link or room replaces this request.
    const isOver = () => this.#sought !== place;
    try {
      await chat.connection.connected();
      if (isOver()) return;
      if (seq === undefined) {
        const { id } = await chat.openRoom(room);
        return isOver() ? undefined : open(id);
      }
      const message = await linked(this.#context, room, seq);
      if (isOver()) return;
      if (message !== undefined) return jump({ room, seq });
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (isOver()) return;
      if (error.code !== 'unknown_room') return toast(refusal(error, strings), 'bad');
    }
    this.#unseen = true;
    draw();
    this.#focus();
  }

  readonly #leave = () => {
    const { chat, open, draw } = this.#context;
    this.close();
    if (chat.current === undefined) draw();
    else open(chat.current.id);
  };

  #focus(): void {
    this.#context.focusCard();
  }
}
