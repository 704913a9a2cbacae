import { RequestError } from '../../wire/errors.ts';
import type { Answers, RequestPayload } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import type { Connection } from '../model.ts';

export async function block(
  { history }: Chat,
  connection: Connection,
  { user: other, blocked }: RequestPayload<'user:block'>,
): Promise<Answers['user:block']> {
  const user = connection.person.user.id;
  if (other === user) throw new RequestError('bad_request', 'nobody blocks himself');
  await history.write.block({ user, other, blocked, at: Date.now() }, connection.id);
  return {};
}

/** The users this user has blocked. Blocking reveals no name that the user may not know. */
export async function blockedBy(
  { history, directory }: Chat,
  { person }: Connection,
): Promise<Answers['user:blocked']> {
  const ids = [...person.blocked];
  const [known, near] = await Promise.all([
    history.read.users({ ids }),
    history.read.sharesRoom({ user: person.user.id, of: ids }),
  ]);
  const names = new Map(
    known
      .filter((user) => directory.isVisible(user, undefined) || near.includes(user.id))
      .map(({ id, name }) => [id, name]),
  );
  return { users: ids.map((id) => ({ id, name: names.get(id) ?? id })) };
}
