import type { Change } from '../history/history.ts';
import type { Chat } from './chat.ts';
import type { FindUser } from './model.ts';

/** How changes of one type are applied in memory and announced to clients. follow-changes.ts lists the effects. */
export interface Effect<Type extends Change['type']> {
  /** Users whose state in memory differs after the change. `RecentPeople` must forget them. */
  outdates?(chat: Chat, change: Change & { type: Type }): readonly string[];
  /**
   * Applies the change to the rooms, and to the users that `find` returns. `catchUp` may apply a change again, followed
   * by all later changes, which must lead to the same state.
   * @returns a function that announces the change. `catchUp` does not call it.
   */
  apply(chat: Chat, change: Change & { type: Type }, find: FindUser): (() => void) | undefined;
}
