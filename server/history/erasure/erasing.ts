import type { Change } from '../changes.ts';
import type { Consume } from '../engine/change-log.ts';
import { consumerNeed, getConsumer } from '../engine/consumers.ts';
import { sql } from '../engine/dialect.ts';
import { type Nothing, type Rule, refuse } from '../engine/rule.ts';
import { type Need, needOf, type ValueLoader, type Work } from '../engine/work.ts';
import { newestMessage, newestMessageNeed } from '../messages/loaded.ts';
import { everybody } from '../messages/message.ts';
import { tellAct } from '../moderation/acts.ts';
import { deletedUser } from '../people/user.ts';
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
} from './erasure.ts';
import { endErasure, erasureOf, lockedErasureNeed, selectErasures, setErasure } from './erasures.ts';
import { findErasable } from './find.ts';
import { steps } from './steps.ts';

export interface ErasureWrites {
  /**
   * From now on this user is being erased: see `eraseStep`. Asked for again, it begins again; what is to be deleted
   * stays so.
   * Codes: `bad_request` (the id of nobody).
   * @param in.messages whether the messages stay, as nobody's, or are deleted
   * @param in.reason for the list of acts alone, which keeps it as long as the act
   */
  erase: {
    in: { user: string; messages: ErasedMessages; actor?: string; reason?: string; at: number };
    out: Nothing;
  };
  /**
   * The next step of an erasure, for the server that holds the lease of the consumer `erasureConsumer`; null for others,
   * and if no erasure is left. `kick`: nothing was done. The user's connections have to be closed first.
   * @param in.kicked the user whose connections were closed since the last step
   */
  eraseStep: { in: { by: string; kicked?: string; at: number }; out: { user: string; kick: boolean } | null };
}

export const erase: Rule<ErasureWrites['erase']> = {
  needs: ({ user }) => [lockedErasureNeed(user)],
  run(work, { user, messages, actor, reason, at }, changes) {
    if (user === deletedUser.id || user === everybody) refuse('bad_request', 'nobody has this id');
    const before = erasureOf(work, user);
    const erases = before?.messages === 'delete' ? 'delete' : messages;
    setErasure(work, { user, messages: erases, at, upTo: 0, stage: 'begin', place: 0 });
    changes.push({ type: 'erasing' });
    tellAct(changes, { kind: 'erased', by: actor, user: deletedUser.id, reason });
    return {};
  },
};

export const eraseStep: Rule<ErasureWrites['eraseStep']> = {
  alone: true,
  needs: ({ by }) => [consumerNeed(leaseOf(by)), openErasureNeed],
  run(work, { by, kicked, at }, changes) {
    if (getConsumer(work, leaseOf(by)).holder !== by) return null;
    const erasure = openErasure(work);
    if (erasure === undefined) return null;
    const { user, stage } = erasure;
    if ((stage === 'begin' || stage === 'person') && kicked !== user) return { user, kick: true };
    // Messages sent before the last old connection was closed are the erased user's; later ones are somebody else's.
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

/** Asks for the lease of the erasures, and takes nothing. */
const leaseOf = (by: string): Consume => ({
  name: erasureConsumer,
  by,
  types: [],
  lease: 0,
  most: 0,
});

/** Deals with what is next in the stage of this erasure. @returns where to go on */
function takeFrom(work: Work, erasure: Erasure, changes: Change[]): number | undefined {
  const { found, next } = erasable(work, erasure);
  // In one order, whatever the database.
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

// A step of an erasure has a transaction of its own, so what the database says is as it is now.

interface OpenErasure {
  /** Absent where there is none to take a step of. */
  erasure?: Erasure;
  /** The next rows of its stages. */
  lists?: ReadonlyMap<ErasureStage, ErasableList>;
}

/** The erasure that is next, with the next rows, and the needs of that step. */
const openErasureLoader: ValueLoader<object, OpenErasure> = {
  name: 'next erasure',
  *find(place, work) {
    const { dialect, transaction } = place;
    const [row] = yield* transaction.query(sql`${selectErasures} ORDER BY user_id LIMIT 1 ${dialect.lock}`);
    if (row === undefined) {
      work.keep(openErasureLoader, {}, {});
      return [];
    }
    const erasure = erasureFrom(row);
    const lists = new Map<ErasureStage, ErasableList>();
    const needs: Need[] = [];
    for (const stage of [...(erasure.stage === 'person' ? stagesAgain : []), erasure.stage]) {
      const list = yield* findErasable(place, { ...erasure, stage });
      lists.set(stage, list);
      needs.push(
        ...(list.found as Erasable[]).flatMap((found) =>
          steps[stage].needs(erasure.user, found, place.subjects.tables),
        ),
      );
    }
    work.keep(openErasureLoader, {}, { erasure, lists });
    // Behind the rooms, which are locked first: what somebody has just written there as their member counts.
    return erasure.stage === 'person' ? [...needs, newestMessageNeed] : needs;
  },
};

const openErasureNeed = needOf(openErasureLoader, {});

const openErasure = (work: Work): Erasure | undefined => work.value(openErasureLoader, {}).erasure;

const erasable = (work: Work, { stage }: Erasure): ErasableList =>
  work.value(openErasureLoader, {}).lists?.get(stage) ?? { found: [] };
