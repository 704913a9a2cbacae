import cardStyle from '../styles/cards.css?inline';
import landing from '../styles/landing.css?inline';
import style from '../styles/panels.css?inline';
import pollStyle from '../styles/poll.css?inline';
import { sheetOf } from '../styles/styles.ts';
import type { Context, MenuRequest } from './context.ts';
import { addPictures } from './controls/icon.tsx';
import { pictures } from './controls/pictures.ts';
import { openAttachMenu } from './messages/attach-menu.ts';
import { openMessageMenu } from './messages/message-menu.tsx';
import { openAddMenu } from './rooms/add-menu.ts';
import { openRoomMenu } from './rooms/room-menu.tsx';

export { folded } from '../../../server/text/folding.ts';
export { siteCard } from './cards/site-card.tsx';
export { endedCard } from './ended-cards.tsx';
export { guestCard } from './guest-card.tsx';
export { hintAt, hintAtUnknownRoom } from './hints.ts';
export { clashOf } from './messages/clash.tsx';
export { codeHead } from './messages/code-head.tsx';
export { linkPreview } from './messages/link-preview.tsx';
export { named } from './messages/named.tsx';
export { poll } from './messages/poll.tsx';
export { react } from './messages/react.ts';
export { reactions } from './messages/reactions.tsx';
export { strip } from './messages/strip.tsx';
export { tools } from './messages/tools.tsx';
export { start } from './parts.ts';
export { repliesLine } from './replies/replies-line.tsx';
export { AskCard } from './rooms/ask-card.tsx';
export { NoRoom } from './rooms/no-room.tsx';
export { step } from './rooms/step.ts';

/** Styles of most panels, menus and files. */
export const sheet = sheetOf([style, landing, pollStyle, cardStyle].join('\n'));

addPictures(pictures);

/** Opens a menu for code outside the panels. */
export function openMenu(request: MenuRequest, context: Context, opener: HTMLElement): void {
  if (request.kind === 'add') openAddMenu(context, opener);
  else if (request.kind === 'room' || request.kind === 'row') openRoomMenu(request, context, opener);
  else if (request.kind === 'attach') openAttachMenu(request, context, opener);
  else openMessageMenu(request, context, opener);
}
