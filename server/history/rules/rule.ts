import type { Rule as Operation } from '../engine/work.ts';

/** The rule of a write. */
export type Rule<Of extends { in: unknown; out: unknown }> = Operation<Of['in'], Of['out']>;
