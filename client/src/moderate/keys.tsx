import { flag } from '../chat/form.ts';
import { FormDialog } from '../views/controls/form-dialog.tsx';
import { KeyList } from '../views/controls/key-list.tsx';
import { Row, Switch } from '../views/controls/rows.tsx';
import type { Desk } from './desk.ts';
import type { DeskContext } from './desk-context.ts';

/** The storage key of the setting for keyboard shortcuts. Users who dictate turn them off. */
const KEPT = 'moderate-keys';

export const keysAreOn = ({ settings }: Desk): boolean => settings.get(KEPT, flag) !== false;

const turnKeys = ({ settings }: Desk, on: boolean) => settings.set(KEPT, on);

/** All shortcuts, each with the key of its text. */
const all = [
  [['J', 'K'], 'mod.keys.next'],
  [['D'], 'action.delete'],
  [['X'], 'mod.keys.deleteAll'],
  [['A'], 'delete.keep'],
  [['M'], 'mute.action'],
  [['B'], 'ban.action'],
  [['Z'], 'common.undo'],
  [['/'], 'mod.find'],
  [['?'], 'mod.keys'],
] as const;

/** The most important shortcuts, shown below the queue. */
export function KeyHints({ context, open }: { readonly context: DeskContext; open(): void }) {
  const { strings } = context;
  return (
    <div class="keys">
      {context.keys() && (
        <>
          <span aria-hidden="true">
            <kbd>J</kbd>
            <kbd>K</kbd>
            {strings.text('mod.keys.next')}
          </span>
          <span aria-hidden="true">
            <kbd>Z</kbd>
            {strings.text('common.undo')}
          </span>
        </>
      )}
      <button type="button" class="link" aria-haspopup="dialog" onClick={open}>
        {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: a kbd takes no focus. */}
        {context.keys() && <kbd aria-hidden="true">?</kbd>}
        {strings.text('mod.keys')}
      </button>
    </div>
  );
}

/** The dialog with all shortcuts, and the switch that turns them on or off. */
export function Keys({ context, close }: { readonly context: DeskContext; close(): void }) {
  const { chat, strings, changed } = context;
  const on = context.keys();
  return (
    <FormDialog
      context={context}
      title={strings.text('mod.keys')}
      label={strings.text('common.close')}
      cancel={null}
      submit={close}
      close={close}
    >
      <KeyList keys={all.map(([keys, words]) => [keys, strings.text(words)])} />
      <ul class="plain">
        <Row title={strings.text('mod.keys.on')}>
          <Switch
            label={strings.text('mod.keys.on')}
            on={on}
            turn={(wanted) => {
              turnKeys(chat, wanted);
              changed();
            }}
          />
        </Row>
      </ul>
    </FormDialog>
  );
}
