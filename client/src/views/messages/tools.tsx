import type { Context, Draft } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { used } from '../emoji/frequent.ts';
import { openEmoji } from '../emoji/open-emoji.tsx';
import { laterOf } from '../later/later.tsx';
import { apply } from './format-bar.tsx';

/** The buttons next to the composer's field. */
export function tools(context: Context, draft: Draft) {
  return [emojiButton(context), laterOf(context)?.button(draft)];
}

function emojiButton(context: Context) {
  return (
    <button
      key="emoji"
      type="button"
      class="icon"
      aria-label={context.strings.text('emoji.open')}
      aria-haspopup="dialog"
      onClick={({ currentTarget }) => {
        const field = currentTarget.closest('.row')?.querySelector('textarea');
        if (field && !field.readOnly)
          void openEmoji(context, context.touch() ? currentTarget : field, currentTarget, (emoji) => {
            insertEmoji(emoji, field, context);
          });
      }}
    >
      <Icon name="emoji" />
    </button>
  );
}

/** Inserts an emoji at the caret, and keeps the focus where it is. */
function insertEmoji(emoji: string, field: HTMLTextAreaElement, context: Context): void {
  const { selectionStart: from, selectionEnd: to } = field;
  const end = from + emoji.length;
  const focused = (field.getRootNode() as ShadowRoot).activeElement;
  used(context.chat.settings, emoji);
  // On a touch screen, focusing the field would open the keyboard for a moment.
  if (context.touch()) {
    field.setRangeText(emoji, from, to, 'end');
    field.dispatchEvent(new Event('input', { bubbles: true }));
    return;
  }
  field.focus({ preventScroll: true });
  apply({ from, to, text: emoji, start: end, end }, field);
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
}
