/**
 * Milliseconds after which what is waited for counts as hanging: ten times what it takes on a slow machine that is busy
 * with other things.
 */
export const hanging = 60_000;
