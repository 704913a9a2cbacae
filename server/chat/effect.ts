import type { Change } from '../history/history.ts';
import type { Chat } from './chat.ts';
import type { FindUser } from './model.ts';

/** How changes of one type are applied in memory and announced to clients. follow-changes.ts lists the effects. */
export interface Effect<Type extends Change['type']> {
  /** Users whose memberships, names or rights differ after the change, so that `RecentPeople` must forget them. */
  outdates?(chat: Chat, change: Change & { type: Type }): readonly string[];
  /**
   * Applies the change to the rooms, and to the users that `find` returns. Applying it again must have no further
   * effect if all later changes are applied again also.
   * @returns a function that announces the change. It is not called for a repeat.
   */
  apply(chat: Chat, change: Change & { type: Type }, find: FindUser): (() => void) | undefined;
}
