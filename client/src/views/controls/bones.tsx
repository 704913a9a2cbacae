import { Component, type ComponentChildren } from 'preact';

/** An answer that comes within this time needs no sign that it is coming. */
export const BONES_MS = 300;

interface Props {
  /** Stands there until the answer has come. */
  readonly children: ComponentChildren;
  /** Keeps the place in the first moment. */
  readonly before?: ComponentChildren;
}

/** The place of something that was asked for when this was drawn first. */
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
