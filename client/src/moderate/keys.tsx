import { flag } from '../chat/form.ts';
import { composes } from '../text/keys.ts';
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
