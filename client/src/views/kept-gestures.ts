/**
 * Keeps gestures inside the chat from listeners of the page, which would take them for gestures on the page. For these
 * listeners the target is the element, not the field or the timeline. Slotted elements belong to the page.
 */
export function keepGestures(root: ShadowRoot, signal: AbortSignal): void {
  const keep = (event: Event) => root.contains(event.target as Node) && event.stopPropagation();
  // A dropzone of the page would also take the files.
  for (const name of ['dragenter', 'dragover', 'dragleave', 'drop'])
    root.addEventListener(name, keep, { signal });
  // Scripts for smooth scrolling scroll the page instead.
  const scroll = (event: Event) => scrolls(event.target as Element) && keep(event);
  for (const name of ['wheel', 'touchmove']) root.addEventListener(name, scroll, { signal, passive: true });
  // Scripts against copying cancel `mousedown` outside fields, so that the field does not get the focus.
  const press = ({ target }: Event) =>
    target instanceof HTMLElement && target.matches('textarea, input') && target.focus();
  root.addEventListener('click', press, { signal });
}

/** Whether an element or a box around it can be scrolled. */
function scrolls(target: Element): boolean {
  for (let box: Element | null = target; box !== null; box = box.parentElement) {
    const isLarger = box.scrollHeight > box.clientHeight || box.scrollWidth > box.clientWidth;
    if (isLarger && /auto|scroll/.test(getComputedStyle(box).overflow)) return true;
  }
  return false;
}
