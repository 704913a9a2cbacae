import style from '../../styles/panels.css?inline';
import { sheetOf } from '../../styles/styles.ts';
import type { Context, MenuRequest } from '../context.ts';
import { addPictures } from '../icon.tsx';
import { openAddMenu } from './add-menu.ts';
import { openMessageMenu } from './message-menu.tsx';
import { pictures } from './pictures.ts';
import { openRoomMenu } from './room-menu.tsx';

export { AskCard } from './ask-card.tsx';
export { clashOf } from './clash.tsx';
export { firstRun } from './first-run.tsx';
export { hintAt, hintAtUnknownRoom } from './hints.ts';
export { named } from './named.tsx';
export { NoRoom } from './no-room.tsx';
export { start } from './parts.ts';
export { People } from './people.tsx';
export { react } from './react.ts';
export { reactions } from './reactions.tsx';
export { step } from './step.ts';
export { strip } from './strip.tsx';
export { tools } from './tools.tsx';

/** What stands beside, above or in place of the room: comes when the first messages are shown. */
export const sheet = sheetOf(style);

addPictures(pictures);

/** All menus that something outside of the panels opens. */
export function openMenu(request: MenuRequest, context: Context, opener: HTMLElement): void {
  if (request.kind === 'add') openAddMenu(context, opener);
  else if (request.kind === 'room') openRoomMenu(request.room, context, opener);
  else openMessageMenu(request.entry, request.writing, request.key, context, opener);
}
