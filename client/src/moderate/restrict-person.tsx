import { Component } from 'preact';
import { Choice, Row, Segments, Switch } from '../views/controls/rows.tsx';
import { Restrict, type Restriction } from '../views/moderation/restrict.tsx';
import type { DeskContext } from './desk-context.ts';

interface Props {
  readonly context: DeskContext;
  readonly how: 'mute' | 'ban';
  readonly user: string;
  readonly name: string;
  /** The rooms to choose from; `undefined` is the whole site. The first place is preselected. */
  readonly places: readonly (RestrictedRoom | undefined)[];
  run(room: string | undefined, restriction: Restriction & { messages?: 'delete' }): Promise<void>;
  close(): void;
}

export interface RestrictedRoom {
  readonly id: string;
  readonly name: string;
}

/** The option for the whole site. No room has this ID. */
const EVERYWHERE = '*';
/** Up to this number, the places are buttons next to each other. */
const FEW = 2;

/** Mutes or bans a user in a room that the moderator chooses, or bans the user from the whole site. */
export class RestrictPerson extends Component<Props> {
  #place = this.props.places[0];
  /** The number of the user's messages in the last 24 hours, and whether a ban from the whole site deletes them. */
  #recent = 0;
  #deletes = false;

  override componentDidMount(): void {
    const { context, how, user, places } = this.props;
    if (how !== 'ban' || !places.includes(undefined)) return;
    context.chat.request('moderate:person', { user }).then(
      ({ recent }) => {
        this.#recent = recent;
        context.changed();
      },
      // A ban is possible without that number.
      () => {},
    );
  }

  override render({ context, how, name, close }: Props) {
    const { strings } = context;
    const place = this.#place;
    return (
      <Restrict
        context={context}
        how={how}
        name={name}
        room={place?.name ?? ''}
        text={place === undefined ? strings.text('mod.banText', { name }) : undefined}
        label={this.#takes ? strings.text('mod.banSubmit', { n: this.#recent }) : undefined}
        reasoned
        run={this.#run}
        close={close}
      >
        {this.#where()}
        {place === undefined && this.#recent > 0 && this.#alsoMessages()}
      </Restrict>
    );
  }

  /** Whether messages are deleted with the ban. */
  get #takes(): boolean {
    return this.#place === undefined && this.#deletes;
  }

  /** Uses the chosen place, which may not be rendered yet. */
  readonly #run = (restriction: Restriction) => {
    const place = this.#place;
    const messages = this.#takes ? ({ messages: 'delete' } as const) : {};
    return this.props.run(place?.id, { ...restriction, ...messages });
  };

  #where() {
    const { context, places } = this.props;
    const { strings } = context;
    if (places.length < FEW) return undefined;
    const label = strings.text('search.where');
    const Where = places.length === FEW ? Segments : Choice;
    return (
      <>
        <p class="label">{label}</p>
        <Where
          label={label}
          chosen={this.#place?.id ?? EVERYWHERE}
          options={places.map((place) => [
            place?.id ?? EVERYWHERE,
            place?.name ?? strings.text('search.all'),
          ])}
          choose={(chosen) => {
            this.#place = places.find((place) => place?.id === chosen);
            context.changed();
          }}
        />
      </>
    );
  }

  #alsoMessages() {
    const { context } = this.props;
    const { strings } = context;
    const label = strings.text('mod.banRecent');
    return (
      <ul class="sets">
        <Row title={label} hint={strings.count('mod.messages', this.#recent)}>
          <Switch
            label={label}
            on={this.#deletes}
            turn={(on) => {
              this.#deletes = on;
              context.changed();
            }}
          />
        </Row>
      </ul>
    );
  }
}
