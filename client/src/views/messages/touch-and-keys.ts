import type { Entry } from '../../store/entries.ts';
import type { Tooltip } from '../controls/tooltip.tsx';
import type { Message } from './message.tsx';

const LONG_PRESS_MS = 450;
/** A finger is never quite still. */
const MOVED_PX = 10;

/** The items of a message's menu that have a key of their own. */
const KEYS = new Set(['r', 't', 'f', 'c', 'l', 'e', 'del', '+']);

/** The messages that are drawn. */
export interface Messages {
  find(element: Element): Message | undefined;
}

/** Handles fingers and keys on messages until the signal stops it. */
export function listenToMessages(
  root: ShadowRoot,
  messages: Messages,
  tooltip: Tooltip,
  signal: AbortSignal,
): void {
  onKeys(root, messages, signal);
  onComingBack(root, messages, signal);
  onLongPress(root, messages, tooltip, signal);
}

/** On a message: Enter or Shift+F10 opens the menu, letters do what it offers. */
function onKeys(root: ShadowRoot, { find }: Messages, signal: AbortSignal): void {
  const pressed = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    const message = find(target);
    if (message?.element == null || event.altKey || event.ctrlKey || event.metaKey) return;
    const { entry, actions } = message.props;
    // On a link, or a button in the message, Enter does what that is for.
    const menu =
      (event.key === 'Enter' && message.element === target) ||
      event.key === 'ContextMenu' ||
      (event.key === 'F10' && event.shiftKey);
    const key = event.key === 'Delete' ? 'del' : event.key.toLowerCase();
    if (!hasMenu(entry) || !(menu || (KEYS.has(key) && (key === '+' || !event.shiftKey)))) return;
    event.preventDefault();
    actions.menu(entry, message.element, menu ? undefined : key);
  };
  root.addEventListener('keydown', (event) => event instanceof KeyboardEvent && pressed(event), { signal });
}

/** Shift+Tab comes to a message from the field to write in: to it, not to the last control in it. */
function onComingBack(root: ShadowRoot, { find }: Messages, signal: AbortSignal): void {
  const focused = ({ target, relatedTarget }: FocusEvent) => {
    if (!(target instanceof HTMLElement) || !(relatedTarget instanceof Element)) return;
    if (!target.matches(':focus-visible') || relatedTarget.closest('.composer') === null) return;
    find(target)?.element?.focus();
  };
  root.addEventListener('focusin', (event) => event instanceof FocusEvent && focused(event), { signal });
}

/** A long press on a message opens its sheet; on a reaction it says whose it is. */
function onLongPress(root: ShadowRoot, { find }: Messages, tooltip: Tooltip, signal: AbortSignal): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let from = { x: 0, y: 0 };
  let opened = false;
  const cancel = () => clearTimeout(timer);
  const down = (event: PointerEvent) => {
    cancel();
    opened = false;
    const { target } = event;
    const message = target instanceof Element ? find(target) : undefined;
    if (event.pointerType !== 'touch' || message === undefined || !hasMenu(message.props.entry)) return;
    const reaction = (target as Element).closest<HTMLElement>('[data-emoji]');
    from = { x: event.clientX, y: event.clientY };
    timer = setTimeout(() => {
      // It may have gone meanwhile.
      if (message.element === null) return;
      opened = true;
      if (reaction !== null) tooltip.show(reaction);
      else message.props.actions.menu(message.props.entry, message.element);
    }, LONG_PRESS_MS);
  };
  const moved = ({ clientX, clientY }: PointerEvent) => {
    if (Math.hypot(clientX - from.x, clientY - from.y) > MOVED_PX) cancel();
  };
  const pointer = (does: (event: PointerEvent) => void) => (event: Event) =>
    event instanceof PointerEvent && does(event);
  root.addEventListener('pointerdown', pointer(down), { signal });
  root.addEventListener('pointermove', pointer(moved), { signal });
  // On a link the browser has a menu of its own for a long press: not above this one.
  root.addEventListener('contextmenu', (event) => opened && event.preventDefault(), { signal });
  // The finger that asked whose a reaction is does not press it as well.
  const pressed = (event: Event) => {
    if (!opened || !(event.target instanceof Element) || event.target.closest('[data-emoji]') === null)
      return;
    event.stopPropagation();
  };
  root.addEventListener('click', pressed, { signal, capture: true });
  for (const name of ['pointerup', 'pointercancel']) root.addEventListener(name, cancel, { signal });
  // It does not bubble.
  root.addEventListener('scroll', cancel, { signal, capture: true });
}

/** Something can be done with it: it is in the room, or not sent yet. */
const hasMenu = (entry: Entry) => entry.message === undefined || isStored(entry);

/** It is in the room. */
export function isStored({ message }: Entry): boolean {
  return message !== undefined && message.deletedAt === undefined;
}
