import type { Row } from './engine/table.ts';
import type { Holding, StoredMessage } from './messages/message.ts';

/** Which messages a search looks for, beside their text. */
export interface SearchFilter {
  /** The id of their author. */
  from?: string;
  has?: Holding;
  /** Sent at this time or later, and before that one, in milliseconds. */
  sentFrom?: number;
  sentBefore?: number;
}

export interface SearchReads {
  /**
   * Messages whose text holds `query`, if that is given, and that fit `only`, newest first, in these rooms and
   * (`everyPublic`) in all public ones but `except`. Deleted ones are never found. `next`: where to go on (as `from`); a page may be short though there are more. It says nothing to those who read it, such as how
   * many messages there are. Codes: `bad_request` (no `from` of this history).
   */
  search: {
    in: {
      query?: string;
      only?: SearchFilter;
      rooms: readonly string[];
      everyPublic: boolean;
      except?: readonly string[];
      from?: string;
      limit: number;
    };
    out: { messages: StoredMessage[]; next?: string };
  };
}

/** Whether a search may find the message: by all but its text and what it holds, for which there are indexes. */
export function isSearched(
  { user_id, sent_at, deleted_at }: Row,
  { from, sentFrom = 0, sentBefore = Number.POSITIVE_INFINITY }: SearchFilter,
): boolean {
  if (deleted_at !== null || (from !== undefined && user_id !== from)) return false;
  return (sent_at as number) >= sentFrom && (sent_at as number) < sentBefore;
}
