import { Component } from 'preact';
import { Choice, Row, Switch } from '../views/controls/rows.tsx';
import { Restrict, type Restriction } from '../views/moderation/restrict.tsx';
import type { DeskContext } from './desk-context.ts';

interface Props {
  readonly context: DeskContext;
  readonly how: 'mute' | 'ban';
  readonly user: string;
  /** As it is said. */
  readonly name: string;
  /** Where it can be done; `undefined` is the whole site. The first is suggested. */
  readonly places: readonly (RestrictedRoom | undefined)[];
  run(room: string | undefined, restriction: Restriction & { messages?: 'delete' }): Promise<void>;
  close(): void;
}

export interface RestrictedRoom {
  readonly id: string;
  readonly name: string;
}

/** Stands for the whole site: no room has that id. */
const EVERYWHERE = '*';
/** Up to so many places stand beside each other. */
const FEW = 2;

/** Mutes or bans a person in a room that is to be chosen, or bans one from the whole site. */
export class RestrictPerson extends Component<Props> {
  #place = this.props.places[0];
  /** How many messages of the last 24 hours there are, and whether a ban from the whole site deletes them. */
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
        {...(place === undefined && { text: strings.text('mod.banText', { name }) })}
        {...(this.#takes && { label: strings.text('mod.banSubmit', { n: this.#recent }) })}
        reasoned
        run={this.#run}
        close={close}
      >
        {this.#where()}
        {place === undefined && this.#recent > 0 && this.#alsoMessages()}
      </Restrict>
    );
  }

  /** Messages go with the person. */
  get #takes(): boolean {
    return this.#place === undefined && this.#deletes;
  }

  /** Where it was chosen to be, which may not be drawn yet. */
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
    const nameOf = (place: RestrictedRoom | undefined) => place?.name ?? strings.text('search.all');
    return (
      <>
        <p class="label">{label}</p>
        {places.length === FEW ? (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset has other looks.
          <div class="seg" role="group" aria-label={label}>
            {places.map((place) => (
              <button
                type="button"
                key={place?.id}
                aria-pressed={this.#place?.id === place?.id}
                onClick={() => this.#choose(place)}
              >
                {nameOf(place)}
              </button>
            ))}
          </div>
        ) : (
          <Choice
            label={label}
            chosen={this.#place?.id ?? EVERYWHERE}
            options={places.map((place) => [place?.id ?? EVERYWHERE, nameOf(place)])}
            choose={(chosen) => this.#choose(places.find((place) => place?.id === chosen))}
          />
        )}
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

  #choose(place: RestrictedRoom | undefined): void {
    this.#place = place;
    this.props.context.changed();
  }
}
