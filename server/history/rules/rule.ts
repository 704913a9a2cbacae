import type { Need, Work } from '../engine/work.ts';
import type { Change, Writes } from '../history.ts';

/** A rule checks everything before it changes anything, so that a rule that throws has changed nothing. */
export interface Rule<Op extends keyof Writes> {
  /**
   * The data that the rule needs, as far as its input says, so that a transaction loads it for all of its operations at
   * once. Data that is missing here is still found, at the cost of a statement and another run of the rule.
   */
  needs(input: Writes[Op]['in']): Need[];
  run(work: Work, input: Writes[Op]['in'], changes: Change[]): Writes[Op]['out'];
}
