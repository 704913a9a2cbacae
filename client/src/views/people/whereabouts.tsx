import { Component } from 'preact';
import type { RoomSummary } from '../../../../server/wire/events.ts';
import type { Context } from '../context.ts';

interface Props {
  readonly context: Context;
  /** A direct room. */
  readonly summary: RoomSummary;
}

/** The peer's presence or last-seen time, under the name of a direct room. Empty if unknown. */
export class Whereabouts extends Component<Props> {
  #lastHere: number | undefined;
  #gone = false;

  override componentDidMount(): void {
    if (this.props.summary.present !== true) this.#load();
  }

  override componentDidUpdate(before: Props): void {
    if (before.summary.present === true && this.props.summary.present !== true) this.#load();
  }

  override componentWillUnmount(): void {
    this.#gone = true;
  }

  override render({ context: { strings }, summary: { present } }: Props) {
    if (present === true) return <small class="now">{strings.text('person.here')}</small>;
    return this.#lastHere === undefined ? null : <small>{strings.lastHere(this.#lastHere)}</small>;
  }

  #load(): void {
    const { context, summary } = this.props;
    this.#lastHere = undefined;
    if (summary.with === undefined) return;
    context.chat.request('user:about', { room: summary.id, user: summary.with.id }).then(
      ({ lastHere }) => {
        this.#lastHere = lastHere;
        if (!this.#gone) this.forceUpdate();
      },
      // The card of the user shows the error and offers a retry.
      () => {},
    );
  }
}
