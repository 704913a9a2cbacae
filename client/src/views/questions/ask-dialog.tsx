import type { Context } from '../context.ts';
import { FormDialog } from '../controls/form-dialog.tsx';
import { askingOf } from './asking.tsx';

/** The dialog in which a user asks the team. */
export function AskDialog({ context, close }: { readonly context: Context; close(): void }) {
  const asking = askingOf(context);
  if (asking === undefined) return null;
  return (
    <FormDialog
      context={context}
      title={context.strings.text('ask.menu')}
      typed={asking.text !== ''}
      submission={asking.submission}
      label={context.strings.text('composer.send')}
      ready={asking.isReady}
      submit={() => asking.send(close)}
      close={close}
    >
      <div class="asking">{asking.fields(false)}</div>
    </FormDialog>
  );
}
