import type { Entry } from '../store/entries.ts';
import type { Message } from './message.tsx';

const LONG_PRESS_MS = 450;
/** A finger is never quite still. */
const MOVED_PX = 10;

/** What the menu of a message offers by a key of its own. */
const KEYS = new Set(['r', 'c', 'e', 'del']);

type Find = (element: Element) => Message | undefined;
type Open = (entry: Entry, opener: HTMLElement, key?: string) => void;

/** On a message: Enter or Shift+F10 opens the menu, letters do what it offers. */
export function onMessageKeys(timeline: HTMLElement, find: Find, open: Open): void {
  timeline.addEventListener('keydown', (event) => {
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
  });
}

/** Shift+Tab comes to a message from the field to write in: to it, not to the last control in it. */
export function onComingBack(timeline: HTMLElement, find: Find): void {
  timeline.addEventListener('focusin', ({ target, relatedTarget }) => {
    if (!(target instanceof HTMLElement) || !(relatedTarget instanceof Element)) return;
    if (!target.matches(':focus-visible') || relatedTarget.closest('.composer') === null) return;
    find(target)?.element?.focus();
  });
}

/** A long press on a message opens its sheet. */
export function onLongPress(timeline: HTMLElement, find: Find, open: Open): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let from = { x: 0, y: 0 };
  let opened = false;
  const cancel = () => clearTimeout(timer);
  timeline.addEventListener('pointerdown', (event) => {
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
  });
  // On a link the browser has a menu of its own for a long press: not above this one.
  timeline.addEventListener('contextmenu', (event) => opened && event.preventDefault());
  timeline.addEventListener('pointermove', (event) => {
    if (Math.hypot(event.clientX - from.x, event.clientY - from.y) > MOVED_PX) cancel();
  });
  for (const name of ['pointerup', 'pointercancel', 'scroll']) timeline.addEventListener(name, cancel);
}

/** There is something that can be done with it. */
function isStored({ message }: Entry): boolean {
  return message !== undefined && message.deletedAt === undefined;
}
