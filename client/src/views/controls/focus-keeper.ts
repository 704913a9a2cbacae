const ITEMS = '.msg, .room, .person';

/**
 * Remembers where the focus is. Call the result when all has changed: a removed element passes the focus on to
 * itself, where it was only drawn again, else to its neighbour, else to the first heir that takes it; never to
 * the page.
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
    // An element that is gone, hidden or no longer a control takes no focus.
    for (const place of [focused, again, neighbour, ...heirs()]) {
      if (root.activeElement === null) (place as HTMLElement | null)?.focus({ preventScroll: true });
    }
  };
}
