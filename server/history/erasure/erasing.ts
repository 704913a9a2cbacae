import { tellAct } from '../audit.ts';
import type { Consume } from '../engine/change-log.ts';
import { consumerNeed, getConsumer } from '../engine/consumers.ts';
import { sql } from '../engine/dialect.ts';
import { type Nothing, type Rule, refuse } from '../engine/rule.ts';
import { type None, subject } from '../engine/subject.ts';
import { type Need, needOf, type ValueLoader, type Work } from '../engine/work.ts';
import type { Change } from '../records/changes.ts';
import {
  type Erasable,
  type ErasableList,
  type ErasedMessages,
  type Erasure,
  type ErasureStage,
  erasureConsumer,
  erasureFrom,
  erasureStages,
  stagesAgain,
} from '../records/erasure.ts';
import { everybody } from '../records/message.ts';
import { deletedUser } from '../records/user.ts';
import { endErasure, erasureOf, lockedErasureNeed, selectErasures, setErasure } from '../rows/erasures.ts';
import { newestMessage, newestMessageNeed } from '../rows/messages.ts';
import { findErasable } from './find.ts';
import { steps } from './steps.ts';

export interface ErasureWrites {
  /**
   * Requests the erasure of a user, which `eraseStep` runs. A repeated request starts the erasure again; `delete` stays
   * in effect even if the second request says `anonymise`. Codes: `bad_request` (the ID of deleted users, or of @all).
   * @param in.messages whether messages are deleted, or only lose their author
   * @param in.reason stored only in the audit entry
   */
  erase: {
    in: { user: string; messages: ErasedMessages; actor?: string; reason?: string; at: number };
    out: Nothing;
  };
  /**
   * Runs the next step of an erasure, if server `by` holds the lease of the consumer `erasureConsumer`. Null if it does
   * not, or if no erasure is left. `kick`: no step ran, because the user's connections must be closed first.
   * @param in.kicked the user whose connections were closed after the last step
   */
  eraseStep: { in: { by: string; kicked?: string; at: number }; out: { user: string; kick: boolean } | null };
}

const erase: Rule<ErasureWrites['erase']> = {
  needs: ({ user }) => [lockedErasureNeed(user)],
  run(work, { user, messages, actor, reason, at }, changes) {
    if (user === deletedUser.id || user === everybody) refuse('bad_request', 'this ID is reserved');
    const before = erasureOf(work, user);
    const erases = before?.messages === 'delete' ? 'delete' : messages;
    setErasure(work, { user, messages: erases, at, upTo: 0, stage: 'begin', place: 0 });
    changes.push({ type: 'erasing' });
    tellAct(changes, { kind: 'erased', by: actor, user: deletedUser.id, reason });
    return {};
  },
};

const eraseStep: Rule<ErasureWrites['eraseStep']> = {
  alone: true,
  needs: ({ by }) => [consumerNeed(leaseOf(by)), openErasureNeed],
  run(work, { by, kicked, at }, changes) {
    if (getConsumer(work, leaseOf(by)).holder !== by) return null;
    const erasure = openErasure(work);
    if (erasure === undefined) return null;
    const { user, stage } = erasure;
    if ((stage === 'begin' || stage === 'person') && kicked !== user) return { user, kick: true };
    // All old connections are closed, so later messages with this author belong to a new user of the same ID.
    const ended = stage === 'person' ? { ...erasure, at, upTo: newestMessage(work) } : erasure;
    if (
      stage === 'person' &&
      !stagesAgain.every((one) => takeFrom(work, { ...ended, stage: one }, changes) === undefined)
    ) {
      setErasure(work, { ...erasure, stage: 'directs', place: 0 });
      return { user, kick: false };
    }
    const next = takeFrom(work, ended, changes);
    const later = erasureStages[erasureStages.indexOf(stage) + 1];
    if (next !== undefined) setErasure(work, { ...ended, place: next });
    else if (later === undefined) endErasure(work, user);
    else setErasure(work, { ...ended, stage: later, place: 0 });
    return { user, kick: false };
  },
};

/** Requests the state of the erasure consumer, without entries. */
const leaseOf = (by: string): Consume => ({
  name: erasureConsumer,
  by,
  types: [],
  lease: 0,
  most: 0,
});

/** Processes the next rows of the erasure's stage. @returns where the stage continues; undefined if it is complete */
function takeFrom(work: Work, erasure: Erasure, changes: Change[]): number | undefined {
  const { found, next } = erasable(work, erasure);
  // Sorted, so that all databases process the rows in the same order.
  for (const one of (found as Erasable[]).sort(inOrder))
    steps[erasure.stage].run(work, erasure, one, changes);
  return next;
}

function inOrder(a: Partial<Erasable>, b: Partial<Erasable>): number {
  const bySeq = (a.seq ?? 0) - (b.seq ?? 0);
  for (const name of ['room', 'user', 'other', 'id', 'emoji'] as const) {
    const [one = '', other = ''] = [a[name], b[name]];
    if (one !== other) return one < other ? -1 : 1;
    if (name === 'room' && bySeq !== 0) return bySeq;
  }
  return 0;
}

// A step of an erasure runs in its own transaction, so query results are current.

interface OpenErasure {
  /** Absent if no erasure is left. */
  erasure?: Erasure;
  /** The next rows, by stage. */
  lists?: ReadonlyMap<ErasureStage, ErasableList>;
}

/** Finds the next erasure and its next rows, and returns the needs of that step. */
const openErasureLoader: ValueLoader<object, OpenErasure> = {
  name: 'next erasure',
  *find(context, work) {
    const { dialect, transaction } = context;
    const [row] = yield* transaction.query(sql`${selectErasures} ORDER BY user_id LIMIT 1 ${dialect.lock}`);
    if (row === undefined) {
      work.keep(openErasureLoader, {}, {});
      return [];
    }
    const erasure = erasureFrom(row);
    const lists = new Map<ErasureStage, ErasableList>();
    const needs: Need[] = [];
    for (const stage of [...(erasure.stage === 'person' ? stagesAgain : []), erasure.stage]) {
      const list = yield* findErasable(context, { ...erasure, stage });
      lists.set(stage, list);
      needs.push(
        ...(list.found as Erasable[]).flatMap((found) =>
          steps[stage].needs(erasure.user, found, context.subjects.tables),
        ),
      );
    }
    work.keep(openErasureLoader, {}, { erasure, lists });
    // Read after the rooms are locked, so that it includes messages that members of these rooms have just sent.
    return erasure.stage === 'person' ? [...needs, newestMessageNeed] : needs;
  },
};

const openErasureNeed = needOf(openErasureLoader, {});

const openErasure = (work: Work): Erasure | undefined => work.value(openErasureLoader, {}).erasure;

const erasable = (work: Work, { stage }: Erasure): ErasableList =>
  work.value(openErasureLoader, {}).lists?.get(stage) ?? { found: [] };

export const erasureSubject = subject<ErasureWrites, None>({
  rules: { erase, eraseStep },
  reads: {},
});
