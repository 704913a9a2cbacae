import { Component, type ComponentChildren, type HTMLAttributes, type RefObject } from 'preact';
import { Roving } from './roving.ts';

type Listeners = 'onScroll' | 'onPointerEnter' | 'onPointerLeave' | 'onFocusOut' | 'onKeyDown';

interface Props extends Pick<HTMLAttributes<HTMLDivElement>, Listeners> {
  /** Selector of the items. */
  readonly items: string;
  readonly label: string;
  /** Selector of the item that is the tab stop, unless the focus is on another item. */
  readonly preferred?: string;
  /** Letter keys do not find items by name. */
  readonly noLetters?: boolean;
  /** The items are loading. */
  readonly busy?: boolean;
  readonly element: RefObject<HTMLDivElement | null>;
  readonly children: ComponentChildren;
}

/** A scrollable list with a single tab stop. */
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
      // biome-ignore lint/a11y/useSemanticElements: a fieldset belongs in a form.
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
