/**
 * Makes a list a single tab stop: the arrow keys, Home and End move within it, letter keys find items by name if
 * `letters` is set. The items must be in screen order. They and the controls in them are rendered with `tabIndex={-1}`.
 */
export class Roving {
  readonly #list: HTMLElement;
  readonly #selector: string;

  constructor(list: HTMLElement, selector: string, letters = false) {
    this.#list = list;
    this.#selector = selector;
    list.addEventListener('keydown', (event) => this.#key(event, letters));
    list.addEventListener('focusin', (event) => {
      const item = (event.target as Element).closest<HTMLElement>(selector);
      if (item !== null) this.activate(item);
    });
  }

  items(): HTMLElement[] {
    return [...this.#list.querySelectorAll<HTMLElement>(this.#selector)];
  }

  /** Call after the list changes. The tab stop stays at the focused item, or moves to `preferred`. */
  update(preferred: HTMLElement | undefined): void {
    const { activeElement } = this.#list.getRootNode() as ShadowRoot;
    const focused = activeElement?.closest<HTMLElement>(this.#selector);
    const kept = focused !== null && focused !== undefined && this.#list.contains(focused);
    this.activate(kept ? focused : (preferred ?? this.items()[0]));
  }

  activate(item: HTMLElement | undefined): void {
    for (const other of this.items()) if (other !== item && other.tabIndex !== -1) reach(other, -1);
    if (item !== undefined) reach(item, 0);
  }

  #key(event: KeyboardEvent, letters: boolean): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const items = this.items();
    const focused = (event.target as Element).closest<HTMLElement>(this.#selector);
    const at = focused === null ? items.length : items.indexOf(focused);
    const found =
      letters && event.key.length === 1 && event.key !== ' ' ? startingWith(items, at, event.key) : undefined;
    const steps: Record<string, HTMLElement | undefined> = {
      ArrowUp: items[at - 1],
      ArrowDown: items[at + 1],
      Home: items[0],
      End: items.at(-1),
    };
    const next = found ?? steps[event.key];
    if (next === undefined) return;
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: 'nearest' });
  }
}

/** Makes the controls in an item tabbable while the item is the tab stop. */
function reach(item: HTMLElement, tabIndex: number): void {
  item.tabIndex = tabIndex;
  for (const control of item.querySelectorAll<HTMLElement>('a, button, input, video, pre, [role=button]'))
    control.tabIndex = tabIndex;
}

function startingWith(items: HTMLElement[], at: number, letter: string): HTMLElement | undefined {
  const wanted = letter.toLocaleLowerCase();
  return [...items.slice(at + 1), ...items.slice(0, at + 1)].find((item) =>
    item.querySelector('bdi')?.textContent.toLocaleLowerCase().startsWith(wanted),
  );
}
