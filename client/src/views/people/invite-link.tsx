import { Component, createRef } from 'preact';
import type { Invite } from '../../../../server/wire/events.ts';
import type { Room } from '../../store/room.ts';
import { inviteHash } from '../../text/page-address.ts';
import type { Context } from '../context.ts';
import { Ask } from '../controls/ask.tsx';
import { Bones } from '../controls/bones.tsx';
import { copied } from '../controls/copy.ts';
import { Dialog, opener } from '../controls/dialog.tsx';
import { Icon } from '../controls/icon.tsx';
import { Choice } from '../controls/rows.tsx';
import { Submission } from '../controls/submission.ts';
import { refusal } from '../refusal.ts';
import { chatPage } from '../visits/message-links.ts';

const DAY = 24 * 60 * 60;
/** Offered durations in days, and numbers of users; 0 is unlimited. */
const DAYS = [1, 7, 30, 0];
const PEOPLE = [1, 10, 50, 100, 0];
const COPIED_MS = 2000;

/** A new link. Its URL is known only when it is created. */
interface Made {
  readonly invite: Invite;
  readonly address: string;
}

interface Props {
  readonly context: Context;
  readonly room: Room;
  close(): void;
}

/** The dialog that creates invite links and lists the existing ones. */
export class InviteLink extends Component<Props> {
  #days = 7;
  #people = 50;
  #made: Made | undefined;
  #invites: readonly Invite[] = [];
  #listed = false;
  /** Whether the link was copied in the last two seconds. */
  #copied = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking: Invite | undefined;
  #asked: Invite | undefined;
  readonly #field = createRef<HTMLInputElement>();
  readonly #submission = new Submission(this.props.context);
  /** The request for the list. A separate submission, so that it does not disable the buttons. */
  readonly #listing = new Submission(this.props.context);

  override componentDidMount(): void {
    this.#list();
  }

