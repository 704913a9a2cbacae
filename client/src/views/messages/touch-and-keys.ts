import type { Entry } from '../../store/entries.ts';
import { confirms } from '../../text/keys.ts';
import { onLongPress } from '../controls/long-press.ts';
import type { Tooltip } from '../controls/tooltip.tsx';
import type { Message } from './message.tsx';

/** The keys of items in the message menu. */
const KEYS = new Set(['r', 't', 'f', 'c', 'l', 'p', 'e', 'del', '+']);

export interface Messages {
  /** Finds the rendered message that contains an element. */
  find(element: Element): Message | undefined;
  /** Returns the first visible message of the room when the reader last scrolled. */
  top(): HTMLElement | undefined;
}

/** Handles touch and keys on messages until the signal aborts. */
export function listenToMessages(
  root: ShadowRoot,
  messages: Messages,
  tooltip: Tooltip,
  signal: AbortSignal,
): void {
  onKeys(root, messages, signal);
  onComingBack(root, messages, signal);
  onLongPress(root, pressedLong(messages, tooltip), signal);
  onRightClick(root, messages, signal);
}

/** On a focused message, Enter or Shift+F10 opens the menu, and letters run its items. */
function onKeys(root: ShadowRoot, { find }: Messages, signal: AbortSignal): void {
  const pressed = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    const message = find(target);
    if (message?.element == null || event.altKey || event.ctrlKey || event.metaKey) return;
    const { entry, actions } = message.props;
    // On a link or button in the message, Enter activates that.
    const menu =
      (confirms(event) && message.element === target) ||
      event.key === 'ContextMenu' ||
      (event.key === 'F10' && event.shiftKey);
    const key = event.key === 'Delete' ? 'del' : event.key.toLowerCase();
    if (!hasMenu(entry) || !(menu || (KEYS.has(key) && (key === '+' || !event.shiftKey)))) return;
    event.preventDefault();
    actions.menu(entry, message.element, menu ? undefined : key);
  };
  root.addEventListener('keydown', (event) => event instanceof KeyboardEvent && pressed(event), { signal });
}

/** Shift+Tab from the composer focuses the message, not the last control in it. */
function onComingBack(root: ShadowRoot, { find }: Messages, signal: AbortSignal): void {
  const focused = ({ target, relatedTarget }: FocusEvent) => {
    if (!(target instanceof HTMLElement) || !(relatedTarget instanceof Element)) return;
    if (!target.matches(':focus-visible') || relatedTarget.closest('.composer') === null) return;
    find(target)?.element?.focus();
  };
  root.addEventListener('focusin', (event) => event instanceof FocusEvent && focused(event), { signal });
}

/** A long press opens the menu of a message, or the tooltip that names the users of a reaction. */
function pressedLong({ find }: Messages, tooltip: Tooltip) {
  return (touched: Element) => {
    const message = find(touched);
    if (message === undefined || !hasMenu(message.props.entry)) return undefined;
    const reaction = touched.closest<HTMLElement>('[data-emoji]');
    return () => {
      // The message may have been removed during the press.
      if (message.element === null) return;
      if (reaction !== null) tooltip.show(reaction);
      else message.props.actions.menu(message.props.entry, message.element);
    };
  };
}

/** Elements with a menu of the browser that users expect: to open a link, or to save a picture. */
const BROWSERS_OWN = 'a, img, video, audio, input, textarea';

/** A right-click on a message opens its menu. With Shift, or on selected text, it opens the browser's menu. */
function onRightClick(root: ShadowRoot, { find }: Messages, signal: AbortSignal): void {
  let hasSelection = false;
  const down = () => {
    // Chrome cannot read a selection in a shadow root from the document. Other browsers have no such method.
    const { getSelection } = root as ShadowRoot & { getSelection?(): Selection | null };
    const selection = getSelection?.call(root) ?? document.getSelection();
    hasSelection = selection?.isCollapsed === false;
  };
  // Before the browser on a Mac selects the word under the pointer.
  root.addEventListener('pointerdown', down, { signal });
  const clicked = (event: Event) => {
    const { target } = event;
    if (!(event instanceof PointerEvent) || !(target instanceof Element) || event.defaultPrevented) return;
    const message = find(target);
    // The keys open the menu in `onKeys`, and a long press in `pressedLong`.
    if (event.pointerType !== 'mouse' || event.shiftKey || hasSelection) return;
    if (message?.element == null || !hasMenu(message.props.entry) || target.closest(BROWSERS_OWN) !== null)
      return;
    event.preventDefault();
    message.props.actions.menu(message.props.entry, message.element, undefined, {
      x: event.clientX,
      y: event.clientY,
    });
  };
  root.addEventListener('contextmenu', clicked, { signal });
}

/** Whether the message has actions, because it is in the room or not sent yet. */
const hasMenu = (entry: Entry) => entry.message === undefined || isStored(entry);

/** Whether the message is in the room and not deleted. */
export function isStored({ message }: Entry): boolean {
  return message !== undefined && message.deletedAt === undefined;
}
