import type { Context } from './context.ts';
import { Icon } from './controls/icon.tsx';

/** The button that closes the chat, in the corner of every view. */
export function CloseChat({ context }: { context: Context }) {
  const close = context.close();
  if (close === undefined) return null;
  return (
    <button
      type="button"
      class="icon close-chat"
      aria-label={context.strings.text('launcher.close')}
      onClick={close}
    >
      <Icon name="fold" />
    </button>
  );
}
