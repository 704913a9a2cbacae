import { map, number } from '../../chat/form.ts';
import type { Store } from '../../chat/storage.ts';

const USUAL = ['👍', '❤️', '😂', '😮', '😢', '🎉', '🙏', '✅'];
/** Number of emoji that are offered as reactions. */
const REACTIONS = 6;
/** The user's own emoji come first after this number of uses. */
const ENOUGH = 10;

/** Returns the emoji to offer first: the user's most used after `ENOUGH` uses, then the usual ones. */
export function frequent(settings: Store, count = REACTIONS): string[] {
  const uses = settings.get('reactions', map(number)) ?? {};
  const own = Object.entries(uses);
  if (own.reduce((sum, [, count]) => sum + count, 0) < ENOUGH) return USUAL.slice(0, count);
  const most = own.sort(([, a], [, b]) => b - a).map(([emoji]) => emoji);
  return [...new Set([...most, ...USUAL])].slice(0, count);
}

export function used(settings: Store, emoji: string): void {
  const uses = settings.get('reactions', map(number)) ?? {};
  settings.set('reactions', { ...uses, [emoji]: (uses[emoji] ?? 0) + 1 });
}
