import type { Strings } from '../../strings/strings.ts';
import type { Context } from '../context.ts';
import { FormDialog } from '../controls/form-dialog.tsx';
import { KeyList } from '../controls/key-list.tsx';
import { controlKey, isApple } from '../controls/modifier-keys.ts';

interface Props {
  readonly context: Context;
  close(): void;
}

/** Shortcuts, each with the key of its text. The names of keys depend on the language. */
function shortcuts(strings: Strings) {
  const control = controlKey(strings);
  const alt = isApple ? '⌥' : 'Alt';
  const shift = isApple ? '⇧' : strings.text('keys.shift');
  const enter = strings.text('keys.enter');
  const anywhere = [
    [[control, 'K'], 'switch.title'],
    [[alt, '↑', '↓'], 'keys.rooms'],
    [[alt, shift, '↑', '↓'], 'keys.unread'],
    [['↑'], 'keys.last'],
    [[shift, enter], 'keys.line'],
    [[control, 'B'], 'format.bold'],
    [[control, 'I'], 'format.italic'],
    [[control, 'E'], 'format.code'],
    [['?'], 'keys.title'],
  ] as const;
  const onMessage = [
    [[enter], 'keys.menu'],
    [['R'], 'action.reply'],
    [['T'], 'replies.inThread'],
    [['+'], 'react.add'],
    [['E'], 'action.edit'],
    [['F'], 'forward.title'],
    [['C'], 'action.copy'],
    [['L'], 'copyLink.action'],
    [[strings.text('keys.delete')], 'action.delete'],
  ] as const;
  const onQuestion = [
    [['J', 'K'], 'mod.keys.next'],
    [['T'], 'questions.take'],
    [['C'], 'questions.close'],
    [['N'], 'questions.note'],
  ] as const;
  return [anywhere, onMessage, onQuestion].map((keys) =>
    keys.map(([names, words]) => [names, strings.text(words)] as const),
  );
}

/** The dialog with all keyboard shortcuts. */
export function Shortcuts({ context, close }: Props) {
  const { strings } = context;
  const [anywhere = [], onMessage = [], onQuestion = []] = shortcuts(strings);
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
        <KeyList keys={anywhere} />
        <h3>{strings.text('keys.message')}</h3>
        <KeyList keys={onMessage} />
        {context.chat.answers && [
          <h3 key="questions">{strings.text('questions.title')}</h3>,
          <KeyList keys={onQuestion} key="keys" />,
        ]}
      </section>
    </FormDialog>
  );
}
