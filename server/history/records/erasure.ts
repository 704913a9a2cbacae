import type { Row } from './columns.ts';

/** The change-log consumer that erases users. The server that holds its lease runs the steps. */
export const erasureConsumer = 'erasure';

/** The treatment of the messages of an erased user. */
export type ErasedMessages = 'anonymise' | 'delete';

export function erasureFrom(row: Row): Erasure {
  return {
    user: row.user_id as string,
    messages: row.erases as Erasure['messages'],
    at: row.asked_at as number,
    upTo: row.up_to as number,
    stage: row.stage as Erasure['stage'],
    place: row.place as number,
  };
}

/** The columns of `chat_erasures`. */
export const erasureColumns = ['user_id', 'erases', 'asked_at', 'up_to', 'stage', 'place'] as const;

/** Returns the values of `erasureColumns`. */
export function erasureRow({ user, messages, at, upTo, stage, place }: Erasure) {
  return [user, messages, at, upTo, stage, place];
}

/**
 * The stages of an erasure, in order. The stages up to `person` delete the user and everything that a session with the
 * same ID would get. After them, a session with this ID is a new user, whose data is not erased.
 */
export const erasureStages = [
  'begin',
  'directs',
  'members',
  'made',
  'restricted',
  'rows',
  'files',
  'person',
  'held',
  'reactions',
  'mentions',
  'messages',
  // After `messages`, because users can forward these messages until then.
  'forwards',
  // After `messages` and `forwards`, because new reports can copy these messages until then.
  'reports',
  // After messages and reports, because audit entries name their authors.
  'log',
  'audit',
  'resets',
] as const;

export type ErasureStage = (typeof erasureStages)[number];

/**
 * The stages that are repeated together with `person`, when the last connections are closed. Until then, the user or
 * users who name this user may have stored new rows.
 */
export const stagesAgain = erasureStages.slice(1, erasureStages.indexOf('person'));

/** Whether the user still exists, so that new data for this ID belongs to the user who is being erased. */
export function isBeforeEnd({ stage }: Pick<Erasure, 'stage'>): boolean {
  return erasureStages.indexOf(stage) <= erasureStages.indexOf('person');
}

/** The state of an erasure. */
export interface Erasure {
  user: string;
  messages: ErasedMessages;
  /**
   * `at`: the time of the request, and after `person` the time of that stage, in Unix ms. `upTo`: the newest message at
   * that stage; 0 before. Later messages are not erased. Decided by number, because the clocks of servers may differ.
   */
  at: number;
  upTo: number;
  stage: ErasureStage;
  /** Where a stage that scans continues. */
  place: number;
}

/** A row that a stage must process. The stage determines which fields identify it. */
export interface Erasable {
  room: string;
  seq: number;
  emoji: string;
  user: string;
  other: string;
  id: string;
}

/** The next rows of a stage. `next`: where the stage continues; absent if these are the last rows. */
export interface ErasableList {
  found: Partial<Erasable>[];
  next?: number;
}
