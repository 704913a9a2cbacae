import type { Entry } from '../../store/entries.ts';
import type { Message } from '../message.tsx';

const LONG_PRESS_MS = 450;
/** A finger is never quite still. */
const MOVED_PX = 10;

/** What the menu of a message offers by a key of its own. */
const KEYS = new Set(['r', 'c', 'e', 'del']);

type Find = (element: Element) => Message | undefined;
type Open = (entry: Entry, opener: HTMLElement, key?: string) => void;

/**
 * What keys and fingers do to messages, wherever in the element these are drawn.
 *
 * @param signal - ends it
 */
export function onMessages(root: ShadowRoot, find: Find, open: Open, signal: AbortSignal): void {
  onKeys(root, find, open, signal);
  onLongPress(root, find, open, signal);
  onComingBack(root, find, signal);
}

/** On a message: Enter or Shift+F10 opens the menu, letters do what it offers. */
function onKeys(root: ShadowRoot, find: Find, open: Open, signal: AbortSignal): void {
  const pressed = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    const message = find(target);
    if (message?.element == null || event.altKey || event.ctrlKey || event.metaKey) return;
    const { entry } = message.props;
    // On a link, or a button in the message, Enter does what that is for.
    const menu =
      (event.key === 'Enter' && message.element === target) ||
      event.key === 'ContextMenu' ||
      (event.key === 'F10' && event.shiftKey);
    const key = event.key === 'Delete' ? 'del' : event.key.toLowerCase();
    if (!isStored(entry) || !(menu || (KEYS.has(key) && !event.shiftKey))) return;
    event.preventDefault();
    open(entry, message.element, menu ? undefined : key);
  };
  root.addEventListener('keydown', (event) => pressed(event as KeyboardEvent), { signal });
}

/** A long press on a message opens its sheet. */
function onLongPress(root: ShadowRoot, find: Find, open: Open, signal: AbortSignal): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let from = { x: 0, y: 0 };
  let opened = false;
  const cancel = () => clearTimeout(timer);
  const down = (event: PointerEvent) => {
    cancel();
    opened = false;
    const message = find(event.target as Element);
    if (event.pointerType !== 'touch' || message === undefined || !isStored(message.props.entry)) return;
    from = { x: event.clientX, y: event.clientY };
    timer = setTimeout(() => {
      // It may have gone meanwhile.
      if (message.element === null) return;
      opened = true;
      open(message.props.entry, message.element);
    }, LONG_PRESS_MS);
  };
  const move = (event: PointerEvent) => {
    if (Math.hypot(event.clientX - from.x, event.clientY - from.y) > MOVED_PX) cancel();
  };
  root.addEventListener('pointerdown', (event) => down(event as PointerEvent), { signal });
  root.addEventListener('pointermove', (event) => move(event as PointerEvent), { signal });
  // On a link the browser has a menu of its own for a long press: not above this one.
  root.addEventListener('contextmenu', (event) => opened && event.preventDefault(), { signal });
  // Scrolling is told to what is scrolled alone.
  for (const name of ['pointerup', 'pointercancel', 'scroll'])
    root.addEventListener(name, cancel, { capture: true, signal });
  signal.addEventListener('abort', cancel);
}

/** Shift+Tab comes to a message from the field to write in: to it, not to the last control in it. */
function onComingBack(root: ShadowRoot, find: Find, signal: AbortSignal): void {
  const came = ({ target, relatedTarget }: FocusEvent) => {
    if (!(target instanceof HTMLElement) || !(relatedTarget instanceof Element)) return;
    if (!target.matches(':focus-visible') || relatedTarget.closest('.composer') === null) return;
    find(target)?.element?.focus();
  };
  root.addEventListener('focusin', (event) => came(event as FocusEvent), { signal });
}

/** There is something that can be done with it. */
function isStored({ message }: Entry): boolean {
  return message !== undefined && message.deletedAt === undefined;
}
