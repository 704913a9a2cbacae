import { z } from 'zod';
import { directionMarks, isLine, visibleLine } from '../text/blank.ts';

// The values of which the shapes of the wire contract consist.

/** Counts code points. For a long text a lower bound is enough, because it exceeds every limit of a `line`. */
const characters = (text: string) => (text.length > 2 * 250 ? text.length / 2 : [...text].length);
/** Accepts a single line of well-formed text without control characters. `most` is in code points. */
export const line = (most: number) =>
  z
    .string()
    .refine((text) => text.isWellFormed() && isLine(text) && characters(text) <= most)
    .meta({ maxLength: most });
export const roomId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
export const clientId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
/** 1 to 64 characters without control characters, as in a session. */
export const userId = line(64).refine((id) => id !== '');
/** The ID of an actual user. `0` stands for erased users, and `*` for all members of a room. */
export const ownUserId = userId.refine((id) => id !== '0' && id !== '*', {
  message: 'the IDs 0 and * are reserved',
});
/** The name of a user, from the site. Empty if it has no visible character. */
export const userName = z.string().transform((name) => visibleLine(name, 64));
/** Whether the text has bidi embeddings, overrides or isolates, which can also reorder the text around it. */
export const turnsDirection = (text: string) => text.search(directionMarks) >= 0;
/** A safe integer from 0, such as a count, or the `head` of a room. */
export const counter = z.int().min(0);
export const seq = z.int().min(1);
/** Unix ms, only for display. The order is defined by `seq` and `rev`. */
export const time = z.int().min(0);

/** Up to the year 9999, which every calendar can represent. */
export const date = z.int().min(0).max(253_402_300_799_999);
/** A user as others see them. `name`: at most 64 characters. */
export const user = z.object({
  id: userId.describe('The user ID of the site.'),
  name: z.string().describe('The name, or the ID if the name is unknown.'),
});
/** The ID of a file, which cannot be guessed. */
export const fileId = z.string().regex(/^[A-Za-z0-9_-]{16,64}$/);

/**
 * The ID of a report, a held or scheduled message, an invite link, a device or a chosen file. U+0000 must be rejected
 * here, because PostgreSQL fails on it, and the other writes of the transaction would have to run again. Other invalid
 * IDs are not found.
 */
export const entryId = z.string().regex(/^[!-~]{1,64}$/);
