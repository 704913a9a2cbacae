import type { Context } from '../context.ts';
import { frequent } from './frequent.ts';

/** Loads the grid and the names of all emoji. */
export const emojiCode = () => import('./grid.tsx');

/** Opens the grid of all emoji. The focus returns to the opener. */
export async function openEmoji(
  context: Context,
  opener: HTMLElement,
  beside: Element,
  chosen: (emoji: string) => void,
): Promise<void> {
  const { layer, strings, toast } = context;
  const close = () => {
    opener.focus();
    layer();
  };
  try {
    const { EmojiGrid, EmojiNames, sheet } = await emojiCode();
    const names = await EmojiNames.in(strings.locale);
    const root = opener.getRootNode() as ShadowRoot;
    if (!opener.isConnected) return;
    const dress = sheet();
    if (!root.adoptedStyleSheets.includes(dress)) root.adoptedStyleSheets.push(dress);
    const { settings } = context.chat;
    layer(() => (
      <EmojiGrid
        context={context}
        names={names}
        beside={beside}
        often={(count) => frequent(settings, count)}
        chosen={chosen}
        close={close}
      />
    ));
  } catch {
    toast(strings.text('error.other'), 'bad');
  }
}
