import { Component, createRef } from 'preact';
import { hue } from '../../../../server/wire/avatar.ts';
import type { Answers } from '../../../../server/wire/events.ts';
import style from '../../styles/person.css?inline';
import { sheetOf } from '../../styles/styles.ts';
import type { Context, SomebodyHere } from '../context.ts';
import { Bones } from '../controls/bones.tsx';
import { frameAround } from '../controls/frame.ts';
import { Icon } from '../controls/icon.tsx';
import type { MenuItem } from '../controls/menu.tsx';
import { Avatar } from './avatar.tsx';
import { moderation, others, profileUrl, quick } from './person-actions.ts';

export const sheet = sheetOf(style);

interface Props {
  readonly context: Context;
  readonly shown: SomebodyHere;
  /** The card is placed next to this element, or at its last position. */
  readonly beside: Element;
  readonly at: DOMRect;
  /** Width of the chat in CSS pixels. */
  readonly width: number;
  close(): void;
}

/** In a narrower chat the card is a sheet. */
const NARROW = 640;
const GAP = 8;

/** The card of a user: who it is, whether the user is online, and the available actions. */
export class PersonCard extends Component<Props> {
  readonly #card = createRef<HTMLDivElement>();
  #about: Answers['user:about'] | undefined;
  /** Whether the user was in the room's list of present users at the last request. */
  #here: boolean | undefined;
  #failed = false;
  #pressed = false;
  #gone = false;
  readonly #sheet = this.props.context.touch() || this.props.width < NARROW;
  #at = this.props.at;

