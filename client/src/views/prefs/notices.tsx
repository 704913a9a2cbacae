import type { Answers } from '../../../../server/wire/events.ts';
import { ownZone } from '../../chat/time-zone.ts';
import type { RequestOf } from '../../connection/connection.ts';
import type { Strings } from '../../strings/strings.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { Choice, Row, Section, Segments, Switch } from '../controls/rows.tsx';
import { TimeField } from './time-field.tsx';

/** The user's notification settings. */
export type Notices = Answers['notify:get'];

export interface NoticesProps {
  readonly context: Context;
  readonly notices: Notices;
  set(change: RequestOf<'notify:set'>): void;
}

/** Offered delays of mails, in minutes. */
const DELAYS = [5, 15, 60] as const;
/** The delay in minutes when the user turns mails on. */
export const USUAL_DELAY = 15;
const USUAL_HOURS = { from: '22:00', to: '07:00' };

export function Mail({ context: { strings }, notices, set }: NoticesProps) {
  const { mail, mailTo } = notices;
  const label = strings.text('prefs.mailOn');
  const known = mailTo !== null;
  const on = known && mail !== 'off';
  return (
    <Section picture="mail" title={strings.text('prefs.mail')}>
      <ul class="sets box">
        <Row title={label} hint={mailHint(notices, strings)}>
          <Switch
            label={label}
            on={on}
            fixed={!known}
            turn={(wanted) => set({ mail: wanted ? USUAL_DELAY : 'off' })}
          />
        </Row>
        {on && (
          <Row title={strings.text('prefs.mailAfter')} hint={strings.text('prefs.mailAfterHint')}>
            <Choice
              label={strings.text('prefs.mailAfter')}
              chosen={String(mail)}
              options={delays(mail, strings)}
              choose={(value) =>
                set({ mail: value === 'daily' ? value : (Number(value) as (typeof DELAYS)[number]) })
              }
            />
          </Row>
        )}
      </ul>
    </Section>
  );
}

/** Returns where the mails go, or why the user does not get any. */
function mailHint({ mail, mailTo, mailStoppedAt }: Notices, strings: Strings): string | undefined {
  if (mailTo === null) return strings.text('prefs.mailNone');
  if (mail === 'off' && mailStoppedAt !== undefined)
    return strings.text('prefs.mailStopped', { when: strings.dayWithin(mailStoppedAt) });
  return mailTo === undefined ? undefined : strings.text('prefs.mailTo', { address: mailTo });
}

/** The operator may have set a delay that is not offered. */
function delays(chosen: Notices['mail'], strings: Strings): [string, string][] {
  const minutes = new Set<number>([...DELAYS, ...(typeof chosen === 'number' ? [chosen] : [])]);
  const words = (n: number) => {
    const [value, unit] = n < 1 ? [n * 60, 'second'] : n % 60 === 0 ? [n / 60, 'hour'] : [n, 'minute'];
    return new Intl.NumberFormat(strings.locale, { style: 'unit', unit, unitDisplay: 'long' }).format(value);
  };
  return [
    ...[...minutes].sort((a, b) => a - b).map((n): [string, string] => [String(n), words(n)]),
    ['daily', strings.text('prefs.daily')],
  ];
}

export function QuietHours({ context: { strings }, notices: { quiet }, set }: NoticesProps) {
  const label = strings.text('prefs.quiet');
  const zone = ownZone();
  const save = (change: Partial<typeof USUAL_HOURS>) => {
    const { from, to } = { ...(quiet ?? USUAL_HOURS), ...change };
    set({ quiet: { from, to, zone } });
  };
  return (
    <Section picture="moon" title={label}>
      <ul class="sets box">
        <Row title={label} hint={strings.text('prefs.quietHint')}>
          <Switch
            label={label}
            on={quiet !== null}
            turn={(wanted) => (wanted ? save({}) : set({ quiet: null }))}
          />
        </Row>
        {quiet !== null && (
          <Row
            title={strings.text('prefs.quietTimes')}
            hint={strings.text('prefs.quietZone', { zone: city(quiet.zone ?? zone ?? 'UTC') })}
          >
            <span class="times">
              <TimeField
                label={strings.text('prefs.quietFrom')}
                value={quiet.from}
                save={(from) => save({ from })}
              />
              <span>–</span>
              <TimeField label={strings.text('prefs.quietTo')} value={quiet.to} save={(to) => save({ to })} />
            </span>
          </Row>
        )}
      </ul>
    </Section>
  );
}

/** Returns the city of a time zone: `America/Argentina/Buenos_Aires` becomes “Buenos Aires”. */
const city = (zone: string) => zone.slice(zone.lastIndexOf('/') + 1).replaceAll('_', ' ');

/** The choice of the content of notifications, with a sample. */
export function Shown({ context: { chat, strings }, notices: { text: chosen }, set }: NoticesProps) {
  const label = strings.text('prefs.shown');
  const rooms = chat.list.own();
  const room = rooms.find(({ summary }) => summary.kind !== 'direct');
  // Users are not notified of their own messages.
  const sender = rooms
    .map(({ summary }) => summary.with ?? summary.last?.user)
    .find((user) => user !== undefined && user.id !== chat.me?.id);
  return (
    <Section picture="eye" title={label}>
      <div class="box">
        <Segments
          label={label}
          chosen={chosen}
          options={(['text', 'name', 'nothing'] as const).map((text) => [
            text,
            strings.text(`prefs.shown.${text}`),
          ])}
          choose={(text) => set({ text })}
        />
        <div class="sample" aria-hidden="true">
          <span class="mark">
            <Icon name="bubble" />
          </span>
          <div>
            <span>
              {chosen === 'nothing' ? (
                <b>{strings.text('rooms.heading')}</b>
              ) : (
                <>
                  <b>
                    <bdi>{sender === undefined ? strings.text('rooms.heading') : strings.name(sender)}</bdi>
                  </b>
                  {room !== undefined && (
                    <>
                      {' · '}
                      <bdi>{room.summary.name}</bdi>
                    </>
                  )}
                </>
              )}
            </span>
            <span>{strings.text(chosen === 'text' ? 'prefs.sampleText' : 'prefs.sample')}</span>
          </div>
          <time>{new Intl.RelativeTimeFormat(strings.locale, { numeric: 'auto' }).format(0, 'second')}</time>
        </div>
      </div>
    </Section>
  );
}
