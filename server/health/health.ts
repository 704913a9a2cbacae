import { type Finding, problem, warning } from 'php-sessions/doctor';
import type { Part } from '../http/metrics.ts';
import { Arrivals } from './arrivals.ts';

/** A check of something that the server needs. */
export interface Check {
  /** The name in `/readyz`. Absent if the server can serve users without it. */
  part?: Part;
  works(): boolean | Promise<boolean>;
  /** Describes the result for the owner. Undefined if there is nothing to say. */
  describe(works: boolean): Finding | undefined | Promise<Finding | undefined>;
}

/**
 * What the running server knows about itself. `/readyz`, the metrics and the doctor show it, so they cannot disagree.
 * The parts of the server add their checks when they open.
 */
export class Health {
  readonly arrivals: Arrivals;
  /** What is renewed in the background after an upgrade: see `foldingVersion`. */
  readonly renewing = new Set<'search index' | 'search keys of users'>();
  readonly #checks: Check[] = [];
  #missing: Promise<Part[]> | undefined;

  /** @param settings the settings that the arriving requests are compared with */
  constructor(settings: ConstructorParameters<typeof Arrivals>[0]) {
    this.arrivals = new Arrivals(settings);
  }

  add(check: Check): void {
    this.#checks.push(check);
  }

  /** Returns the parts that this server lacks to be ready. Calls during a check share its result. */
  missing(): Promise<Part[]> {
    this.#missing ??= this.#findMissing().finally(() => {
      this.#missing = undefined;
    });
    return this.#missing;
  }

  async #findMissing(): Promise<Part[]> {
    const parts = await Promise.all(
      this.#checks.map(async (check) => {
        if (check.part === undefined) return [];
        try {
          return (await check.works()) ? [] : [check.part];
        } catch {
          // `findings` reports the error.
          return [check.part];
        }
      }),
    );
    return parts.flat();
  }

  /** Checks everything. A check that fails is a finding of its own. */
  async findings(): Promise<Finding[]> {
    const found = await Promise.all(
      this.#checks.map(async (check) => {
        try {
          return (await check.describe(await check.works())) ?? [];
        } catch (error) {
          const { part = 'other' } = check;
          return problem(`A check of the server failed (${part}): ${(error as Error).message}.`);
        }
      }),
    );
    return [...found.flat(), ...this.#renewals(), ...this.arrivals.findings()];
  }

  #renewals(): Finding[] {
    if (this.renewing.size === 0) return [];
    const what = [...this.renewing].join(' and the ');
    return [
      warning(
        `The server renews the ${what} after an upgrade, so searches take longer.`,
        'Wait. A restart continues the renewal.',
      ),
    ];
  }
}
