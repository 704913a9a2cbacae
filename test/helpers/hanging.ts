/** Milliseconds after which a wait counts as hanging: ten times the time on a slow, busy machine. */
export const hanging = 60_000;
