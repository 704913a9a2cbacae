import { erasureConsumer, type History, type Writes } from '../../server/history/history.ts';

type Step = Writes['eraseStep']['out'];

/**
 * Returns a function that runs the next step of the erasures on one server. The first step takes the lease. No
 * connections are closed.
 */
export function erasureSteps(history: History, by = 'one', at = Date.now()): () => Promise<Step> {
  let kicked: string | undefined;
  let isHeld = false;
  return async () => {
    if (!isHeld) await holdErasures(history, by);
    isHeld = true;
    const step = await history.write.eraseStep({ by, at, kicked });
    kicked = step?.kick ? step.user : undefined;
    return step;
  };
}

/** Takes the lease of the erasures for the time of a test. `lease: 0` releases it. */
export async function holdErasures(history: History, by: string, lease = 3_600_000): Promise<void> {
  await history.write.consume({ name: erasureConsumer, by, types: ['erasing'], lease, most: 0 });
}

/** Runs all erasures. @returns how often connections had to be closed */
export async function carryOutErasures(history: History, by?: string, at?: number): Promise<number> {
  const next = erasureSteps(history, by, at);
  let kicks = 0;
  for (let step = await next(); step !== null; step = await next()) if (step.kick) kicks++;
  return kicks;
}
