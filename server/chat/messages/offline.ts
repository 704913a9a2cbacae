import type { PendingMessage, StoredMessage } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import type { HoldReason, SiteRole, User } from '../../wire/events.ts';
import { isGuest } from '../../wire/guest.ts';
import { findReadableRoom, moderatesSite } from '../access.ts';
import type { Chat } from '../chat.ts';
import { checkPendingLimit, findHoldReason, holdInTurn } from '../moderation/held.ts';
import { askSite } from '../site-accounts.ts';
import { findVisible } from './messages.ts';
import { checkText, pageToPreview } from './texts.ts';

// Messages of users who have no connection: scheduled ones, and answers by mail.

/** The author of a message, as far as it is known without a session. */
export interface OfflineAuthor extends User {
  /** The stored role on the whole site, if any. */
  roles: readonly SiteRole[];
}

/**
 * Returns the author of a message that is sent without a connection of its author.
 * @throws RequestError `forbidden` if the site no longer knows the user, `storage_unavailable`
 */
export async function findAuthor(chat: Chat, user: string): Promise<OfflineAuthor> {
  const isOfSite = !isGuest(user);
  if (!isOfSite && chat.settings.guests?.may !== 'write')
    throw new RequestError('forbidden', 'guests may not write');
  if (isOfSite && (await askSite(chat, [user])).unknown.has(user))
    throw new RequestError('forbidden', 'the site no longer knows the author');
  const [stored] = await chat.history.read.users({ ids: [user] });
  const { name = user, siteRole } = stored ?? {};
  if (!isOfSite) return { id: user, name, roles: ['guest'] };
  return { id: user, name, roles: siteRole === undefined ? [] : [siteRole] };
}

type Stored = { message: StoredMessage } | { held: PendingMessage };

/**
 * Stores a message, which may be pending approval, and fetches the page of its link.
 * @param why why the message needs approval, unless its author has a role in the room; otherwise null
 * @throws RequestError as `store` does, and `limit_reached` if too many messages of the author are pending
 */
export async function storeInTurn<Output extends Stored | { waits: true }>(
  chat: Chat,
  { room, user, why }: { room: string; user: string; why: HoldReason | null },
  store: () => Promise<Output>,
): Promise<Output> {
  const [member] = why === null ? [] : await chat.history.read.membersOf({ room, users: [user] });
  const output = await (member?.role === 'member'
    ? holdInTurn(user, async () => {
        await checkPendingLimit(chat, user);
        return store();
      })
    : store());
  if ('message' in output) chat.previews?.begin(output.message);
  if ('held' in output) chat.previews?.beginPending(output.held);
  return output;
}

/** A message that a user wrote outside the chat. */
export interface OfflineMessage {
  room: string;
  user: string;
  /** The same for each attempt to send this message. */
  clientId: string;
  text: string;
  /** Uploads the files of the message and returns their IDs. Called once the user may write. */
  files?: (author: OfflineAuthor) => Promise<string[]>;
  /** The last message that the user read, outside the chat. If only a thread has it, the message goes there. */
  readSeq?: number | undefined;
  /** When the user decided to write into this room, as Unix ms. A newer room may have its ID. */
  knownAt: number;
}

/**
 * Sends a message that a user wrote outside the chat, with the rights that the user has now. A repeated call with the
 * same `clientId` has no effect.
 * @throws RequestError as for `message:send`, `unknown_room` also if another room has the ID now
 */
export async function sendOffline(
  chat: Chat,
  { room, user, clientId, text, files, readSeq, knownAt }: OfflineMessage,
): Promise<'sent' | 'held' | 'repeated'> {
  const { history, directory, limits } = chat;
  // Another server may have stored a ban.
  await history.current();
  if (directory.banOf(user) !== null) throw new RequestError('forbidden', 'the user is banned from the site');
  const author = await findAuthor(chat, user);
  const record = await findReadableRoom(history, room, user);
  if (record === undefined || record.createdAt > knownAt) throw new RequestError('unknown_room');
  const read = readSeq === undefined ? undefined : await findVisible(chat, record, readSeq);
  const input = {
    ...{ room, clientId, text },
    user: { id: author.id, name: author.name },
    ...(read?.threadOnly === undefined ? {} : { replyTo: read.seq, threadOnly: true as const }),
    preview: pageToPreview(chat, author, text),
    sentAt: Date.now(),
    asMember: true,
    siteModerator: moderatesSite(author),
    // The author may be offline, and has perhaps not read the whole room. The ID identifies the content, because the
    // files of a repeat have other IDs.
    waited: { files: [], digest: clientId },
  };
  const earlier = await history.probe.hold({ ...input, why: null, asMember: false });
  if (earlier !== null) return 'repeated';
  checkText(text, limits.text, files !== undefined);
  if (readSeq !== undefined) await history.write.markRead({ room, user, seq: readSeq });
  const chosen = (await files?.(author)) ?? [];
  checkText(text, limits.text, chosen.length > 0);
  const message = { ...input, files: chosen.length === 0 ? undefined : chosen.map((id) => ({ id })) };
  const why = await findHoldReason(chat, { identity: author }, { record }, message);
  const output = await storeInTurn(chat, { room, user, why }, () => history.write.hold({ ...message, why }));
  if (output.repeated) return 'repeated';
  return 'held' in output ? 'held' : 'sent';
}
