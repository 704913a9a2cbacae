import { Component, type ComponentChildren } from 'preact';

/** A response within this time needs no placeholder. */
export const BONES_MS = 300;

interface Props {
  /** The placeholder. */
  readonly children: ComponentChildren;
  /** Reserves its space until the placeholder appears. */
  readonly before?: ComponentChildren;
}

/** Shows a placeholder while something loads, but only if that takes longer than `BONES_MS`. */
export class Bones extends Component<Props, { late: boolean }> {
  override state = { late: false };
  #timer: ReturnType<typeof setTimeout> | undefined;

  override componentDidMount(): void {
    this.#timer = setTimeout(() => this.setState({ late: true }), BONES_MS);
  }

  override componentWillUnmount(): void {
    clearTimeout(this.#timer);
  }

  override render({ children, before }: Props) {
    return this.state.late ? children : before;
  }
}
