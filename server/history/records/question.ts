import type { QuestionAbout, User } from '../../wire/events.ts';
import type { ColumnName, Row, Value } from './columns.ts';

/**
 * The start of the IDs of questions. Guests may open no other rooms that are not public, so that it must be known
 * without the record. Other IDs of users' rooms are shorter.
 */
export const questionId = 'u-question-';

export const isQuestionId = (room: string): boolean => room.startsWith(questionId);

/** The name of a question that has no text of its asker, such as after an erasure. */
export const unnamedQuestion = 'Question';

/** A question to a team of the site. Its room is private: askers have the role `member`, the team `moderator`. */
export interface RoomQuestion {
  team: string;
  /** Who asks, with the name at that time. Absent after an erasure. */
  asker?: User | undefined;
  /** Set if the asker had a question already, which `askTeam` continues, when claiming this one. */
  isSecond?: true | undefined;
  /** The member of the team who has the question, with the name at that time. */
  by?: User | undefined;
  /** When it was last opened, as Unix ms; 0 before its first message. */
  openedAt: number;
  /** The first message of the asker after the last one of the team. Absent after an answer. */
  waitingAt?: number | undefined;
  /** The first answer after it was last opened. */
  answeredAt?: number | undefined;
  /** Absent while it is open. */
  closedAt?: number | undefined;
  /** The last message. */
  lastAt: number;
  about?: QuestionAbout | undefined;
  /** Whether the asker, a guest, gave a mail address, and answered a mail from it. */
  address?: 'given' | 'verified' | undefined;
}

/** The columns of the fields that are stored as they are. */
const ownColumns: Readonly<
  Record<Exclude<keyof RoomQuestion, 'asker' | 'isSecond' | 'by' | 'about'>, ColumnName>
> = {
  team: 'team',
  openedAt: 'opened_at',
  waitingAt: 'waiting_at',
  answeredAt: 'answered_at',
  closedAt: 'closed_at',
  lastAt: 'last_at',
  address: 'reachable',
};

const ownFields = Object.entries(ownColumns) as [keyof typeof ownColumns, ColumnName][];

/** The columns of a question in the row of its room. */
export const questionColumns: readonly {
  readonly column: ColumnName;
  value(question: RoomQuestion): Value | undefined;
}[] = [
  ...ownFields.map(([field, column]) => ({ column, value: (question: RoomQuestion) => question[field] })),
  // The index allows one question for each asker.
  { column: 'asker', value: ({ asker, isSecond }) => (isSecond ? undefined : asker?.id) },
  { column: 'second_asker', value: ({ asker, isSecond }) => (isSecond ? asker?.id : undefined) },
  { column: 'asker_name', value: ({ asker }) => asker?.name },
  { column: 'assigned', value: ({ by }) => by?.id },
  { column: 'assigned_name', value: ({ by }) => by?.name },
  { column: 'about', value: ({ about }) => about && JSON.stringify(about) },
];

/** Reads the question from the row of a room. Undefined for other rooms. */
export function questionFrom(row: Row): RoomQuestion | undefined {
  if (row.team === null) return undefined;
  const person = (id: unknown, name: unknown) =>
    id === null ? undefined : { id: id as string, name: name as string };
  return {
    ...(Object.fromEntries(ownFields.map(([field, column]) => [field, row[column] ?? undefined])) as Pick<
      RoomQuestion,
      keyof typeof ownColumns
    >),
    asker: person(row.asker ?? row.second_asker, row.asker_name),
    ...(row.second_asker === null ? {} : { isSecond: true }),
    by: person(row.assigned, row.assigned_name),
    about: row.about === null ? undefined : (JSON.parse(row.about as string) as QuestionAbout),
  };
}

/** Removes a user from a question, and the name of the room, which is the asker's text. */
export function withoutUserInQuestion<Room extends { name: string; question?: RoomQuestion }>(
  room: Room,
  user: string,
): Room {
  if (room.question === undefined) return room;
  const { asker, isSecond, by, about, ...rest } = room.question;
  const isAsker = asker?.id === user;
  const question = {
    ...rest,
    ...(isAsker ? {} : { asker, isSecond, about }),
    ...(by?.id === user ? {} : { by }),
  };
  return { ...room, ...(isAsker ? { name: '' } : {}), question };
}
