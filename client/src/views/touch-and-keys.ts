import type { Entry } from '../store/entries.ts';
import type { MessageActions } from './message.ts';
import type { MenuItem } from './message-menu.ts';
import type { TimelineView } from './timeline.ts';

const LONG_PRESS_MS = 450;
/** A finger is never quite still. */
const MOVED_PX = 10;

/** On a message: Enter or Shift+F10 opens the menu, letters do what it offers. */
export function onMessageKeys(
  timeline: TimelineView,
  items: (entry: Entry) => readonly MenuItem[],
  actions: Pick<MessageActions, 'menu'>,
): void {
  timeline.element.addEventListener('keydown', (event) => {
    const target = event.target as HTMLElement;
    const view = timeline.view(target);
    if (view === undefined || view.element !== target || event.altKey || event.ctrlKey || event.metaKey)
      return;
    const offered = items(view.entry);
    const menu =
      event.key === 'Enter' || event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey);
    const item = offered.find(({ key }) => key.toLowerCase() === event.key.toLowerCase());
    if (menu && offered.length > 0) actions.menu(view.entry, view.element);
    else if (item !== undefined && !event.shiftKey) item.run();
    else return;
    event.preventDefault();
  });
}

/** A long press on a message opens its sheet. */
export function onLongPress(timeline: TimelineView, actions: Pick<MessageActions, 'menu'>): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let from = { x: 0, y: 0 };
  const cancel = () => clearTimeout(timer);
  timeline.element.addEventListener('pointerdown', (event) => {
    cancel();
    const view = timeline.view(event.target as Element);
    if (event.pointerType !== 'touch' || view?.entry.message === undefined) return;
    if (view.entry.message.deletedAt !== undefined) return;
    from = { x: event.clientX, y: event.clientY };
    timer = setTimeout(() => actions.menu(view.entry, view.element), LONG_PRESS_MS);
  });
  timeline.element.addEventListener('pointermove', (event) => {
    if (Math.hypot(event.clientX - from.x, event.clientY - from.y) > MOVED_PX) cancel();
  });
  for (const name of ['pointerup', 'pointercancel', 'scroll'])
    timeline.element.addEventListener(name, cancel);
}
