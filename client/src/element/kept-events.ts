import { composes } from '../text/keys.ts';

const names = ['keydown', 'keypress', 'keyup', 'beforeinput', 'input', 'copy', 'cut', 'paste'];

/**
 * Keeps the events of typing inside the chat. For the page their target would be the element and not the field, so its
 * shortcuts would take the letters. Slotted elements belong to the page.
 */
export function keepEvents(host: HTMLElement, root: ShadowRoot, signal: AbortSignal): void {
  /** The codes of pressed keys whose `keydown` the page did not get. It needs the `keyup` of every other key. */
  const pressed = new Set<string>();
  const isOurs = (event: Event) => root.contains(event.composedPath()[0] as Node);
  const keep = (event: Event) => {
    if (!isOurs(event)) return;
    const { type, code } = event as KeyboardEvent;
    if (type === 'keydown' && isForPage(event as KeyboardEvent)) return void pressed.delete(code);
    if (type === 'keyup' && !pressed.delete(code)) return;
    event.stopPropagation();
  };
  // Listeners inside the chat may keep the event from `keep`.
  const down = (event: KeyboardEvent) => isOurs(event) && pressed.add(event.code);
  host.addEventListener('keydown', down, { signal, capture: true });
  // On the host, because listeners on the root handle the event first.
  for (const name of names) host.addEventListener(name, keep, { signal });
  // A launcher is above the page's modals, which would take the focus back.
  if (host.parentElement?.localName === 'php-chat-launcher')
    host.addEventListener('focusin', keep, { signal });
}

/** Focus traps of the page need Tab, and its dialogs need an Esc that the chat has no use for. */
function isForPage(event: KeyboardEvent): boolean {
  const { key, defaultPrevented } = event;
  return !defaultPrevented && !composes(event) && (key === 'Tab' || key === 'Escape');
}
