import type { Message } from '../../../../server/wire/events.ts';
import type { Context } from '../context.ts';
import { menuTitle, openMenu } from '../controls/menu.tsx';
import { laterRefusal } from './later.tsx';
import { nearWhen, tomorrowMorning, when } from './times.ts';

const MINUTE = 60_000;

/** Opens a menu with times for a reminder of the message. */
export function openRemindMenu({ room, seq }: Message, context: Context, opener: HTMLElement): void {
  const { chat, strings, dialog, toast } = context;
  const label = strings.text('remind.action');
  const { now } = chat.clock;
  const remind = async (at: number) => {
    await chat.request('reminder:set', { room, seq, at });
    toast(strings.text('remind.done', { when: when(at, strings) }), 'good');
  };
  const item = (text: string, at: number) => ({
    picture: 'clock' as const,
    label: `${text.charAt(0).toLocaleUpperCase(strings.locale)}${text.slice(1)}`,
    run: () => void remind(at).catch((error) => toast(laterRefusal(error, strings), 'bad')),
  });
  const words = new Intl.RelativeTimeFormat(strings.locale);
  const tomorrow = tomorrowMorning(now);
  openMenu(context, opener, {
    label,
    about: menuTitle(label),
    items: [
      item(words.format(20, 'minute'), now + 20 * MINUTE),
      item(words.format(1, 'hour'), now + 60 * MINUTE),
      item(nearWhen(tomorrow, now, strings), tomorrow),
      {
        picture: 'edit',
        label: strings.text('later.choose'),
        run: () => dialog({ kind: 'later', title: label, schedule: remind }),
      },
      {
        picture: 'list',
        label: strings.text('remind.list'),
        apart: true,
        run: () => dialog({ kind: 'scheduled' }),
      },
    ],
    beside: opener.querySelector('.bubble'),
  });
}
