import type { Context } from '../context.ts';
import { FormDialog } from '../controls/form-dialog.tsx';
import { KeyList } from '../controls/key-list.tsx';
import { controlKey, isApple } from '../controls/modifier-keys.ts';

interface Props {
  readonly context: Context;
  close(): void;
}

const [alt, shift] = isApple ? ['⌥', '⇧'] : ['Alt', 'Shift'];

/** Shortcuts, each with the key of its text. */
const anywhere = [
  [[controlKey, 'K'], 'switch.title'],
  [[alt, '↑', '↓'], 'keys.rooms'],
  [[alt, shift, '↑', '↓'], 'keys.unread'],
  [['↑'], 'keys.last'],
  [[shift, 'Enter'], 'keys.line'],
  [[controlKey, 'B'], 'format.bold'],
  [[controlKey, 'I'], 'format.italic'],
  [[controlKey, 'E'], 'format.code'],
  [['?'], 'keys.title'],
] as const;
const onMessage = [
  [['Enter'], 'keys.menu'],
  [['R'], 'action.reply'],
  [['T'], 'replies.title'],
  [['+'], 'react.add'],
  [['E'], 'action.edit'],
  [['F'], 'forward.title'],
  [['C'], 'action.copy'],
  [['L'], 'copyLink.action'],
  [['Del'], 'action.delete'],
] as const;

/** The dialog with all keyboard shortcuts. */
export function Shortcuts({ context, close }: Props) {
  const { strings } = context;
  const told = (keys: typeof anywhere | typeof onMessage) =>
    keys.map(([names, words]) => [names, strings.text(words)] as const);
  return (
    <FormDialog
      context={context}
      title={strings.text('keys.title')}
      label={strings.text('common.close')}
      cancel={null}
      submit={close}
      close={close}
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys scroll it. */}
      <section tabIndex={0} aria-label={strings.text('keys.title')}>
        <KeyList keys={told(anywhere)} />
        <h3>{strings.text('keys.message')}</h3>
        <KeyList keys={told(onMessage)} />
      </section>
    </FormDialog>
  );
}
