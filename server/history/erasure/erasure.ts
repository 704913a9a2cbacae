import type { Row } from '../engine/table.ts';

/** The consumer of the log of changes that erases users: its holder takes the steps. */
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

/** Of `erasures`. */
export const erasureColumns = ['user_id', 'erases', 'asked_at', 'up_to', 'stage', 'place'] as const;

/** Their values. */
export function erasureRow({ user, messages, at, upTo, stage, place }: Erasure) {
  return [user, messages, at, upTo, stage, place];
}

/**
 * The stages of an erasure, in their order. Until `person` the user is taken out of everything that makes somebody of a
 * session, so that one who comes later is a new user; what that one writes is of nobody who is being erased.
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
  // Later than the messages, of which others may forward copies until then.
  'forwards',
  // Later than both, which reports copy until then.
  'reports',
  // Later than messages and reports: acts name their authors.
  'log',
  'audit',
  'resets',
] as const;

export type ErasureStage = (typeof erasureStages)[number];

/**
 * The stages that are repeated with `person`: the user, or somebody who named the user, may have been here since, and
 * the last connections are closed only then.
 */
export const stagesAgain = erasureStages.slice(1, erasureStages.indexOf('person'));

/** Whether the user is still there: what is stored for that id belongs to whoever is being erased. */
export function isBeforeEnd({ stage }: Pick<Erasure, 'stage'>): boolean {
  return erasureStages.indexOf(stage) <= erasureStages.indexOf('person');
}

/** How far the erasure of a user has come. */
export interface Erasure {
  user: string;
  messages: ErasedMessages;
  /**
   * When the user ended, and the number of the last message that was there; 0 until then. Clocks may differ, numbers
   * do not.
   */
  at: number;
  upTo: number;
  stage: ErasureStage;
  /** Of stages that walk: where to go on. */
  place: number;
}

/** Something that a stage of an erasure has to do with: what names it depends on the stage. */
export interface Erasable {
  room: string;
  seq: number;
  emoji: string;
  user: string;
  other: string;
  id: string;
}

/** @param next where to go on; absent where nothing is left after these */
export interface ErasableList {
  found: Partial<Erasable>[];
  next?: number;
}
