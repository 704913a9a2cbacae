import type { Context } from '../context.ts';
import { Dialog } from '../controls/dialog.tsx';

interface Props {
  readonly context: Context;
  readonly text: string;
  close(): void;
}

/** Shows the text of a message to select from. In the timeline a long press opens the menu instead. */
export function SelectText({ context, text, close }: Props) {
  const { strings } = context;
  return (
    <Dialog
      context={context}
      title={strings.text('action.select')}
      submit={close}
      close={close}
      actions={
        <button type="button" class="btn primary" onClick={close}>
          {strings.text('common.done')}
        </button>
      }
    >
      <p class="selectable">{text}</p>
    </Dialog>
  );
}
