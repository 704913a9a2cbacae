import type { BrowserPush } from '../../chat/push.ts';
import type { Context } from '../context.ts';
import { Icon, IconButton } from '../controls/icon.tsx';
import { type Notices, USUAL_DELAY } from './notices.tsx';

/**
 * Returns the function that renders the offer of notifications; undefined if the user has them, or none can be offered.
 *
 * @param end - called when the user accepts or dismisses the offer
 */
export function offer(context: Context, notices: Notices, end: () => void) {
  const { chat } = context;
  const here = chat.can.push ? context.push() : undefined;
  const { mail, mailTo, mailStoppedAt } = notices;
  const canMail = chat.can.mail && mailTo !== null;
  if ((canMail && mail !== 'off') || here?.state === 'on') return undefined;
  const push = here?.state === 'off' || here?.state === 'home' ? here : undefined;
  // A user who unsubscribed from the mails does not want them.
  const mails = canMail && mailStoppedAt === undefined;
  if (push === undefined && !mails) return undefined;
  return () => <Offer context={context} push={push} mails={mails} end={end} />;
}

interface Props {
  readonly context: Context;
  readonly push: BrowserPush | undefined;
  readonly mails: boolean;
  end(): void;
}

function Offer({ context, push, mails, end }: Props) {
  const { strings } = context;
  const mail = mails ? () => sendMails(context) : undefined;
  return (
    <fieldset class="offer" aria-label={strings.text('notify.title')} key="offer">
      <span class="disc" aria-hidden="true">
        <Icon name="bell" />
      </span>
      <b>{strings.text('offer.title')}</b>
      <p>{strings.text('offer.text')}</p>
      <div class="acts">
        {push !== undefined && (
          <button
            type="button"
            class="btn primary s"
            onClick={() => {
              end();
              void turnOn(push, context, mail);
            }}
          >
            {strings.text('prefs.pushOn')}
          </button>
        )}
        {mail !== undefined && (
          <button
            type="button"
            class={push === undefined ? 'btn primary s' : 'btn s'}
            onClick={() => {
              end();
              mail();
            }}
          >
            {strings.text('offer.mail')}
          </button>
        )}
      </div>
      <IconButton name="close" label={strings.text('notify.later')} press={end} />
    </fieldset>
  );
}

function sendMails(context: Context): void {
  const { chat, strings, toast, showSettings } = context;
  chat.request('notify:set', { mail: USUAL_DELAY }).then(
    () => toast(strings.text('settings.saved'), 'good', { label: 'prefs.open', run: showSettings }),
    () =>
      toast(strings.text('prefs.failed'), 'bad', { label: 'common.again', run: () => sendMails(context) }),
  );
}

/** If this device does not allow push, a dialog explains what to do. */
async function turnOn(push: BrowserPush, context: Context, mail: (() => void) | undefined): Promise<void> {
  const { strings, toast, dialog, showSettings } = context;
  if (push.state === 'home') return dialog({ kind: 'pushHelp', why: 'home', mail });
  try {
    await push.turnOn();
    await context.chat.request('notify:set', { push: true });
    toast(strings.text('settings.saved'), 'good', { label: 'prefs.open', run: showSettings });
  } catch {
    if (push.state === 'blocked') return dialog({ kind: 'pushHelp', why: 'blocked', mail });
    toast(strings.text('offer.failed'), 'bad', {
      label: 'common.again',
      run: () => void turnOn(push, context, mail),
    });
  }
}
