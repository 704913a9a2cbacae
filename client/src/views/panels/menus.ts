import type { Context, MenuRequest } from '../context.ts';
import { openAddMenu } from './add-menu.ts';
import { openMessageMenu } from './message-menu.tsx';
import { openRoomMenu } from './room-menu.tsx';

/** All menus that something outside of the panels opens. */
export function openMenu(request: MenuRequest, context: Context, opener: HTMLElement): void {
  if (request.kind === 'add') openAddMenu(context, opener);
  else if (request.kind === 'room') openRoomMenu(request.room, context, opener);
  else openMessageMenu(request.entry, request.writing, request.key, context, opener);
}
