const LONG_PRESS_MS = 450;
/** A finger may move this far during a long press. */
const MOVED_PX = 10;

/**
 * Listens to long presses until the signal aborts.
 * @param begin - returns what a long press of this element does, or undefined if nothing
 */
export function onLongPress(
  root: ShadowRoot,
  begin: (touched: Element) => (() => void) | undefined,
  signal: AbortSignal,
): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let from = { x: 0, y: 0 };
  let opened = false;
  const cancel = () => clearTimeout(timer);
  const down = (event: PointerEvent) => {
    cancel();
    opened = false;
    const { target } = event;
    const action = event.pointerType === 'touch' && target instanceof Element ? begin(target) : undefined;
    if (action === undefined) return;
    from = { x: event.clientX, y: event.clientY };
    timer = setTimeout(() => {
      opened = true;
      action();
    }, LONG_PRESS_MS);
  };
  const moved = ({ clientX, clientY }: PointerEvent) => {
    if (Math.hypot(clientX - from.x, clientY - from.y) > MOVED_PX) cancel();
  };
  const pointer = (does: (event: PointerEvent) => void) => (event: Event) =>
    event instanceof PointerEvent && does(event);
  root.addEventListener('pointerdown', pointer(down), { signal });
  root.addEventListener('pointermove', pointer(moved), { signal });
  // Prevents the browser's own menu for a link. Lifting the finger must not move the focus out of what was opened.
  for (const name of ['contextmenu', 'mousedown'])
    root.addEventListener(name, (event) => opened && event.preventDefault(), { signal });
  // Lifting the finger must not also click. A click by a key has no detail.
  const clicked = (event: Event) => {
    if (opened && event instanceof MouseEvent && event.detail > 0) event.stopPropagation();
  };
  root.addEventListener('click', clicked, { signal, capture: true });
  for (const name of ['pointerup', 'pointercancel']) root.addEventListener(name, cancel, { signal });
  // Scroll events do not bubble.
  root.addEventListener('scroll', cancel, { signal, capture: true });
}
