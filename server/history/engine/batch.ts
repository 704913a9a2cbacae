import { RequestError } from '../../wire/errors.ts';
import type { Change } from '../changes.ts';
import type { Writes } from '../history.ts';
import { forget } from './change-log.ts';
import type { Asking } from './dialect.ts';
import { load } from './load.ts';
import { store } from './store.ts';
import { Missing, type Operation, type Place, type Subjects, Work, wouldChange } from './work.ts';

/** An operation that is asked for. */
export interface Call {
  op: keyof Writes;
  input: unknown;
  /** Only what the operation would give without a change: see `History.probe`. */
  probe?: boolean | undefined;
  asker?: string | undefined;
}

export type Outcome = { value: unknown } | { error: RequestError };

/** The results of the operations of a transaction. `changed`: there is something to commit. */
export interface Done {
  outcomes: Outcome[];
  changes: Change[];
  changed: boolean;
}

type Asked = { op: string; input: unknown };

/** About so many characters of a statement are those of one reaction. */
const charactersOfReaction = 100;

/**
 * How many of the calls make the next transaction; one at least.
 * @param most operations, and characters of what they hold
 */
export function batchOf(
  { rules }: Subjects,
  calls: readonly Asked[],
  most: { calls: number; characters: number },
): number {
  let characters = 0;
  let size = 0;
  for (const call of calls) {
    characters += charactersOf(call);
    if (rules[call.op]?.alone) return Math.max(size, 1);
    if (size === most.calls || (characters > most.characters && size > 0)) break;
    size++;
  }
  return size;
}

function charactersOf({ op, input }: Asked): number {
  if (op === 'broadcast') return JSON.stringify(input).length;
  const { text = '', reactions = [] } = (input ?? {}) as { text?: string; reactions?: readonly unknown[] };
  return text.length + reactions.length * charactersOfReaction;
}

/**
 * Carries out operations in a transaction that has begun: it loads the data that their rules need, runs the rules, and writes
 * the results along with the statement that ends the transaction.
 */
export function* carryOut(place: Place & { digestKey: Uint8Array }, calls: readonly Call[]): Asking<Done> {
  const { transaction, subjects, digestKey, kept } = place;
  const work = new Work(subjects, digestKey);
  yield* load(
    place,
    work,
    calls.flatMap(({ op, input }) => ruleOf(place, op).needs(input as never)),
  );
  yield* transaction.flush();
  const outcomes: Outcome[] = [];
  const changes: Change[] = [];
  for (const call of calls) outcomes.push(yield* perform(place, call, work, changes));
  const changed = work.changes > 0 || changes.length > 0;
  if (changed) yield* store(place, work);
  if (kept !== undefined) subjects.keep(work, kept);
  if (calls.some(({ op }) => op === 'consume' || op === 'keepConsumers')) {
    yield* transaction.flush();
    yield* forget(place.dialect);
  }
  return { outcomes, changes, changed };
}

/** Carries out one operation. A refusal is an answer; anything else that is thrown undoes the whole transaction. */
function* perform(place: Place, call: Call, work: Work, changes: Change[]): Asking<Outcome> {
  const { op, input, asker } = call;
  const rule = ruleOf(place, op);
  const made = changes.length;
  for (;;) {
    work.begin(call.probe);
    try {
      const value = rule.run(work, input as never, changes);
      if (asker !== undefined) for (const change of changes.slice(made)) change.asker = asker;
      return { value };
    } catch (error) {
      work.undo();
      changes.length = made;
      if (error === wouldChange) return { value: null };
      if (error instanceof RequestError) return { error };
      if (!(error instanceof Missing)) throw error;
      yield* load(place, work, [error.need]);
    }
  }
}

function ruleOf({ subjects }: Place, op: keyof Writes): Operation {
  const rule = subjects.rules[op];
  if (rule === undefined) throw new Error(`the history has no write called ${op}`);
  return rule;
}
