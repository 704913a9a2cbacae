import { randomBytes } from 'node:crypto';
import { questionId, type RoomRecord, type StoredMessage, unnamedQuestion } from '../../history/history.ts';
import { visibleLine } from '../../text/blank.ts';
import { blocks, words } from '../../text/format.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Answers, Question, QuestionAbout, RequestPayload, User } from '../../wire/events.ts';
import { isGuest } from '../../wire/guest.ts';
import type { Chat } from '../chat.ts';
import { cursorOf, decodeCursor } from '../cursor.ts';
import { requireRoom } from '../directory.ts';
import { checkText, pageToPreview } from '../messages/texts.ts';
import { messageFor } from '../mine.ts';
import { type Connection, userOf } from '../model.ts';
import { summaryAfter } from '../summary.ts';
import { toNote } from './notes.ts';
import { toQuestion } from './shown.ts';
import { isQuestion } from './state.ts';
import { teamName } from './team.ts';

/** Maximum characters of the name of a question. */
const longestName = 80;
/** Open questions are counted up to this number. */
const mostOpenCounted = 1000;

/** Returns the name of a question: the beginning of its text. */
function nameOf(text: string): string {
  const line = visibleLine(
    words(blocks(text))
      .split('\n')
      .find((one) => one.trim() !== '') ?? '',
    longestName,
  );
  return line === '' ? unnamedQuestion : line;
}

/** Stores what an asker wrote. */
export async function storeQuestion(
  chat: Chat,
  {
    user,
    text,
    clientId,
    about,
  }: { user: User; text: string; clientId: string; about?: QuestionAbout | undefined },
  connection?: string,
): Promise<{ room: RoomRecord; message: StoredMessage; repeated: boolean }> {
  const { history, previews, limits, cards } = chat;
  checkText(text, limits.text);
  const output = await history.write.askTeam(
    {
      id: `${questionId}${randomBytes(16).toString('base64url')}`,
      team: teamName,
      user,
      name: nameOf(text),
      ...{ text, clientId, about },
      preview: pageToPreview(chat, user, text),
      // Guests cannot send cards.
      card: cards === undefined || isGuest(user.id) ? undefined : about?.card,
      at: Date.now(),
    },
    connection,
  );
  if (!output.repeated) previews?.begin(output.message);
  return output;
}

export async function ask(
  chat: Chat,
  connection: Connection,
  payload: RequestPayload<'question:ask'>,
): Promise<{ answer: Answers['question:ask']; repeated: boolean }> {
  const { directory } = chat;
  const { person } = connection;
  const asked = { ...payload, user: userOf(connection) };
  const { room, message, repeated } = await storeQuestion(chat, asked, connection.id);
  const found = requireRoom(directory.find(person, room.id));
  const answer = {
    room: summaryAfter(directory, found, connection),
    message: await messageFor(chat, person, message),
  };
  return { answer, repeated };
}

/** Returns a page of questions. @param user whose questions are `mine` */
export async function pageOfQuestions(
  { history }: Pick<Chat, 'history'>,
  user: string,
  { which, cursor, limit }: RequestPayload<'question:list'>,
): Promise<Omit<Answers['question:list'], 'counts'>> {
  const [group, key, room] =
    cursor === undefined ? [] : decodeCursor(cursor, ['count', 'number', 'string'] as const);
  const after = group === undefined ? undefined : { group, key: key as number, room: room as string };
  const page = await history.read.questions({ team: teamName, which, user, after, limit });
  const { next } = page;
  return {
    questions: page.rooms.filter(isQuestion).map(toQuestion),
    next: next && cursorOf([next.group, next.key, next.room]),
  };
}

export async function listQuestions(
  chat: Chat,
  user: string,
  payload: RequestPayload<'question:list'>,
): Promise<Answers['question:list']> {
  const counts = await chat.history.read.countQuestions({ team: teamName, user, most: mostOpenCounted });
  return { ...(await pageOfQuestions(chat, user, payload)), counts };
}

const actingOn = (connection: Connection, room: string) => ({
  room,
  team: teamName,
  user: userOf(connection),
  at: Date.now(),
});

export async function openQuestion(
  chat: Chat,
  connection: Connection,
  { question: id }: RequestPayload<'question:open'>,
): Promise<Answers['question:open']> {
  const { history, directory } = chat;
  const { room } = await history.write.openQuestion(actingOn(connection, id), connection.id);
  const [notes, members] = await Promise.all([history.read.notes({ room: id }), chat.team.members()]);
  const found = requireRoom(directory.find(connection.person, id));
  return {
    room: summaryAfter(directory, found, connection),
    question: shown(room),
    notes: notes.map(toNote),
    team: [...members],
  };
}

/** Assigns a question to the user, or with `to` to another member of the team. */
export async function assignQuestion(
  { history, team }: Chat,
  connection: Connection,
  { question, to }: { question: string; to?: string },
): Promise<Answers['question:take']> {
  if (to !== undefined && !(await team.canHave(to))) throw new RequestError('unknown_user');
  const acting = actingOn(connection, question);
  try {
    const { room } = await history.write.assignQuestion({ ...acting, to }, connection.id);
    return { question: shown(room) };
  } catch (error) {
    const isTaken = error instanceof RequestError && error.code === 'conflict';
    if (!isTaken || error.current === undefined) throw error;
    const taken = shown(error.current as RoomRecord);
    throw new RequestError('conflict', `${taken.by?.name} has the question`, { fields: { question: taken } });
  }
}

export async function closeQuestion(
  { history }: Chat,
  connection: Connection,
  { question }: RequestPayload<'question:close'>,
): Promise<Answers['question:close']> {
  const { room } = await history.write.closeQuestion(actingOn(connection, question), connection.id);
  return { question: shown(room) };
}

/** Returns a question as the team sees it. @throws RequestError `unknown_room` if the room is not a question */
export function shown(room: RoomRecord): Question {
  if (!isQuestion(room)) throw new RequestError('unknown_room');
  return toQuestion(room);
}

/** Makes the question of a guest that of the user, who has the guest's secret. */
export async function claim(
  chat: Chat,
  connection: Connection,
  { guest }: RequestPayload<'question:claim'>,
): Promise<Answers['question:claim']> {
  const { history, directory, guestOf } = chat;
  if (guestOf === undefined) return {};
  const input = { guest: guestOf(guest), user: userOf(connection), team: teamName, at: Date.now() };
  const { room } = await history.write.claimQuestion(input, connection.id);
  // Other tabs must not ask as the guest, whose secret the browser forgets.
  await chat.everywhere(input.guest, { is: 'kick' });
  if (room === null) return {};
  const found = requireRoom(directory.find(connection.person, room.id));
  return { room: summaryAfter(directory, found, connection) };
}
