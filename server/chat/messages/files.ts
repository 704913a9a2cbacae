import { isBanned, isReserved, otherOf, type StoredFile } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import { decidesIn, isVisitor, mayRead, memberBySession, rightsIn } from '../access.ts';
import type { Chat } from '../chat.ts';
import { showsPicture } from '../invites.ts';
import { refusalByMute } from '../members.ts';
import type { SessionIdentity } from '../model.ts';

/**
 * Checks that the user may upload files to the room now.
 * @param isPicture the file is the new picture of the room, not a file for a message
 * @throws RequestError `unknown_room`, `forbidden`, `muted`
 */
export async function mayUpload(
  { history, directory }: Chat,
  identity: SessionIdentity,
  room: string,
  isPicture = false,
): Promise<void> {
  // Another server may have stored a ban or a mute.
  await history.current();
  if (directory.banOf(identity.id) !== null || isVisitor(identity)) throw new RequestError('forbidden');
  // Both are read for a missing room too, so that the time does not reveal whether the room exists.
  const [record, [stored]] = await Promise.all([
    history.read.room({ room, bare: true }),
    history.read.membersOf({ room, users: [identity.id] }),
  ]);
  const member = record === null ? undefined : memberBySession(record, stored, identity);
  if (record === null || !mayRead(record, member, isBanned(stored))) throw new RequestError('unknown_room');
  if (!rightsIn(record, { roles: identity.roles, member }).includes(isPicture ? 'update' : 'send'))
    throw new RequestError('forbidden');
  const partner = otherOf(record.pair, identity.id);
  // Read even if the partner is connected, so that the time does not reveal the partner's presence.
  if (partner !== undefined && (await history.read.hasBlocked({ user: partner, other: identity.id })))
    throw new RequestError('forbidden');
  const refused = refusalByMute({ directory }, room, identity.id);
  if (refused !== null) throw refused;
}

/**
 * Returns a file in a room that the user may read now: an own file, an attached file, or a file of a message whose
 * approval the user may decide. Null also for own files in a room that the user lost, so that the room's existence is
 * not revealed.
 * @param invite the digest of an invite link, for the picture of its room
 */
export async function fileFor(
  chat: Chat,
  identity: SessionIdentity,
  id: string,
  invite?: string,
): Promise<Pick<StoredFile, 'about' | 'stored'> | null> {
  const { history, directory } = chat;
  const found = await history.read.file({ id, user: identity.id });
  if (found === null || directory.banOf(identity.id) !== null) return null;
  const { file, room, member } = found;
  if (invite !== undefined && !isVisitor(identity)) {
    if (await showsPicture(chat, { user: identity.id, digest: invite, file: id })) return file;
  }
  const now = memberBySession(room, member, identity);
  if (!directory.isOpenTo(identity.id, room.id) || !mayRead(room, now, isBanned(member))) return null;
  const decides = decidesIn(room, { roles: identity.roles, member: now }, isBanned(member));
  const isShown = file.user === identity.id || file.state === 'carried' || (isReserved(file) && decides);
  return isShown ? file : null;
}
