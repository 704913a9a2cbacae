import { composes } from './keys.ts';

/**
 * Returns the letter or sign of a key that is pressed without modifiers and outside of a field. If the keyboard layout
 * has another script, returns the Latin letter at this position in other layouts.
 */
export function plainKey(event: KeyboardEvent): string | undefined {
  const { key, code, ctrlKey, altKey, metaKey } = event;
  if (event.defaultPrevented || ctrlKey || altKey || metaKey || composes(event) || event.repeat)
    return undefined;
  const [target] = event.composedPath() as Partial<Element>[];
  if (target?.matches?.('input, textarea, select') === true) return undefined;
  if (key.length !== 1) return undefined;
  return /[!-~]/.test(key) ? key.toLowerCase() : code.replace(/^Key/, '').toLowerCase();
}
