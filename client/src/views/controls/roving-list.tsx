import { Component, type ComponentChildren, type HTMLAttributes, type RefObject } from 'preact';
import { Roving } from './roving.ts';

type Listeners = 'onScroll' | 'onPointerEnter' | 'onPointerLeave' | 'onFocusOut';

interface Props extends Pick<HTMLAttributes<HTMLDivElement>, Listeners> {
  /** The items, among everything within. */
  readonly items: string;
  readonly label: string;
  /** The item where the Tab key stops, unless the focus is on another. */
  readonly preferred?: string;
  /** Letters do something else than to find by name. */
  readonly noLetters?: boolean;
  /** Its items are on their way. */
  readonly busy?: boolean;
  readonly element: RefObject<HTMLDivElement | null>;
  readonly children: ComponentChildren;
}

/** A scrolled list with one tab stop. */
export class RovingList extends Component<Props> {
  #roving: Roving | undefined;

  override componentDidMount(): void {
    const list = this.props.element.current;
    if (list !== null) this.#roving = new Roving(list, this.props.items, this.props.noLetters !== true);
    this.componentDidUpdate();
  }

  override componentDidUpdate(): void {
    const { preferred } = this.props;
    const stop =
      preferred === undefined ? undefined : this.props.element.current?.querySelector<HTMLElement>(preferred);
    this.#roving?.update(stop ?? undefined);
  }

  override render({
    label,
    busy,
    element,
    children,
    items: _items,
    preferred: _preferred,
    noLetters: _noLetters,
    ...listeners
  }: Props) {
    return (
      // biome-ignore lint/a11y/useSemanticElements: a fieldset belongs into a form.
      <div
        class="scroll"
        role="group"
        aria-label={label}
        aria-busy={busy || undefined}
        ref={element}
        {...listeners}
      >
        {children}
      </div>
    );
  }
}
