import type { Holding } from '../../wire/content.ts';
import type { Row } from './columns.ts';
import type { StoredMessage } from './message.ts';

/** The conditions of a search, apart from the text. */
export interface SearchFilter {
  /** The ID of the author. */
  from?: string;
  has?: Holding;
  /** Sent at `sentFrom` or later, and before `sentBefore`, as Unix ms. */
  sentFrom?: number;
  sentBefore?: number;
}

export interface SearchReads {
  /**
   * Messages that contain `query`, if set, and match `only`, newest first: in `rooms` and (`everyPublic`) in all public
   * rooms but `except`. Tombstones are not found. `next` is the `from` of the next page, an encrypted cursor, because
   * its number would reveal activity in other rooms. A page with `next` may be short. Codes: `bad_request` (`from` is
   * not a cursor of this history).
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

/** Returns the period of a filter: sent at `from` or later, and before `before`, as Unix ms. Undefined for all times. */
export function periodOf({
  sentFrom,
  sentBefore,
}: SearchFilter): { from: number; before: number } | undefined {
  if (sentFrom === undefined && sentBefore === undefined) return undefined;
  return { from: sentFrom ?? 0, before: sentBefore ?? Number.MAX_SAFE_INTEGER };
}

/** Whether a message matches the filter. Callers check `has` and the text. */
export function isSearched(
  { user_id, sent_at, deleted_at }: Row,
  { from, sentFrom = 0, sentBefore = Number.POSITIVE_INFINITY }: SearchFilter,
): boolean {
  if (deleted_at !== null || (from !== undefined && user_id !== from)) return false;
  return (sent_at as number) >= sentFrom && (sent_at as number) < sentBefore;
}