  override componentWillUnmount(): void {
    clearTimeout(this.#timer);
    this.#submission.cancel();
    this.#listing.cancel();
  }

  override render({ context, room, close }: Props) {
    const { strings } = context;
    const asking = this.#asking;
    if (asking !== undefined) {
      return (
        <Ask
          context={context}
          title={strings.text('link.revokeTitle')}
          text={strings.count('link.revokeText', asking.used)}
          stay={strings.text('delete.keep')}
          label={strings.text('link.revoke')}
          run={() => this.#revoke(asking)}
          close={() => this.#ask(undefined)}
        />
      );
    }
    const made = this.#made;
    const others = this.#invites.filter(({ id }) => id !== made?.invite.id);
    const unlisted = this.#listing.problem;
    const { problem = unlisted } = this.#submission;
    return (
      <Dialog
        context={context}
        title={strings.text('link.title')}
        problem={problem}
        again={unlisted !== undefined && problem === unlisted ? this.#list : undefined}
        submit={made === undefined ? this.#make : close}
        close={close}
        actions={made === undefined ? this.#toMake() : this.#toGoOn()}
      >
        <p class="hint flat">{strings.text('link.text', { room: room.summary.name })}</p>
        {made === undefined ? this.#choices() : this.#shown(made)}
        {!this.#listed && unlisted === undefined && made === undefined && (
          <Bones>
            <ul class="links" aria-hidden="true">
              <li>
                <div>
                  <div class="bone line w55" />
                  <div class="bone line w30" />
                </div>
              </li>
            </ul>
          </Bones>
        )}
        {others.length > 0 && <ul class="links">{others.map((invite) => this.#other(invite))}</ul>}
      </Dialog>
    );
  }

  #toMake() {
    const { context, close } = this.props;
    const { strings } = context;
    const waits = this.#submission.busy;
    return (
      <>
        <button type="button" class="btn" onClick={close}>
          {strings.text('common.cancel')}
        </button>
        <button type="button" class="btn primary" aria-disabled={waits || undefined} onClick={this.#make}>
          {waits && <span class="spin" aria-hidden="true" />}
          {strings.text('link.submit')}
        </button>
      </>
    );
  }

  #toGoOn() {
    const { context, close } = this.props;
    const { strings, changed } = context;
    const again = () => {
      this.#made = undefined;
      this.#copied = false;
      changed();
    };
    return (
      <>
        <button type="button" class="btn" onClick={again}>
          <Icon name="plus" />
          {strings.text('link.again')}
        </button>
        <button type="button" class="btn primary" onClick={close}>
          {strings.text('common.done')}
        </button>
      </>
    );
  }

  #choices() {
    const { strings, changed } = this.props.context;
    const days = (n: number) => (n === 0 ? strings.text('link.always') : strings.count('link.days', n));
    const people = (n: number) =>
      n === 0 ? strings.text('link.unlimited') : strings.count('link.people', n);
    return (
      <div class="two-col">
        {choice('link-lasts', strings.text('link.lasts'), DAYS, this.#days, days, (n) => {
          this.#days = n;
          changed();
        })}
        {choice('link-uses', strings.text('link.uses'), PEOPLE, this.#people, people, (n) => {
          this.#people = n;
          changed();
        })}
      </div>
    );
  }

  #shown({ invite, address }: Made) {
    const { strings } = this.props.context;
    const { until, uses } = invite;
    return (
      <>
        <div class="linkbox">
          <input
            class="input"
            aria-label={strings.text('link.field')}
            readOnly
            dir="ltr"
            value={address}
            ref={this.#field}
            onFocus={({ currentTarget }) => currentTarget.select()}
          />
          <button type="button" class="btn primary" onClick={this.#copy}>
            <Icon name={this.#copied ? 'check' : 'copy'} />
            {strings.text(this.#copied ? 'link.copied' : 'link.copy')}
          </button>
        </div>
        <p class="hint">
          {until !== undefined && uses !== undefined && (
            <>{strings.count('link.until', uses, { when: this.#date(until) })} </>
          )}
          {strings.text('link.unused')}
        </p>
      </>
    );
  }

  #other(invite: Invite) {
    const { chat, strings } = this.props.context;
    const { id, by, until, uses, used } = invite;
    const ended = until !== undefined && until <= chat.clock.now;
    const [before, after] = strings.text('link.by').split('{name}');
    const count =
      uses === undefined
        ? strings.text('link.usedAny', { n: used })
        : strings.text('link.used', { n: used, total: uses });
    const end =
      until !== undefined && strings.text(ended ? 'link.ended' : 'link.ends', { when: this.#date(until) });
    return (
      <li class={ended ? 'ended' : ''} key={id}>
        <Icon name="link" />
        <div>
          <b>
            {by.id === chat.me?.id ? (
              strings.text('link.byYou')
            ) : (
              <>
                {before}
                <bdi>{strings.name(by)}</bdi>
                {after}
              </>
            )}
          </b>
          <small>
            {count}
            {end !== false && ` · ${end}`}
          </small>
        </div>
        <button
          type="button"
          class={ended ? 'btn quiet' : 'btn quiet bad'}
          {...opener(this.#asked === invite)}
          onClick={() => (ended ? void this.#remove(invite) : this.#ask(invite))}
        >
          {strings.text(ended ? 'link.remove' : 'link.revoke')}
        </button>
      </li>
    );
  }

  #date(at: number): string {
    const { locale } = this.props.context.strings;
    return new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long' }).format(at);
  }

  readonly #list = () => {
    const { context, room } = this.props;
    void this.#listing.run(
      () => context.chat.request('invite:list', { room: room.id }),
      ({ invites }) => {
        this.#invites = invites;
        this.#listed = true;
      },
    );
  };

  readonly #make = () => {
    const { context, room } = this.props;
    const { chat, strings } = context;
    const wanted = { room: room.id, seconds: this.#days * DAY, uses: this.#people };
    void this.#submission.run(
      () => chat.request('invite:create', wanted),
      ({ invite, token }) => {
        this.#made = { invite, address: chatPage(context) + inviteHash(token) };
        this.#invites = [invite, ...this.#invites];
      },
      (error) => refusal(error, strings, strings.text('link.failed')),
    );
  };

  readonly #copy = () => {
    const { strings, toast, changed } = this.props.context;
    const field = this.#field.current;
    field?.select();
    copied(this.#made?.address ?? '').then(
      () => {
        this.#copied = true;
        changed();
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
          this.#copied = false;
          changed();
        }, COPIED_MS);
      },
      () => toast(strings.text('error.other'), 'bad'),
    );
  };

  /** Removes an expired link without asking for confirmation. */
  #remove(invite: Invite): void {
    void this.#submission.run(
      () => this.#revoke(invite),
      () => {},
    );
  }

  async #revoke({ id }: Invite): Promise<void> {
    const { context, room } = this.props;
    await context.chat.request('invite:revoke', { room: room.id, id });
    this.#invites = this.#invites.filter((one) => one.id !== id);
  }

  #ask(invite: Invite | undefined): void {
    this.#asked = invite ?? this.#asked;
    this.#asking = invite;
    this.props.context.changed();
  }
}

function choice(
  id: string,
  label: string,
  values: readonly number[],
  chosen: number,
  words: (n: number) => string,
  choose: (n: number) => void,
) {
  return (
    <div>
      <label class="label" for={id}>
        {label}
      </label>
      <Choice
        id={id}
        chosen={String(chosen)}
        options={values.map((n) => [String(n), words(n)])}
        choose={(value) => choose(Number(value))}
      />
    </div>
  );
}
