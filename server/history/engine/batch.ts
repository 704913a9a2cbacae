import { RequestError } from '../../wire/errors.ts';
import type { Change } from '../records/changes.ts';
import { forget } from './change-log.ts';
import type { Asking } from './dialect.ts';
import { load } from './load.ts';
import { store } from './store.ts';
import { Missing, type Operation, type Subjects, Work, type WriteContext, wouldChange } from './work.ts';

/** A call of an operation. */
export interface Call {
  /** The name of a write. */
  op: string;
  input: unknown;
  /** Set to check without effect whether the call would change something: see `History.probe`. */
  probe?: boolean | undefined;
  asker?: string | undefined;
}

export type Outcome = { value: unknown } | { error: RequestError };

/** The results of a transaction. `changed`: there is something to commit. */
export interface Done {
  outcomes: Outcome[];
  changes: Change[];
  changed: boolean;
}

type OperationCall = { op: string; input: unknown };

/** The approximate size of one reaction in a statement, in characters. */
const charactersPerReaction = 100;

/**
 * Returns how many of the calls form the next transaction; at least one.
 * @param most limits: operations, and characters of their texts
 */
export function batchOf(
  { rules }: Subjects,
  calls: readonly OperationCall[],
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

function charactersOf({ op, input }: OperationCall): number {
  if (op === 'broadcast') return JSON.stringify(input).length;
  const { text = '', reactions = [] } = (input ?? {}) as { text?: string; reactions?: readonly unknown[] };
  return text.length + reactions.length * charactersPerReaction;
}

/**
 * Runs operations in an open transaction: loads the data that their rules need, runs the rules and writes the
 * results. The caller ends the transaction.
 */
export function* runBatch(
  context: WriteContext & { digestKey: Uint8Array },
  calls: readonly Call[],
): Asking<Done> {
  const { transaction, subjects, digestKey, kept } = context;
  const work = new Work(subjects, digestKey);
  yield* load(
    context,
    work,
    calls.flatMap(({ op, input }) => ruleOf(context, op).needs(input as never)),
  );
  yield* transaction.flush();
  const outcomes: Outcome[] = [];
  const changes: Change[] = [];
  for (const call of calls) outcomes.push(yield* perform(context, call, work, changes));
  const changed = work.changes > 0 || changes.length > 0;
  if (changed) yield* store(context, work);
  if (kept !== undefined) subjects.keep(work, kept);
  if (calls.some(({ op }) => op === 'consume' || op === 'keepConsumers')) {
    yield* transaction.flush();
    yield* forget(context.dialect);
  }
  return { outcomes, changes, changed };
}

/** Runs one operation. A RequestError is its outcome. Any other error rolls back the whole transaction. */
function* perform(context: WriteContext, call: Call, work: Work, changes: Change[]): Asking<Outcome> {
  const { op, input, asker } = call;
  const rule = ruleOf(context, op);
  const changesBefore = changes.length;
  for (;;) {
    work.begin(call.probe);
    try {
      const value = rule.run(work, input as never, changes);
      if (asker !== undefined) for (const change of changes.slice(changesBefore)) change.asker = asker;
      return { value };
    } catch (error) {
      work.undo();
      changes.length = changesBefore;
      if (error === wouldChange) return { value: null };
      if (error instanceof RequestError) return { error };
      if (!(error instanceof Missing)) throw error;
      yield* load(context, work, [error.need]);
    }
  }
}

function ruleOf({ subjects }: WriteContext, op: string): Operation {
  const rule = subjects.rules[op];
  if (rule === undefined) throw new Error(`the history has no write called ${op}`);
  return rule;
}
