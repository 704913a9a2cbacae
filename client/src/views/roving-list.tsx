import { Component, type ComponentChildren, createRef } from 'preact';
import { Roving } from './roving.ts';

interface Props {
  /** The items, among everything within. */
  readonly items: string;
  readonly label: string;
  /** The item where the Tab key stops, unless the focus is on another. */
  readonly preferred?: string;
  readonly children: ComponentChildren;
}

/** A scrolled list with one tab stop. */
export class RovingList extends Component<Props> {
  readonly #element = createRef<HTMLDivElement>();
  #roving: Roving | undefined;

  override componentDidMount(): void {
    const list = this.#element.current;
    if (list !== null) this.#roving = new Roving(list, this.props.items, true);
    this.componentDidUpdate();
  }

  override componentDidUpdate(): void {
    const { preferred } = this.props;
    const stop =
      preferred === undefined ? undefined : this.#element.current?.querySelector<HTMLElement>(preferred);
    this.#roving?.update(stop ?? undefined);
  }

  override render({ label, children }: Props) {
    return (
      // biome-ignore lint/a11y/useSemanticElements: a fieldset belongs into a form.
      <div class="scroll" role="group" aria-label={label} ref={this.#element}>
        {children}
      </div>
    );
  }
}
