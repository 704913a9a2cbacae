import { RequestError } from '../../wire/errors.ts';
import type { Message, Question, QuestionAbout, User } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import { nameToShow } from '../moderation/hold-settings.ts';
import { pageOfQuestions, shown, storeQuestion } from './questions.ts';
import { teamName } from './team.ts';

// Questions as the PHP application opens, lists and closes them.

/** Questions on a page. */
const pageSize = 100;

/** @throws RequestError `bad_request` without CHAT_TEAM */
function requireOn({ team }: Chat): void {
  if (!team.isOn)
    throw new RequestError('bad_request', 'this server has no team for questions: set CHAT_TEAM');
}

/** Asks the team in the name of a user. Does not check the user's rights, because the site requests it. */
export async function ask(
  chat: Chat,
  { user, ...asked }: { user: User; text: string; clientId: string; about?: QuestionAbout | undefined },
): Promise<{ room: Question; message: Message; repeated: boolean }> {
  requireOn(chat);
  const named = { id: user.id, name: nameToShow(chat.hold, user) };
  const { room, message, repeated } = await storeQuestion(chat, { ...asked, user: named });
  return { room: shown(room), message: chat.directory.messageOf(message), repeated };
}

export async function list(
  chat: Chat,
  query: { which: 'unassigned' | 'all' | 'closed'; cursor?: string | undefined },
): Promise<{ questions: Question[]; next?: string | undefined }> {
  requireOn(chat);
  return pageOfQuestions(chat, '', { ...query, limit: pageSize });
}

export async function close(chat: Chat, room: string): Promise<{ question: Question }> {
  requireOn(chat);
  const closed = await chat.history.write.closeQuestion({ room, team: teamName, at: Date.now() });
  return { question: shown(closed.room) };
}
