import { Component } from 'preact';

interface Props {
  readonly label: string;
  /** `HH:MM` */
  readonly value: string;
  save(value: string): void;
}

const STILL_MS = 1000;

/** A time of day. It is saved after a pause in typing or on blur, because browsers report each digit. */
export class TimeField extends Component<Props> {
  #typed: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  override componentWillUnmount(): void {
    this.#save();
  }

  override render({ label, value }: Props) {
    return (
      <input
        type="time"
        class="input"
        aria-label={label}
        value={this.#typed ?? value}
        onInput={({ currentTarget }) => {
          // The value of an incomplete time is empty.
          this.#typed = currentTarget.value || undefined;
          clearTimeout(this.#timer);
          this.#timer = setTimeout(this.#save, STILL_MS);
        }}
        onBlur={() => {
          this.#save();
          this.forceUpdate();
        }}
      />
    );
  }

  readonly #save = () => {
    clearTimeout(this.#timer);
    const typed = this.#typed;
    this.#typed = undefined;
    if (typed !== undefined && typed !== this.props.value) this.props.save(typed);
  };
}
