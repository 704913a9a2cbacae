const ITEMS = '.msg, .room, .person';

/**
 * Remembers the focused element. Call the result after a redraw. If the focus was lost, it moves to the first of these
 * that accepts it: the element, its new copy, its neighbour, the heirs. The focus must not fall back to the page.
 */
export function holdFocus(
  root: ShadowRoot,
  heirs: () => readonly (Element | null | undefined)[],
): () => void {
  const focused = root.activeElement;
  if (!(focused instanceof HTMLElement)) return () => {};
  const item = focused.closest<HTMLElement>(ITEMS);
  const list = item?.closest('.scroll');
  const items = [...(list?.querySelectorAll<HTMLElement>(ITEMS) ?? [])];
  const at = item === null ? -1 : items.indexOf(item);
  return () => {
    if (root.activeElement !== null) return;
    const { key } = item?.dataset ?? {};
    const again = key === undefined ? null : list?.querySelector(`[data-key="${CSS.escape(key)}"]`);
    const neighbour = [...items.slice(at), ...items.slice(0, Math.max(0, at)).reverse()].find(
      (element) => element.isConnected,
    );
    // An element that was removed, hidden or disabled does not accept the focus.
    for (const place of [focused, again, neighbour, ...heirs()]) {
      if (root.activeElement === null) (place as HTMLElement | null)?.focus({ preventScroll: true });
    }
  };
}
