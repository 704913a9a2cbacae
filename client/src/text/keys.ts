/**
 * Whether the key is for an input method, which composes Chinese, Japanese or accents: Enter chooses a word, Esc
 * discards it. Safari sends this key after the composition ended, and only the key code tells.
 */
export const composes = ({ isComposing, keyCode }: KeyboardEvent): boolean => isComposing || keyCode === 229;

/** Whether the key is an Enter of the user, not of the input method. */
export const confirms = (event: KeyboardEvent): boolean => event.key === 'Enter' && !composes(event);
