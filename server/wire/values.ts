import { z } from 'zod';
import { directionMarks, isBlank, isLine, visibleLine } from '../text/blank.ts';

// The values of which the shapes of the wire contract consist.

/** Whether a text has at most this number of code points, which have one or two UTF-16 units. */
const hasAtMost = (text: string, most: number) =>
  text.length <= most || (text.length <= 2 * most && [...text].length <= most);
/** Accepts a text of at most this number of code points. */
export const upTo = (most: number) =>
  z
    .string()
    .refine((text) => hasAtMost(text, most), { message: `must have at most ${most} characters` })
    .meta({ maxLength: most });

/**
 * In patterns of the contracts: the characters that `isLine` rejects. Spelled out, because few programs know properties
 * of Unicode. Without lone surrogates, with which Python cannot compile a pattern.
 */
const notInLine = String.raw`\u0000-\u001f\u007f-\u009f\u2028\u2029`;
/** In patterns of the contracts: `directionMarks`. */
const marks = String.raw`\u202a-\u202e\u2066-\u2069`;
/** In patterns of the contracts: the invisible characters below U+10000. See `isBlank`. */
const invisible = String.raw`\s\u0000-\u001f\u007f-\u009f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufffb`;
/** In patterns of the contracts: the text has a visible character. */
export const oneVisible = String.raw`(?=[\s\S]*[^${invisible}])`;

/** Accepts a single line of well-formed text without control characters. `most` is in code points. */
export const line = (most: number) =>
  z
    .string()
    .refine((text) => text.isWellFormed() && isLine(text) && hasAtMost(text, most), {
      message: `must be a line of at most ${most} characters, without control characters`,
    })
    .meta({ maxLength: most, pattern: `^[^${notInLine}]*$` });
/** Like `line`, without marks that change the direction of the text around it. */
export const plainLine = (most: number) =>
  line(most)
    .refine((text) => !turnsDirection(text), {
      message: 'has a character that changes the direction of text',
    })
    .meta({ pattern: `^[^${notInLine}${marks}]*$` });
/** Like `plainLine`, with at least one visible character. */
export const visible = (most: number) =>
  plainLine(most)
    .refine((text) => !isBlank(text), { message: 'has no visible character' })
    .meta({ minLength: 1, pattern: `^${oneVisible}[^${notInLine}${marks}]*$` });
export const roomId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
/** Whether the ID has a form that only rooms created by the chat have. */
export const isReservedRoomId = (id: string): boolean => /^[udr]-/.test(id);
/** The ID of a room of the site. */
export const siteRoomId = roomId
  .refine((id) => !isReservedRoomId(id), { message: 'IDs that begin with u-, d- or r- are reserved' })
  .meta({ pattern: '^(?![udr]-)[A-Za-z0-9_-]{1,64}$' });
export const clientId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
/** 1 to 64 characters without control characters, as in a session. */
export const userId = line(64)
  .refine((id) => id !== '', { message: 'is empty' })
  .meta({ minLength: 1 });
/** The ID of an actual user. `0` stands for erased users, and `*` for all members of a room. */
export const ownUserId = userId
  .refine((id) => id !== '0' && id !== '*', { message: 'the IDs 0 and * are reserved' })
  .meta({ not: { enum: ['0', '*'] } });
/** The ID of a login in tickets, such as the session ID. */
export const loginId = upTo(256)
  .refine((id) => id !== '', { message: 'is empty' })
  .meta({ minLength: 1 });
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
