import type { StoredNotices } from '../history/history.ts';
import { type Answers, type RequestPayload, zone as zoneName } from '../wire/events.ts';
import type { Quiet } from './times.ts';

/** How a user is notified while away. */
export interface NotifySettings {
  /** Never, once a day, or after so many minutes. */
  mail: 'off' | 'daily' | number;
  push: boolean;
  quiet: Quiet | null;
  /** The part of a message that is shown: its author and text, its author, or only that it is there. */
  text: 'text' | 'name' | 'nothing';
  zone: string;
  /** A language tag; absent if the user's client has not said it. */
  lang?: string;
  /** When a link in a mail has switched mails off, in milliseconds since 1970. */
  mailStoppedAt?: number;
}

/** The operator's settings CHAT_NOTIFY_AFTER (milliseconds) and CHAT_TIME_ZONE. */
export interface NotifyDefaults {
  after: number;
  zone: string;
}

const usualHours = '22:00-07:00';

/** With the defaults where the user has chosen nothing. */
export function settingsOf(stored: StoredNotices, defaults: NotifyDefaults): NotifySettings {
  const { mail, stopped, push, quiet = usualHours, shows = 'text', lang } = stored;
  // An earlier version may have stored one that nothing here can reckon with, and so may another one of Node.
  const zone = zoneName.safeParse(stored.zone).data ?? defaults.zone;
  const [from = '', to = ''] = quiet.split('-');
  const after = mail === undefined ? defaults.after / 60_000 : Number(mail);
  return {
    mail: mail === 'off' || mail === 'daily' ? mail : after,
    push: push !== 0,
    quiet: quiet === 'off' ? null : { from, to, zone },
    text: shows as NotifySettings['text'],
    zone,
    ...(lang === undefined ? {} : { lang }),
    ...(mail !== 'off' || stopped === undefined ? {} : { mailStoppedAt: stopped }),
  };
}

/** As the user gets them. */
export function shownSettings({
  mail,
  mailStoppedAt,
  push,
  quiet,
  text,
}: NotifySettings): Answers['notify:get'] {
  return { mail, push, quiet, text, ...(mailStoppedAt === undefined ? {} : { mailStoppedAt }) };
}

/** The stored form of a change. */
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
