import type { Context } from '../context.ts';
import { onLongPress } from '../controls/long-press.ts';

/** A right-click, a long press or the menu key on a room of the list opens its menu. */
export function listenToRooms(root: ShadowRoot, { chat, menu }: Context, signal: AbortSignal): void {
  const rowAt = (element: Element) => {
    const row = element.closest<HTMLElement>('.room[data-key]');
    const room = chat.rooms.get(row?.dataset.key ?? '');
    return row === null || room?.summary.member !== true ? undefined : { row, room };
  };
  const open = (event: Event, at?: { x: number; y: number }) => {
    const found = event.target instanceof Element ? rowAt(event.target) : undefined;
    if (found === undefined) return;
    event.preventDefault();
    menu({ kind: 'row', room: found.room, at }, found.row);
  };
  const clicked = (event: Event) => {
    if (!(event instanceof PointerEvent) || event.pointerType !== 'mouse' || event.shiftKey) return;
    open(event, { x: event.clientX, y: event.clientY });
  };
  const pressed = (event: Event) => {
    if (!(event instanceof KeyboardEvent)) return;
    if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) open(event);
  };
  root.addEventListener('contextmenu', clicked, { signal });
  root.addEventListener('keydown', pressed, { signal });
  onLongPress(
    root,
    (touched) => {
      const found = rowAt(touched);
      return found && (() => menu({ kind: 'row', room: found.room }, found.row));
    },
    signal,
  );
}
