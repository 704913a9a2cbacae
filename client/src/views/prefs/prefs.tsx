import { Component } from 'preact';
import type { Follower } from '../../chat/chat-listener.ts';
import { forgetGuest } from '../../chat/guests.ts';
import type { RequestOf } from '../../connection/connection.ts';
import style from '../../styles/prefs.css?inline';
import { sheetOf } from '../../styles/styles.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { save } from '../controls/rows.tsx';
import { Appearance } from './appearance.tsx';
import { Blocked } from './blocked.tsx';
import { Loading } from './loading.tsx';
import { Mail, type Notices, QuietHours, Shown } from './notices.tsx';
import { PushDevices } from './push-devices.tsx';
import { RoomNotices } from './room-notices.tsx';
import { SamePage } from './same-page.tsx';

export { offer } from './offer.tsx';

export const sheet = sheetOf(style);

interface Props {
  readonly context: Context;
  close(): void;
}

/** The user's own settings, shown instead of the room. Each change is saved immediately. */
export class Prefs extends Component<Props> {
  /** Changes that the server has not confirmed. */
  #chosen: Partial<Notices> = {};
  readonly #notices = new Loading(this.props.context, () =>
    this.props.context.chat.request('notify:get', {}),
  );
  readonly #follower: Follower = { ready: () => this.#load() };

  override componentDidMount(): void {
    this.#load();
    this.props.context.chat.followers.add(this.#follower);
  }

  override componentWillUnmount(): void {
    this.props.context.chat.followers.delete(this.#follower);
  }

  override render({ context, close }: Props) {
    const { strings } = context;
    return (
      <>
        <div class="bar">
          <button type="button" class="icon back" aria-label={strings.text('rooms.back')} onClick={close}>
            <Icon name="back" />
          </button>
          <h2 tabIndex={-1}>
            <span>{strings.text('prefs.open')}</span>
          </h2>
          <button type="button" class="icon shut" aria-label={strings.text('prefs.close')} onClick={close}>
            <Icon name="close" />
          </button>
        </div>
        <div class="scroll">
          <div class="prefs">
            <Appearance context={context} />
            <SamePage context={context} />
            {this.#offered && this.#sections()}
            <RoomNotices context={context} />
            <Blocked context={context} />
            {context.chat.isGuest && (
              <button type="button" class="btn" onClick={() => forgetGuest(context.chat)}>
                {strings.text('guest.forget')}
              </button>
            )}
          </div>
        </div>
      </>
    );
  }

  /** Whether the site notifies offline users. */
  get #offered(): boolean {
    const { can } = this.props.context.chat;
    return can.mail || can.push;
  }

  #sections() {
    const { context } = this.props;
    if (this.#notices.value === undefined) return this.#notices.draw();
    const notices = { ...this.#notices.value, ...this.#chosen };
    const here = context.chat.can.push ? context.push() : undefined;
    const all = { context, notices, set: this.#set };
    return (
      <>
        {context.chat.can.mail && <Mail {...all} />}
        {here !== undefined && <PushDevices {...all} here={here} />}
        <QuietHours {...all} />
        <Shown {...all} />
      </>
    );
  }

  #load(): void {
    if (this.#offered) this.#notices.load();
  }

  readonly #set = (change: RequestOf<'notify:set'>) => {
    const { context } = this.props;
    const show = (wanted: boolean) => {
      const { ...others } = this.#chosen;
      for (const key of Object.keys(change) as (keyof typeof change)[])
        if (key !== 'lang') delete others[key];
      this.#chosen = wanted ? { ...others, ...(change as Partial<Notices>) } : others;
      context.changed();
    };
    save(context, show, async () => {
      this.#notices.value = await context.chat.request('notify:set', change);
      show(false);
    });
  };
}
