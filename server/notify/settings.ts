import type { StoredNotices } from '../history/history.ts';
import { type Answers, type RequestPayload, zone as zoneName } from '../wire/events.ts';
import type { Quiet } from './times.ts';

/** The notification settings of a user. */
export interface NotifySettings {
  /** Never, once a day, or the delay in minutes. */
  mail: 'off' | 'daily' | number;
  push: boolean;
  quiet: Quiet | null;
  /** What notifications show of a message: its author and text, its author, or only that it exists. */
  text: 'text' | 'name' | 'nothing';
  zone: string;
  /** A language tag. Absent if no client of the user sent one. */
  lang?: string;
  /** When the user turned mails off by the link in a mail, as Unix ms. */
  mailStoppedAt?: number;
}

/** The operator's settings CHAT_NOTIFY_AFTER (milliseconds), CHAT_TIME_ZONE and CHAT_MAIL_NEW_MEMBERS. */
export interface NotifyDefaults {
  after: number;
  zone: string;
  /** Whether users who never connected get mails. */
  newMembers: boolean;
}

const usualHours = '22:00-07:00';

/** Returns the settings of a user, with the defaults for unset ones. */
export function settingsOf(stored: StoredNotices, defaults: NotifyDefaults): NotifySettings {
  const { mail, stopped, push, quiet = usualHours, shows = 'text', lang } = stored;
  // An earlier version of this server or of Node may have accepted a zone that is not supported now.
  const zone = zoneName.safeParse(stored.zone).data ?? defaults.zone;
  const [from = '', to = ''] = quiet.split('-');
  const after = mail === undefined ? defaults.after / 60_000 : Number(mail);
  return {
    mail: mail === 'off' || mail === 'daily' ? mail : after,
    push: push !== 0,
    quiet: quiet === 'off' ? null : { from, to, zone },
    text: shows as NotifySettings['text'],
    zone,
    lang,
    mailStoppedAt: mail === 'off' ? stopped : undefined,
  };
}

/** Returns the settings as the user gets them. */
export function shownSettings({
  mail,
  mailStoppedAt,
  push,
  quiet,
  text,
}: NotifySettings): Answers['notify:get'] {
  return { mail, push, quiet, text, mailStoppedAt };
}

/** Returns the stored form of a change. Null resets a setting. */
export function storedChange({ mail, push, quiet, text, lang }: RequestPayload<'notify:set'>): {
  [Name in keyof StoredNotices]: StoredNotices[Name] | null;
} {
  return {
    ...(mail === undefined ? {} : { mail: String(mail), stopped: null }),
    ...(push === undefined ? {} : { push: push ? 1 : 0 }),
    ...(quiet === undefined ? {} : { quiet: quiet === null ? 'off' : `${quiet.from}-${quiet.to}` }),
    ...(quiet?.zone === undefined ? {} : { zone: quiet.zone }),
    ...(text === undefined ? {} : { shows: text }),
    ...(lang === undefined ? {} : { lang }),
  };
}
