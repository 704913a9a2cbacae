import type { Rule as Operation } from '../engine/work.ts';
import type { Writes } from '../history.ts';

export type Rule<Op extends keyof Writes> = Operation<Writes[Op]['in'], Writes[Op]['out']>;