  override componentDidMount(): void {
    this.#place();
    this.#load();
    // Browsers would draw the ring of the keyboard around a button.
    const first = this.props.context.touch() ? undefined : this.#controls()[0];
    (first ?? this.#card.current)?.focus();
  }

  override componentDidUpdate(): void {
    this.#place();
    // The user came or went after the last request.
    if (this.#isHere() !== this.#here) this.#load();
  }

  override componentWillUnmount(): void {
    this.#gone = true;
  }

  override render({ context, shown, close }: Props) {
    const { strings, chat } = context;
    const { user } = shown;
    const name = strings.name(user);
    const role = this.#about?.role;
    const own = user.id === chat.me?.id;
    const profile = profileUrl(user, context);
    const press = () => {
      this.#pressed = true;
    };
    const fast = quick(shown, context);
    return (
      <>
        {/* biome-ignore lint/a11y/noStaticElementInteractions: keyboard users press Esc. */}
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: keyboard users press Esc. */}
        <div
          class={this.#sheet ? 'veil' : 'veil clear'}
          onPointerDown={press}
          onClick={() => this.#pressed && close()}
        />
        <div
          class={this.#sheet ? 'person-card sheet' : 'person-card'}
          role="dialog"
          aria-label={name}
          aria-busy={this.#about === undefined && !this.#failed}
          tabIndex={-1}
          ref={this.#card}
          onKeyDown={this.#key}
        >
          <div class={`card-top ${hue(user.id)}`}>
            <Avatar user={user} kind={this.#about?.present ? 'xl here' : 'xl'} />
            <h3>
              <bdi>{name}</bdi>
              {role !== undefined && role !== 'member' && (
                <span class="tag">{strings.text(`people.${role}`)}</span>
              )}
            </h3>
            <p>{this.#state(own)}</p>
          </div>
          {(fast.length > 0 || profile !== undefined) && (
            <div class="quick">
              {fast.map(({ picture, label, run }) => (
                <button type="button" key={label} onClick={() => this.#do(run)}>
                  <Icon name={picture} />
                  {label}
                </button>
              ))}
              {profile !== undefined && (
                <a href={profile} target="_blank" rel="noopener noreferrer" onClick={() => close()}>
                  <Icon name="outside" />
                  {strings.text('people.profile')}
                </a>
              )}
            </div>
          )}
          {this.#about !== undefined && this.#part('people.moderator', moderation(shown, role, context))}
          {this.#part('msg.more', [...this.#hiding(), ...others(shown, context)])}
        </div>
      </>
    );
  }

  /** Returns whether the user is online, or when that was last the case. */
  #state(own: boolean) {
    const { strings } = this.props.context;
    if (own) return strings.text('people.you');
    if (this.#failed)
      return (
        <button type="button" class="link" onClick={this.#again}>
          {strings.text('common.again')}
        </button>
      );
    if (this.#about === undefined)
      return (
        <Bones before={'\u00a0'}>
          <span class="bone line w55" />
        </Bones>
      );
    const { present, lastHere } = this.#about;
    if (present) return strings.text('person.here');
    if (lastHere === undefined) return '\u00a0';
    return strings.lastHere(lastHere);
  }

  #part(key: 'people.moderator' | 'msg.more', items: readonly MenuItem[]) {
    if (items.length === 0) return null;
    return (
      <div
        class="menu-part menu"
        role="menu"
        tabIndex={-1}
        aria-label={this.props.context.strings.text(key)}
        key={key}
      >
        {items.map(({ picture, label, bad, run }) => (
          <button
            type="button"
            role="menuitem"
            class={bad ? 'bad' : ''}
            key={label}
            onClick={() => this.#do(run)}
          >
            <Icon name={picture} />
            <span>{label}</span>
          </button>
        ))}
      </div>
    );
  }

  /** Returns the item that hides the user's own times. The server sends `hidden` only if the site shows times. */
  #hiding(): MenuItem[] {
    const { context } = this.props;
    const { chat, strings, toast } = context;
    const { hidden } = this.#about ?? {};
    if (hidden === undefined) return [];
    const run = () => {
      chat.request('user:hide', { hidden: !hidden }).then(
        () => toast(strings.text(hidden ? 'person.shown' : 'person.hidden'), 'good'),
        () => toast(strings.text('error.other'), 'bad'),
      );
    };
    return [{ picture: 'clock', label: strings.text(hidden ? 'person.show' : 'person.hide'), run }];
  }

  #do(run: () => void): void {
    this.props.close();
    run();
  }

  #isHere(): boolean {
    const { room, user } = this.props.shown;
    return room.present.some(({ id }) => id === user.id);
  }

  #load(): void {
    const { context, shown } = this.props;
    this.#here = this.#isHere();
    this.#failed = false;
    this.forceUpdate();
    context.chat.request('user:about', { room: shown.room.id, user: shown.user.id }).then(
      (about) => {
        this.#about = about;
        if (!this.#gone) this.forceUpdate();
      },
      () => {
        this.#failed = true;
        if (!this.#gone) this.forceUpdate();
      },
    );
  }

  /** The retry button disappears, so the card takes the focus. */
  readonly #again = () => {
    this.#card.current?.focus();
    this.#load();
  };

  #controls(): HTMLElement[] {
    return [...(this.#card.current?.querySelectorAll<HTMLElement>('button, a') ?? [])];
  }

  readonly #key = (event: KeyboardEvent) => {
    const all = this.#controls();
    const at = all.indexOf(event.target as HTMLElement);
    const back = event.key === 'ArrowUp' || (event.key === 'Tab' && event.shiftKey);
    if (event.key === 'Escape') this.props.close();
    else if (back) all.at(Math.max(at, 0) - 1)?.focus();
    else if (event.key === 'Tab' || event.key === 'ArrowDown') all[(at + 1) % all.length]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  /** Places the card beside the element, on the side where it fits, within the chat. */
  #place(): void {
    const card = this.#card.current;
    if (card === null || this.#sheet) return;
    const frame = frameAround(card);
    const { beside } = this.props;
    if (beside.isConnected) this.#at = frame.boxOf(beside);
    const from = this.#at;
    const { offsetWidth: width, offsetHeight: height } = card;
    const [before, after] = [from.left - GAP - width, from.right + GAP];
    const fits = (left: number) => left >= GAP && left + width <= frame.width - GAP;
    const rtl = card.matches(':dir(rtl)');
    const wanted = (rtl ? [before, after] : [after, before]).find(fits) ?? after;
    const left = Math.max(GAP, Math.min(wanted, frame.width - GAP - width));
    const top = Math.max(GAP, Math.min(from.top, frame.height - GAP - height));
    card.style.setProperty('left', `${left}px`);
    card.style.setProperty('top', `${top}px`);
  }
}
