import type { Strings } from '../../strings/strings.ts';
import type { Context } from '../context.ts';
import { Dialog } from '../controls/dialog.tsx';
import { Icon } from '../controls/icon.tsx';

/** The three steps to add the site to the Home Screen. An iPhone allows push only for such sites. */
export function HomeScreen({ strings }: { readonly strings: Strings }) {
  return (
    <>
      <p class="hint flat">{strings.text('push.ios.text')}</p>
      <ol class="steps">
        {(
          [
            ['push.ios.one', 'share'],
            ['push.ios.two', 'addTo'],
            ['push.ios.three', 'bell'],
          ] as const
        ).map(([key, picture]) => (
          <li key={key}>
            <span>{strings.text(key)}</span>
            <Icon name={picture} />
          </li>
        ))}
      </ol>
    </>
  );
}

/** Explains how to allow notifications that the browser blocks. */
export function Blocking({ strings }: { readonly strings: Strings }) {
  return (
    <div class="note-box">
      <Icon name="alert" />
      <div>
        <b>{strings.text('notify.blocked')}</b>
        <p>{strings.text('push.blocked.how')}</p>
      </div>
    </div>
  );
}

interface Props {
  readonly context: Context;
  readonly why: 'blocked' | 'home';
  /** Turns on mails instead; absent if mails are not available. */
  readonly mail?: (() => void) | undefined;
  close(): void;
}

export function PushHelp({ context, why, mail, close }: Props) {
  const { strings } = context;
  const blocked = why === 'blocked';
  const mails = (kind: string, label: 'offer.mail' | 'push.ios.mail') =>
    mail && (
      <button
        type="button"
        class={kind}
        onClick={() => {
          close();
          mail();
        }}
      >
        {strings.text(label)}
      </button>
    );
  return (
    <Dialog
      context={context}
      title={strings.text(blocked ? 'push.blocked.title' : 'push.ios.title')}
      ask
      submit={close}
      close={close}
      actions={
        blocked ? (
          <>
            <button type="button" class={mail ? 'btn' : 'btn primary'} onClick={close}>
              {strings.text('common.close')}
            </button>
            {mails('btn primary', 'offer.mail')}
          </>
        ) : (
          <>
            {mails('btn', 'push.ios.mail')}
            <button type="button" class="btn primary" onClick={close}>
              {strings.text('common.done')}
            </button>
          </>
        )
      }
    >
      {blocked ? <Blocking strings={strings} /> : <HomeScreen strings={strings} />}
      {blocked && mail !== undefined && <p class="hint">{strings.text('push.blocked.mail')}</p>}
    </Dialog>
  );
}
