import type { ErasedMessages } from './history.ts';

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
